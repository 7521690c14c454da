"""SIGTERM like Ctrl-C: schedulers of clusters and ``kill`` end a long command as its user would.

What a command does on Ctrl-C (keep what is done, end its workers, say how to go on) it then does on SIGTERM too. Work
that can stop at certain places only lets both wait until then (:func:`deferred`).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def deferred(say: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Let signals that would interrupt the block wait, and raise :class:`KeyboardInterrupt` when it has ended.

    A second signal interrupts the block at once. Signals that would not raise :class:`KeyboardInterrupt` stay as they
    are.

    Args:
        say: called at the first signal.

    Yields:
        a function that says whether there was a signal, so that the block can end early.
    """
    asked = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        with suppress(RuntimeError):  # the signal came amid a line that is being printed
            say()

    raising = (signal.default_int_handler, _interrupt)
    in_main = threading.current_thread() is threading.main_thread()
    before = {s: h for s in (signal.SIGINT, signal.SIGTERM) if in_main and (h := signal.getsignal(s)) in raising}
    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
