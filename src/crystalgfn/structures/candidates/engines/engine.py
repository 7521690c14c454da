"""What an engine promises: every task comes back, with its result or its death."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from crystalgfn.structures.relaxing.potentials.batcher import Batcher

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Death:
    """Stands for the result of a task that two processes died of.

    Attributes:
        reason: what a table says about it; the same for all engines.
    """

    reason: str = "the process that worked on it died (out of memory, or a crash in a library)"


class Engine(Protocol):
    """Works on tasks in several processes, each with one thread and tools of its own, or in one that batches them.

    Attributes:
        batcher: what the potentials of this process are to be loaded with, so that they compute many crystals at once;
            None for one after the other.
    """

    @property
    def batcher(self) -> Batcher | None:
        """See the class."""
        ...

    def map(
        self,
        tasks: Iterable[Task],
        load: Callable[[], Callable[[Task], Result]],
        loaded: Callable[[Task], Result],
    ) -> Generator[tuple[Task, Result | Death], None, None]:
        """Yield every task once with its result, in the order in which they are finished.

        A task whose process dies is tried once more.

        Args:
            tasks: the tasks; a few are in memory at a time, so that there may be any number.
            load: loads the tools of a process: a function from a task to its result. It can be pickled.
            loaded: the tools of this process, for an engine that works in it.

        Raises:
            CrystalGFNError: a process cannot load its tools; results that were yielded before are good.
        """
        ...
