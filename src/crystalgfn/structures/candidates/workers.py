"""Work on many crystals in several processes; the result of a row does not depend on how many, or on the order.

Each process has one thread and its own potential and hull. A process that dies (out of memory, a crash in a library)
takes only the crystals in its hands with it: they are tried once more, each alone, and fail with a reason if that kills
a process again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from crystalgfn.errors import PropertyError
from crystalgfn.structures.candidates.candidate import Bench, Candidate, failed
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.candidates.search import PlacedRequest

DIED = "the process that worked on it died (out of memory, or a crash in a library)"


Task = Request | PlacedRequest
"""A crystal to work on, whose atoms may be placed already."""


@dataclass(frozen=True)
class Tools:
    """What a worker needs, by name, so that every process loads its own.

    Attributes:
        potential: name for :func:`~crystalgfn.structures.relaxing.potentials.registry.load_potential`;
            empty to place atoms only.
        references: its file of elemental references, or None.
        hull: source for :func:`~crystalgfn.stability.load.load_hull`; empty for none.
        library: file of prototypes; ``"builtin"`` for those that ship, empty for none.
        second: name of the potential that judges what came out, such as ``"7net-l3i5"``; empty for none.
        second_references: its file of elemental references, or None.
    """

    potential: str = "chgnet"
    references: str | None = None
    hull: str = "builtin"
    library: str = "builtin"
    second: str = ""
    second_references: str | None = None

    def load(self, settings: SearchSettings) -> Bench:
        """Load everything and return the work on one crystal.

        Raises:
            CrystalGFNError: a potential, hull or library that is not there, or a second opinion by the same potential.
        """
        from crystalgfn.stability.load import load_hull
        from crystalgfn.structures.placing.prototype_files import load_library
        from crystalgfn.structures.relaxing.potentials.registry import load_potential

        library = load_library(self.library) if self.library else None
        if not self.potential:
            return Bench(settings, library=library)
        check_second(self.potential, self.second)
        return Bench(
            settings,
            load_potential(self.potential, references=self.references),
            load_hull(self.hull) if self.hull else None,
            library,
            load_potential(self.second, references=self.second_references) if self.second else None,
        )


def check_second(potential: str, second: str) -> None:
    """Refuse a second opinion by the potential that relaxes.

    Raises:
        PropertyError: both are one.
    """
    if potential == second:
        raise PropertyError(f"second opinion: found {second!r}, which relaxes already, allowed: another potential")


def work(
    tasks: Iterable[Task], tools: Tools, settings: SearchSettings, *, workers: int, here: Bench
) -> Iterator[Candidate]:
    """Yield a candidate for every crystal, as they are done.

    Args:
        tasks: crystals; a few are in memory at a time, so there may be any number.
        tools: what each process loads.
        settings: of the search.
        workers: processes; 1 works in this one.
        here: the loaded tools of this one.
    """
    if workers == 1:
        yield from map(here, tasks)
        return
    again: list[Task] = []
    source = iter(tasks)
    while True:
        died = yield from _pool(source, tools, settings, workers)
        if not died:
            break
        again.extend(died)
    for task in again:
        yield from _alone(task, tools, settings)


def _pool(
    source: Iterator[Task], tools: Tools, settings: SearchSettings, workers: int
) -> Generator[Candidate, None, list[Task]]:
    """Yield candidates until the source is empty or a process dies; return the crystals that were in hand then."""
    in_hand: dict[Future[Candidate], Task] = {}
    task: Task | None = None
    with _executor(tools, settings, workers) as pool:
        try:
            while True:
                while len(in_hand) < workers + 1 and (task := next(source, None)) is not None:
                    in_hand[pool.submit(_do, task)] = task
                    task = None
                if not in_hand:
                    return []
                done, _ = wait(in_hand, return_when=FIRST_COMPLETED)
                for future in done:
                    candidate = future.result()
                    del in_hand[future]
                    yield candidate
        except BrokenProcessPool:  # also of submit, whose task is not there yet
            return [*in_hand.values(), *([task] if task is not None else [])]


def _alone(task: Task, tools: Tools, settings: SearchSettings) -> Iterator[Candidate]:
    with _executor(tools, settings, 1) as pool:
        try:
            yield pool.submit(_do, task).result()
        except BrokenProcessPool:
            yield failed(task, DIED)


_work: Any = None


def _executor(tools: Tools, settings: SearchSettings, workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(tools, settings, os.getpid())
    )


def _start(tools: Tools, settings: SearchSettings, parent: int) -> None:
    global _work
    import torch

    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    _work = tools.load(settings)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: a parent that was killed cannot tell."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _do(task: Task) -> Candidate:
    result: Candidate = _work(task)
    return result
