"""SIGTERM like Ctrl-C: schedulers of clusters and ``kill`` end a long command as its user would.

What a command does on Ctrl-C (keep what is done, end its workers, say how to go on) it then does on SIGTERM too.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def terminable() -> Iterator[None]:
    """Raise :class:`KeyboardInterrupt` in the block on SIGTERM.

    A process that was started to ignore the signal goes on ignoring it. Outside the main thread, where Python allows no
    handlers of signals, nothing changes.
    """
    ignored = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
