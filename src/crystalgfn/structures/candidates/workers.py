"""The tools for the work on crystals by name, and that work in the processes of an engine."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from crystalgfn.errors import PropertyError
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.candidates.candidate import Bench, Candidate, failed
from crystalgfn.structures.candidates.engines.engine import Death, Engine
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.candidates.search import PlacedRequest
from crystalgfn.structures.relaxing.potentials.batcher import Batcher

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
            CrystalGFNError: a potential, hull or library is missing, one potential is to relax and to judge, or the
                hull is one of another potential.
        """
        from crystalgfn.stability.load import load_hull
        from crystalgfn.structures.placing.prototype_files import load_library
        from crystalgfn.structures.relaxing.potentials.registry import load_potential

        check_second(self.potential, self.second)
        hull = load_hull(self.hull, potential=self.potential) if self.hull else None
        potential = second = None
        if self.potential:
            potential = load_potential(self.potential, references=self.references, batcher=batcher)
        if self.second:
            second = load_potential(self.second, references=self.second_references, batcher=batcher)
        return Bench(
            settings,
            potential,
            hull,
            load_library(self.library) if self.library else None,
            second,
            self.second_below,
            hull_of_second(hull, self.potential, self.second),
            time.process_time if batcher is None else time.thread_time,
        )


def hull_of_second(hull: Hull | None, potential: str, second: str) -> Hull | None:
    """Return the hull of a second potential; None where it is the hull of the first, or there is none.

    Args:
        hull: hull of the first potential.
        potential: name of the first potential; empty where it has relaxed already.
        second: name of the second potential; empty for none.

    Raises:
        DataError: the phases of the hull are by the first potential alone.
    """
    own = hull.for_potential(second) if hull is not None and second else None
    return None if own is hull and potential else own


def check_second(potential: str, second: str) -> None:
    """Refuse a second opinion by the potential that relaxes.

    Raises:
        PropertyError: both are the same potential.
    """
    if second and potential == second:
        raise PropertyError(f"second opinion: found {second!r}, which relaxes already, allowed: another potential")


def work(
    tasks: Iterable[Task], tools: Tools, settings: SearchSettings, *, engine: Engine, bench: Bench
) -> Generator[Candidate, None, None]:
    """Yield a candidate for every crystal, in the order in which they are finished.

    Results depend neither on the engine (but for rounding where it computes in batches), nor on the number of its
    processes, nor on the order.

    Args:
        tasks: crystals; a few are in memory at a time, so that there may be any number.
        tools: tools that each process loads.
        settings: settings of the search.
        engine: where the work is done.
        bench: the loaded tools of this process.
    """
    with closing(engine.map(tasks, partial(tools.load, settings), bench)) as results:
        for task, result in results:
            yield failed(task, result.reason) if isinstance(result, Death) else result
