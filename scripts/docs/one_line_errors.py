"""Errors that a user can mend: one line and exit code 2, as on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps

from crystalgfn.errors import CrystalGFNError


def one_line_errors(work: Callable[[Sequence[str] | None], None]) -> Callable[..., int]:
    """Turn a script's function of its arguments (None: those of the process) into one that returns exit code 0 or 2."""

    @wraps(work)
    def main(arguments: Sequence[str] | None = None) -> int:
        try:
            work(arguments)
        except (CrystalGFNError, OSError) as error:
            print("error:", *str(error).split(), file=sys.stderr)
            return 2
        return 0

    return main
