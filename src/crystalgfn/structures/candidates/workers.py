"""Work on many crystals in several processes; results depend neither on the number of processes nor on the order.

Each process has one thread and its own potential and hull. If a process dies (out of memory, a crash in a library),
only the crystals in work are lost: each is tried once more, alone, and fails with a reason if that kills a process
again. An interruption (Ctrl-C, SIGTERM) ends the processes at once, with what they work on.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from crystalgfn.errors import PropertyError
from crystalgfn.files.trust import safe_path
from crystalgfn.structures.candidates.candidate import Bench, Candidate, failed
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.candidates.search import PlacedRequest
from crystalgfn.structures.relaxing.potentials.batcher import Batcher

DIED = "the process that worked on it died (out of memory, or a crash in a library)"

Task = Request | PlacedRequest | Candidate
"""A crystal to work on, whose atoms may be placed already, or relaxed, so that a second opinion alone is missing."""


@dataclass(frozen=True)
class Tools:
    """The tools of a worker by name, so that every process can load its own.

    Attributes:
        potential: name for :func:`~crystalgfn.structures.relaxing.potentials.registry.load_potential`;
            empty to place atoms, or to ask for second opinions, only.
        references: file of elemental references of the potential, or None.
        hull: source for :func:`~crystalgfn.stability.load.load_hull`; empty for none.
        library: file of prototypes; ``"builtin"`` for the shipped ones, empty for none.
        second: name of the potential that judges relaxed structures, such as ``"7net-l3i5"``; empty for none.
        second_references: file of elemental references of the second potential, or None.
        second_below: highest energy above hull (eV/atom) of structures that it judges; None for all.
    """

    potential: str = "chgnet"
    references: str | None = None
    hull: str = "builtin"
    library: str = "builtin"
    second: str = ""
    second_references: str | None = None
    second_below: float | None = None

    def load(self, settings: SearchSettings, batcher: Batcher | None = None) -> Bench:
        """Load all tools.

        Args:
            settings: settings of the search.
            batcher: computes many crystals at once, on its device; by default one after the other on the CPU.

        Raises:
            CrystalGFNError: a potential, hull or library is missing, or one potential is to relax and to judge.
        """
        from crystalgfn.stability.load import load_hull
        from crystalgfn.structures.placing.prototype_files import load_library
        from crystalgfn.structures.relaxing.potentials.registry import load_potential

        check_second(self.potential, self.second)
        potential = second = None
        if self.potential:
            potential = load_potential(self.potential, references=self.references, batcher=batcher)
        if self.second:
            second = load_potential(self.second, references=self.second_references, batcher=batcher)
        return Bench(
            settings,
            potential,
            load_hull(self.hull) if self.hull and potential is not None else None,
            load_library(self.library) if self.library else None,
            second,
            self.second_below,
            batcher,
        )


def check_second(potential: str, second: str) -> None:
    """Refuse a second opinion by the potential that relaxes.

    Raises:
        PropertyError: both are the same potential.
    """
    if second and potential == second:
        raise PropertyError(f"second opinion: found {second!r}, which relaxes already, allowed: another potential")


def work(
    tasks: Iterable[Task], tools: Tools, settings: SearchSettings, *, workers: int, bench: Bench
) -> Generator[Candidate, None, None]:
    """Yield a candidate for every crystal, in the order in which they are finished.

    Args:
        tasks: crystals; a few are in memory at a time, so that there may be any number.
        tools: tools that each process loads.
        settings: settings of the search.
        workers: number of processes; with 1, or with a batcher, the work is done in this process.
        bench: the loaded tools of this process.
    """
    if bench.batcher is not None:
        yield from bench.batcher.map(bench, tasks)
        return
    if workers == 1:
        yield from map(bench, tasks)
        return
    second_tries: list[Task] = []
    source = iter(tasks)
    while True:
        lost = yield from _pool(source, tools, settings, workers)
        if not lost:
            break
        second_tries.extend(lost)
    for task in second_tries:
        yield from _alone(task, tools, settings)


def _pool(
    source: Iterator[Task], tools: Tools, settings: SearchSettings, workers: int
) -> Generator[Candidate, None, list[Task]]:
    """Yield candidates until the source is empty or a process dies; return the crystals in work at that moment."""
    pending: dict[Future[Candidate], Task] = {}
    task: Task | None = None
    with _processes(tools, settings, workers) as pool:
        try:
            while True:
                while len(pending) < workers + 1 and (task := next(source, None)) is not None:
                    pending[pool.submit(_do, task)] = task
                    task = None
                if not pending:
                    return []
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    candidate = future.result()
                    del pending[future]
                    yield candidate
        except BrokenProcessPool:  # submit raises it too, before its task is pending
            return [*pending.values(), *([task] if task is not None else [])]


def _alone(task: Task, tools: Tools, settings: SearchSettings) -> Iterator[Candidate]:
    with _processes(tools, settings, 1) as pool:
        try:
            yield pool.submit(_do, task).result()
        except BrokenProcessPool:
            yield failed(task, DIED)


class _SafeProcess(SpawnProcess):
    """A process that ignores Ctrl-C, which a terminal sends to all processes: its parent ends it."""

    def start(self) -> None:
        with safe_path(), _ignored(signal.SIGINT):
            super().start()


@contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal; in the main thread alone, where Python allows it. A process that starts meanwhile goes on so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


class _SafeContext(SpawnContext):
    """Starts processes, and remembers them."""

    def __init__(self) -> None:
        self.started: list[_SafeProcess] = []

    def Process(self, *args: Any, **more: Any) -> _SafeProcess:  # type: ignore[override]
        process = _SafeProcess(*args, **more)
        self.started.append(process)
        return process


_bench: Any = None


@contextmanager
def _processes(tools: Tools, settings: SearchSettings, workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that have loaded the tools; where the block is left early, they are ended amid their work."""
    context = _SafeContext()
    with safe_path():  # here the process starts that counts what the others share
        pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_start, initargs=(tools, settings, os.getpid())
        )
    with pool:
        try:
            yield pool
        except BaseException:
            for process in context.started:
                process.kill()
            raise


def _start(tools: Tools, settings: SearchSettings, parent: int) -> None:
    global _bench
    import torch

    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    _bench = tools.load(settings)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, since a killed parent cannot end it."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _do(task: Task) -> Candidate:
    result: Candidate = _bench(task)
    return result
