"""Progress bars with rate and time left: on a terminal and in notebooks, for work longer than two seconds; elsewhere,
as in the log of a cluster, a line a minute.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from crystalgfn.terminal import console, echo

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")

LINE_S = 60.0
"""Seconds between two lines in a file or a pipe."""

DELAY_S = 2.0
"""Seconds of work before a bar appears."""

EVERY_S = 0.5
"""Seconds between two updates of a line in a notebook."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class NotebookLine:
    """A line of text under a cell that is written anew; the last one stays."""

    def __init__(self) -> None:
        self.shown = False
        self._last = 0.0
        self._handle: Any = None

    def show(self, text: str, *, now: bool = False) -> None:
        """Show a text, at most every half second unless it is to be shown ``now``."""
        moment = time.monotonic()
        if self.shown and not now and moment - self._last < EVERY_S:
            return
        from IPython.display import display

        data = {"text/plain": text}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)
        self.shown, self._last = True, moment


class ProgressBar:
    """A bar on stderr, or a line under the cell of a notebook, or lines in a file; see :func:`progress_bar`.

    It appears once the work has taken :data:`DELAY_S` seconds, lines every :data:`LINE_S` seconds.
    """

    def __init__(self, total: int | None, description: str, unit: str, done: int = 0) -> None:
        self.completed = done
        self._before = done
        self._total = total
        self._description = description
        self._unit = unit
        self._start = self._last_line = time.monotonic()
        self._visible = sys.stderr.isatty()
        self._display: tuple[Progress, TaskID] | None = None
        self._line = None if self._visible or not in_notebook() else NotebookLine()

    def advance(self, n: int = 1) -> None:
        """Report that ``n`` more units are done."""
        self.completed += n
        now = time.monotonic()
        elapsed = now - self._start
        if self._line is not None:
            if elapsed >= DELAY_S:
                self._line.show(self._sentence(elapsed))
        elif not self._visible:
            if now - self._last_line >= LINE_S:
                self._last_line = now
                echo(self._log_line(elapsed), err=True)
        else:
            self._draw(elapsed)

    def close(self) -> None:
        """Take the bar away."""
        if self._display is not None:
            self._display[0].stop()
            self._display = None
        if self._line is not None and self._line.shown:
            elapsed = time.monotonic() - self._start
            self._line.show(f"{self._description}: {self.completed:,} {self._unit} in {elapsed:.0f} s", now=True)

    def _draw(self, elapsed: float) -> None:
        if self._display is None and elapsed >= DELAY_S:
            self._display = self._open()
        if self._display is not None:
            progress, task = self._display
            progress.update(task, completed=self.completed, rate=f"{self._rate(elapsed):,.0f} {self._unit}/s")

    def _rate(self, elapsed: float) -> float:
        """Units a second since the bar was made."""
        return (self.completed - self._before) / max(elapsed, 1e-9)

    def _log_line(self, elapsed: float) -> str:
        """What is done, as a line of a log."""
        rate = self._rate(elapsed)
        speed = f"{60 * rate:,.1f} a minute"
        if not self._total:
            return f"{self._description}: {self.completed:,} {self._unit}, {speed}"
        left = timedelta(seconds=round((self._total - self.completed) / rate)) if rate else "unknown time"
        return f"{self._description}: {self.completed:,} of {self._total:,} {self._unit}, {speed}, {left} left"

    def _sentence(self, elapsed: float) -> str:
        """What is done, as a line under a cell."""
        rate = self._rate(elapsed)
        done = f"{self._description}: {self.completed:,}"
        if not self._total:
            return f"{done} {self._unit}, {rate:,.1f}/s"
        filled = round(20 * min(self.completed / self._total, 1))
        left = (self._total - self.completed) / rate if rate else 0
        bar = "█" * filled + "░" * (20 - filled)
        return f"{done} of {self._total:,} {self._unit} {bar} {rate:,.1f}/s, {left:.0f} s left"

    def _open(self) -> tuple[Progress, TaskID]:
        # imported here: rich costs more than many runs that never show a bar
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(),
            console=console(stderr=True),
            transient=True,
        )
        task = progress.add_task(self._description, total=self._total, completed=self._before, rate="")
        progress.start()
        return progress, task


@contextmanager
def progress_bar(total: int | None, description: str, unit: str = "it", *, done: int = 0) -> Iterator[ProgressBar]:
    """Show progress through ``total`` units (``None``: unknown), ``done`` of them earlier, while the block runs.

    Example::

        with progress_bar(10_000, "sampling", "crystals") as bar:
            for batch in batches:
                bar.advance(len(batch))
    """
    bar = ProgressBar(total, description, unit, done)
    try:
        yield bar
    finally:
        bar.close()


def track(iterable: Iterable[T], total: int | None, description: str, unit: str = "it") -> Iterator[T]:
    """Yield from ``iterable`` while showing progress, one unit an item."""
    with progress_bar(total, description, unit) as bar:
        for item in iterable:
            yield item
            bar.advance()
