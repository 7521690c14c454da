"""``python -m crystalgfn``: the same as the command ``crystalgfn``."""

import os
import sys

if not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]  # what lies beside the data is no module, unless the user names it

from crystalgfn.cli import run

if __name__ == "__main__":
    run()
