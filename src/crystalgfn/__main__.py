"""``python -m crystalgfn``: the same as the command ``crystalgfn``."""

from crystalgfn.cli import main

if __name__ == "__main__":
    main()
