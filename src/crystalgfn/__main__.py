"""``python -m crystalgfn``: the same as the command ``crystalgfn``."""

from crystalgfn.cli import run

if __name__ == "__main__":
    run()
