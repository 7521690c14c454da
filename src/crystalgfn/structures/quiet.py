"""Keep libraries from writing to the terminal."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

_active = False


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide what libraries print, log and warn about from the user's terminal.

    Within a block that hides it, further blocks do nothing, in threads too: what is hidden belongs to the process, and
    blocks of several threads would end in another order than they began.
    """
    global _active
    if _active:
        yield
        return
    logger = logging.getLogger("moyo")
    level = logger.level
    logger.setLevel(logging.ERROR)
    _active = True
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        _active = False
        logger.setLevel(level)
