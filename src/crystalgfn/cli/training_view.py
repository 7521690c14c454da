"""The progress that ``crystalgfn train`` shows on stderr.

A terminal shows a display in place, once training has taken two seconds; a file or a pipe gets a line every minute.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from crystalgfn.config import Config
from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.gflownet.trainer import Progress
from crystalgfn.progress import DELAY_S, LINE_S
from crystalgfn.rewards.terms.term import Criterion
from crystalgfn.runs.build import build_reward
from crystalgfn.terminal import console, echo, plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

REDRAW_S = 0.5
"""Seconds between two updates of the display on a terminal."""


class TrainingView:
    """A context manager that is called with each :class:`Progress` and shows one now and then.

    Args:
        config: configuration of the run; its number of iterations and the first term of its reward are shown.
    """

    def __init__(self, config: Config) -> None:
        self._total = config.training.iterations
        self._config = config
        self._on_terminal = sys.stderr.isatty()
        self._live: Live | None = None
        self._first: tuple[float, Progress] | None = None
        self._shown = time.monotonic()

    def __enter__(self) -> TrainingView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the display."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, progress: Progress) -> None:
        """Show ``progress`` if the display was last updated long enough ago."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, progress
        wait = LINE_S if not self._on_terminal else REDRAW_S if self._live is not None else DELAY_S
        if now - self._shown < wait:
            return
        self._shown = now
        if not self._on_terminal:
            echo(f"{self._count(progress)}, {', '.join(self._texts(progress, now))}", err=True)
            return
        if self._live is None:
            self._live = _open()
        self._live.update(self._picture(progress, now), refresh=True)

    def _count(self, progress: Progress) -> str:
        return f"iteration {progress.iteration:,} of {self._total:,}"

    def _texts(self, progress: Progress, now: float) -> tuple[str, str, str]:
        """The numbers in three parts: sampler, crystals and time."""
        sampler = f"loss {progress.loss:.3g}, log Z {progress.log_z:.2f}, ESS {progress.ess:.0%} (one batch)"
        criterion = self._first_criterion
        unit = f" {criterion.unit}" if criterion.unit else ""
        values = f"median {progress.property_median:.3g}, best {progress.property_best:.3g}{unit}"
        crystals = f"{criterion.name} {values}, {progress.space_groups} space groups (last rollout)"
        return sampler, crystals, self._speed(progress, now)

    @cached_property
    def _first_criterion(self) -> Criterion:
        """The criterion of the reward's first term; built during the run, so that the checks of the run come first."""
        elements = [atomic_number(symbol) for symbol in self._config.constraints.elements.allowed]
        return build_reward(self._config, elements).terms[0].criterion

    def _speed(self, progress: Progress, now: float) -> str:
        """Trajectories per second and time left, both measured in this process alone."""
        assert self._first is not None
        start, first = self._first
        done = progress.iteration - first.iteration
        if not done or now <= start:
            return "time left unknown"
        # iterations are counted one by one, trajectories a rollout at a time
        rate = (progress.trajectories - first.trajectories) / (now - start)
        left = timedelta(seconds=round((self._total - progress.iteration) * (now - start) / done))
        return f"{rate:,.0f} trajectories/s, {left} left"

    def _picture(self, progress: Progress, now: float) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        sampler, crystals, speed = self._texts(progress, now)
        bar = Table.grid(padding=(0, 1))
        bar.add_row("training", ProgressBar(self._total, progress.iteration, width=30), self._count(progress))
        return Group(bar, *(Text(plain(text)) for text in (speed, sampler, crystals)))


def _open() -> Live:
    # imported here, as in crystalgfn.progress: runs that show nothing should not pay for loading rich
    from rich.live import Live

    live = Live(console=console(stderr=True), auto_refresh=False, transient=True)
    live.start()
    return live
