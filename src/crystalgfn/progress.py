"""Progress bars with rate and time left: on a terminal, for work longer than two seconds; silence elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from crystalgfn.terminal import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

T = TypeVar("T")

DELAY_S = 2.0
"""Seconds of work before a bar appears."""


class ProgressBar:
    """A bar on stderr that appears once the work has taken :data:`DELAY_S` seconds; see :func:`progress_bar`."""

    def __init__(self, total: int | None, description: str, unit: str) -> None:
        self.completed = 0
        self._total = total
        self._description = description
        self._unit = unit
        self._start = time.monotonic()
        self._visible = sys.stderr.isatty()
        self._display: tuple[Progress, TaskID] | None = None

    def advance(self, n: int = 1) -> None:
        """Report that ``n`` more units are done."""
        self.completed += n
        if not self._visible:
            return
        elapsed = time.monotonic() - self._start
        if self._display is None and elapsed >= DELAY_S:
            self._display = self._open()
        if self._display is not None:
            progress, task = self._display
            rate = f"{self.completed / max(elapsed, 1e-9):,.0f} {self._unit}/s"
            progress.update(task, completed=self.completed, rate=rate)

    def close(self) -> None:
        """Take the bar away."""
        if self._display is not None:
            self._display[0].stop()
            self._display = None

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
        task = progress.add_task(self._description, total=self._total, rate="")
        progress.start()
        return progress, task


@contextmanager
def progress_bar(total: int | None, description: str, unit: str = "it") -> Iterator[ProgressBar]:
    """Show progress through ``total`` units (``None``: unknown) while the block runs.

    Example::

        with progress_bar(10_000, "sampling", "crystals") as bar:
            for batch in batches:
                bar.advance(len(batch))
    """
    bar = ProgressBar(total, description, unit)
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
