"""A pool of processes on this machine.

If a process dies (out of memory, a crash in a library), only the tasks in work are lost: each is tried once
more, alone. An interruption (Ctrl-C, SIGTERM) ends the processes at once, with what they work on.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, ClassVar

from crystalgfn.errors import DataError
from crystalgfn.files.trust import safe_path
from crystalgfn.structures.candidates.engines.engine import Death, Result, Task


@dataclass(frozen=True)
class LocalEngine:
    """Works in this process, or in a pool of processes.

    Attributes:
        workers: number of processes; with 1, the work is done in this process.

    Raises:
        DataError: ``workers`` is below 1.
    """

    workers: int = 2
    batcher: ClassVar[None] = None

    def __post_init__(self) -> None:
        check_workers(self.workers)

    def map(
        self,
        tasks: Iterable[Task],
        load: Callable[[], Callable[[Task], Result]],
        loaded: Callable[[Task], Result],
    ) -> Generator[tuple[Task, Result | Death], None, None]:
        """Yield every task with its result, see :class:`~.engine.Engine`."""
        if self.workers == 1:
            for task in tasks:
                yield task, loaded(task)
            return
        second_tries: list[Task] = []
        source = iter(tasks)
        while lost := (yield from _pool(source, load, self.workers)):
            second_tries.extend(lost)
        for task in second_tries:
            yield task, _alone(task, load)


def check_workers(workers: int) -> None:
    """Refuse fewer than one process.

    Raises:
        DataError: ``workers`` is below 1.
    """
    if workers < 1:
        raise DataError(f"workers: found {workers}, allowed: 1 or more")


def _pool(
    source: Iterator[Task], load: Callable[[], Callable[[Task], Result]], workers: int
) -> Generator[tuple[Task, Result], None, list[Task]]:
    """Yield results until the source is empty or a process dies; return the tasks in work at that moment."""
    pending: dict[Future[Result], Task] = {}
    task: Task | None = None
    with _processes(load, workers) as pool:
        try:
            while True:
                while len(pending) < workers + 1 and (task := next(source, None)) is not None:
                    pending[pool.submit(_do, task)] = task
                    task = None
                if not pending:
                    return []
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    yield pending.pop(future), result
        except BrokenProcessPool:  # submit raises it too, before its task is pending
            return [*pending.values(), *([task] if task is not None else [])]


def _alone(task: Task, load: Callable[[], Callable[[Task], Result]]) -> Result | Death:
    with _processes(load, 1) as pool:
        try:
            return pool.submit(_do, task).result()
        except BrokenProcessPool:
            return Death()


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


_tools: Any = None


@contextmanager
def _processes(load: Callable[[], Any], workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that have loaded the tools; where the block is left early, they are ended amid their work."""
    context = _SafeContext()
    with safe_path():  # here the process starts that counts what the others share
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(load, os.getpid()))
    with pool:
        try:
            yield pool
        except BaseException:
            for process in context.started:
                process.kill()
            raise


def _start(load: Callable[[], Any], parent: int) -> None:
    global _tools
    import torch

    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    _tools = load()


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, since a killed parent cannot end it."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _do(task: Any) -> Any:
    return _tools(task)
