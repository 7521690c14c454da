"""Work on many crystals in several processes; the result of a row does not depend on how many, or on the order.

Each process has one thread and its own potential and hull. A process that dies (out of memory, a crash in a library)
takes only the crystals it held with it: they are tried once more, each alone, and fail with a reason if that kills a
process again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from crystalgfn.structures.candidates.candidate import Candidate, failed, realise
from crystalgfn.structures.candidates.requests import Recipe, Request

DIED = "the process that worked on it died (out of memory, or a crash in a library)"


@dataclass(frozen=True)
class Tools:
    """What a worker needs, by name, so that every process loads its own.

    Attributes:
        potential: name for :func:`~crystalgfn.structures.relaxing.potentials.load_potential`;
            empty to place atoms only.
        references: its file of elemental references, or None.
        hull: source for :func:`~crystalgfn.stability.load.load_hull`; empty for none.
        library: file of prototypes; ``"builtin"`` for those that ship, empty for none.
        second: model of SevenNet that judges what came out, such as ``"7net-l3i5"``; empty for none.
    """

    potential: str = "chgnet"
    references: str | None = None
    hull: str = "builtin"
    library: str = "builtin"
    second: str = ""

    def load(self, recipe: Recipe) -> Callable[[Request], Candidate]:
        """Load everything and return the work on one crystal.

        Raises:
            CrystalGFNError: a potential, hull or library that is not there.
        """
        from crystalgfn.stability.load import load_hull
        from crystalgfn.structures.placing.prototype_files import load_library
        from crystalgfn.structures.relaxing.potentials import load_potential

        potential = load_potential(self.potential, references=self.references) if self.potential else None
        hull = load_hull(self.hull) if self.hull and potential is not None else None
        library = load_library(self.library) if self.library else None
        second = None
        if self.second and potential is not None:
            from crystalgfn.structures.relaxing.second_opinion import SevenNetPotential

            second = SevenNetPotential(self.second)
        return lambda request: realise(request, recipe, potential, hull, library, second=second)


def work(
    requests: Iterable[Request], tools: Tools, recipe: Recipe, *, workers: int, here: Callable[[Request], Candidate]
) -> Iterator[Candidate]:
    """Yield a candidate for every request, as they are done.

    Args:
        requests: crystals; a few are held at a time, so there may be any number.
        tools: what to load.
        recipe: how to work.
        workers: processes; 1 works in this one.
        here: what ``tools.load(recipe)`` gave, for that one.
    """
    if workers == 1:
        yield from map(here, requests)
        return
    again: list[Request] = []
    source = iter(requests)
    while True:
        died = yield from _pool(source, tools, recipe, workers)
        if not died:
            break
        again.extend(died)
    for request in again:
        yield from _alone(request, tools, recipe)


def _pool(
    source: Iterator[Request], tools: Tools, recipe: Recipe, workers: int
) -> Generator[Candidate, None, list[Request]]:
    """Yield candidates until the source is empty or a process dies; return the requests that were in hand then."""
    held: dict[Future[Candidate], Request] = {}
    request: Request | None = None
    with _executor(tools, recipe, workers) as pool:
        try:
            while True:
                while len(held) < workers + 1 and (request := next(source, None)) is not None:
                    held[pool.submit(_do, request)] = request
                    request = None
                if not held:
                    return []
                done, _ = wait(held, return_when=FIRST_COMPLETED)
                for future in done:
                    candidate = future.result()
                    del held[future]
                    yield candidate
        except BrokenProcessPool:  # also of submit, whose request is not held yet
            return [*held.values(), *([request] if request is not None else [])]


def _alone(request: Request, tools: Tools, recipe: Recipe) -> Iterator[Candidate]:
    with _executor(tools, recipe, 1) as pool:
        try:
            yield pool.submit(_do, request).result()
        except BrokenProcessPool:
            yield failed(request, DIED)


_work: Any = None


def _executor(tools: Tools, recipe: Recipe, workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(tools, recipe, os.getpid())
    )


def _start(tools: Tools, recipe: Recipe, parent: int) -> None:
    global _work
    import torch

    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    _work = tools.load(recipe)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: a parent that was killed cannot tell."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _do(request: Request) -> Candidate:
    result: Candidate = _work(request)
    return result
