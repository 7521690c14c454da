"""Many crystals in work at once, each in a thread of its own; what they ask of a potential is computed together.

Screening, pre-scans and relaxations are written for one crystal, and so they stay. A thread that needs energies or
forces waits until every other thread needs some or has ended; then one call on the device answers all. Threads never
run while the device computes, nor while results are handed out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials.halving import Compute, Halving

if TYPE_CHECKING:
    from pymatgen.core import Structure

T = TypeVar("T")
R = TypeVar("R")

SIZE = 128
"""Crystals in work at once: about a thousand atoms in a call, as crystals of ten atoms are common."""


class _Left(BaseException):
    """Ends a thread whose result nobody waits for; no ``except Exception`` stops it."""


@dataclass(eq=False)
class _Request:
    job: int
    compute: Compute
    structures: Sequence[Structure]
    ready: threading.Event = field(default_factory=threading.Event)
    results: list[Any] | None = None


class Batcher:
    """Runs a function for many items at once, and computes together what these calls ask for.

    Args:
        device: device on which potentials compute, ``"cuda"`` or ``"cpu"``.
        size: items in work at once.
        halving: how many structures one call on the device takes.
    """

    def __init__(self, device: str, size: int = SIZE, halving: Halving | None = None) -> None:
        self.device, self.size = device, size
        self._halving = halving or Halving()
        self._inside = threading.local()
        self._change = threading.Condition()
        self._running = 0
        self._requests: list[_Request] = []
        self._ended: list[int] = []
        self._left = False

    def ask(self, compute: Compute, structures: Sequence[Structure]) -> list[Any]:
        """Return what ``compute`` gives for each of B structures, or the exception by which a structure fails alone.

        In a call by :meth:`map`, requests for the same function are answered together.

        Raises:
            PropertyError: the device has no memory at all.
        """
        job = getattr(self._inside, "job", None)
        if job is None:
            return self._halving(compute, structures)
        request = _Request(job, compute, structures)
        with self._change:
            if self._left:
                raise _Left
            self._requests.append(request)
            self._rests()
        request.ready.wait()
        if request.results is None:
            raise _Left
        return request.results

    def ordered(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return ``function(item)`` for every item, all at once; within a call by :meth:`map` one after the other."""
        if hasattr(self._inside, "job"):
            return [function(item) for item in items]
        found = dict(self.map(lambda i: (i, function(items[i])), range(len(items))))
        return [found[i] for i in range(len(items))]

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
        """Yield ``function(item)`` for every item, in the order in which they are finished.

        Whatever ``function`` raises ends the work on all. One call at a time.

        Args:
            function: called in threads; it may use :meth:`ask`.
            items: items; as many as are in work are in memory.
        """
        source = enumerate(items)
        futures: dict[int, Future[R]] = {}
        self._running, self._left = 0, False
        self._requests, self._ended = [], []
        with ThreadPoolExecutor(self.size) as pool:
            try:
                while True:
                    with self._hidden(pool):
                        for job, item in islice(source, self.size - len(futures)):
                            with self._change:
                                self._running += 1
                            futures[job] = pool.submit(self._work, function, job, item)
                        ended = self._until_one_ends()
                    for job in ended:
                        yield futures.pop(job).result()
                    if not ended:
                        return
            finally:
                self._leave()

    @contextmanager
    def _hidden(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        """Hide what is printed for as long as any thread runs, as blocks that hide it belong to one thread."""
        with quiet():
            try:
                yield
            except BaseException:
                self._leave()
                pool.shutdown()
                raise

    def _until_one_ends(self) -> list[int]:
        """Answer the threads until some of them have ended, whose places others can take; return these, or none."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._running == 0)
                ended, self._ended = sorted(self._ended), []
            if ended or not self._requests:
                return ended
            self._answer()

    def _work(self, function: Callable[[T], R], job: int, item: T) -> R:
        self._inside.job = job
        try:
            return function(item)
        finally:
            with self._change:
                self._ended.append(job)
                self._rests()

    def _rests(self) -> None:
        """Note that a thread has ended or waits for an answer; to be called with the lock."""
        self._running -= 1
        if self._running == 0:
            self._change.notify()

    def _answer(self) -> None:
        requests = sorted(self._requests, key=lambda request: request.job)
        for compute in dict.fromkeys(request.compute for request in requests):
            alike = [request for request in requests if request.compute == compute]
            found = iter(self._halving(compute, [s for request in alike for s in request.structures]))
            for request in alike:
                request.results = list(islice(found, len(request.structures)))
        self._requests, self._running = [], len(requests)  # before any goes on
        for request in requests:
            request.ready.set()

    def _leave(self) -> None:
        with self._change:
            self._left = True
            for request in self._requests:
                request.ready.set()
