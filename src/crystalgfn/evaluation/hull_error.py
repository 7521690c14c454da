"""How far the phases that a hull lacks may lie below it, measured by leaving out phases that it holds.

A hull lacks phases, so the true hull lies lower, by the *drop* d >= 0, and a candidate at e eV/atom above the known
hull is e + d above the true one. The hull tells how large d tends to be: leave out what is known at a composition, and
see how far the hull rises there. What is left out is as much as the hull lacks at the candidate:

- its system has other phases: the phases of that one composition;
- its system has no phase of its own: all phases of the system.

A hull with an estimate (:class:`~crystalgfn.stability.estimated.EstimatedHull`) says itself where the true one may lie:
lower or higher by the error of the estimate, and not above the phases.

Drops are taken at compositions with as many elements as the candidate. At a composition that the hull holds, d = 0. All
of these compositions have a phase, which a composition drawn at random need not have: the drops are rather too large,
so that stability is understated.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from crystalgfn.stability.estimated import EstimatedHull
from crystalgfn.stability.hull import Hull

SAMPLE = 200
"""Most compositions that are left out for one kind of candidate; 200 take about half a second."""

FEWEST = 20
"""Fewest compositions with as many elements as a candidate; where there are less, those with any number count."""

NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / 40) for i in range(40)])
"""Errors of an estimate in units of its deviation, equally probable."""

Kind = tuple[int, bool]
"""Number of elements, and whether the hull holds a phase of the full chemical system."""


class HullError:
    """Drops of a hull, measured for each kind of candidate when they are first asked for.

    Args:
        hull: the hull.
        seed: seed of the draw of compositions that are left out.
    """

    def __init__(self, hull: Hull, *, seed: int = 0) -> None:
        self._hull, self._seed = hull, seed
        self._measured: dict[Kind, NDArray[np.float64]] = {}

    def drops(self, counts: Mapping[str, float]) -> NDArray[np.float64]:
        """Return how far (K,) the true hull may lie below this one at a composition, eV/atom.

        One zero where the hull holds the composition; empty where it holds no compound that could be left out.
        Negative where an estimate may be too low.

        Args:
            counts: atoms (or fractions) by element symbol.

        Raises:
            DataError: an unknown element, or a count that is not a positive finite number.
        """
        if isinstance(self._hull, EstimatedHull):
            return self._hull.energy_above_hull(counts, 0.0).hull - self._hull.draws(counts, NORMAL)
        if self._hull.energies_at(counts):
            return np.zeros(1)
        return self.drops_of_kind(sum(n > 0 for n in counts.values()), covered=self._hull.covers(counts))

    def drops_of_kind(self, n_elements: int, *, covered: bool) -> NDArray[np.float64]:
        """Return the drops (K,) for compositions that the hull lacks, eV/atom.

        Args:
            n_elements: number of elements.
            covered: whether the hull holds phases of the full chemical system.
        """
        kind = n_elements, covered
        if kind not in self._measured:
            self._measured[kind] = self._measure(n_elements, covered=covered)
        return self._measured[kind]

    @property
    def measured(self) -> NDArray[np.float64]:
        """All drops (K,) that were measured so far, eV/atom."""
        return np.concatenate([np.zeros(0), *self._measured.values()])

    def _measure(self, n_elements: int, *, covered: bool) -> NDArray[np.float64]:
        compounds = [counts for counts in self._hull.compositions() if len(counts) > 1]
        in_system = Counter(frozenset(counts) for counts in compounds)
        by_size: dict[int, list[Mapping[str, float]]] = defaultdict(list)
        for counts in compounds:
            if not covered or in_system[frozenset(counts)] > 1:  # something of the system is left
                by_size[len(counts)].append(counts)
        alike = by_size[n_elements]
        if len(alike) < FEWEST:
            alike = [counts for own in by_size.values() for counts in own]
        drawn = np.random.default_rng(self._seed).permutation(len(alike))[:SAMPLE]
        return np.array([self._drop(alike[i], whole_system=not covered) for i in drawn])

    def _drop(self, counts: Mapping[str, float], *, whole_system: bool) -> float:
        known = self._hull.energy_above_hull(counts, 0.0).hull
        return max(0.0, self._hull.energy_without(counts, system=whole_system) - known)
