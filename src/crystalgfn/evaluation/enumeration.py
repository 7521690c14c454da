"""Exact sums of exp(sum of h(element, count)) over every composition that satisfies constraints.

This module does not use the sampling masks: compositions are enumerated and checked directly, so that a wrong mask
shows as a wrong sum. Two observations keep the sum cheap. Whether a composition is neutral does not depend on the space
group, and whether it fits a space group does not depend on which element has which count. So compositions are summed by
their *pattern*, the counts in falling order (1,291 patterns up to 4 elements and 24 atoms), and patterns are checked
against groups. The first and the second half of a set of elements are enumerated separately; a pair of halves is
neutral iff a charge of the first is minus a charge of the second, which for all pairs is one matrix product.

12 elements, 2 to 4 at a time, 24 atoms and 230 groups (4.5 million compositions before the groups are looked at) take
20 s on one core, nearly all of it for the direct search of Wyckoff positions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF, is_compatible
from crystalgfn.spaces.constraints.limits import CompositionLimits

Pattern = tuple[int, ...]


@dataclass(frozen=True)
class Half:
    """All choices of counts for half of a composition's elements.

    Attributes:
        counts: ``(N, t)`` int64, atoms of each element per primitive cell.
        weight: ``(N,)`` exp(sum of h).
        charges: ``(N, 2 R + 1)`` float32, 1 for the charges -R..R that these atoms can carry by their states, and the
            same as a part of a salt of each polyanion.
    """

    counts: np.ndarray
    weight: np.ndarray
    charges: tuple[np.ndarray, ...]


class CompositionSums:
    """Sums over compositions, by set of elements and pattern of counts.

    Args:
        elements: atomic numbers in the order of the rows of ``log_h``.
        space_groups: international numbers of the groups whose compositions are summed.
        limits: limits on the composition; ledgers are ignored.
        log_h: ``(D, K)`` h(element, count); column k - 1 holds k atoms per primitive cell.

    Attributes:
        patterns: counts per primitive cell in falling order.
        subsets: sets of columns of elements that may occur together.
        sums: ``(S, M)`` float64, sum over the compositions of a subset with a pattern.
        fits: ``(231, M)`` bool, whether a pattern fits a space group and its limits.
    """

    def __init__(
        self,
        elements: Sequence[int],
        space_groups: Sequence[int],
        limits: CompositionLimits,
        log_h: np.ndarray,
    ) -> None:
        self.elements, self.limits = tuple(elements), limits
        self._weights = np.exp(log_h)
        cells = {int(CENTERING_MULTIPLICITY[g]) for g in space_groups}
        self.max_atoms = max(min(limits.n_conventional[1] // n, limits.n_primitive[1]) for n in cells)
        self.max_count = min(self.max_atoms, log_h.shape[1], max(limits.n_of_one[1] // n for n in cells))
        states = [2, *(state for z in elements for state in limits.neutrality.states(z))]  # 2: cations of peroxides
        self._reach = self.max_atoms * max(map(abs, states))
        self._halves: dict[tuple[int, ...], Half] = {}
        least, most = max(1, limits.n_distinct[0]), limits.n_distinct[1]
        self.patterns = [p for t in range(least, most + 1) for p in _patterns(t, self.max_count, self.max_atoms)]
        self._number = {pattern: i for i, pattern in enumerate(self.patterns)}
        self.subsets = [
            s for t in range(least, most + 1) for s in combinations(range(len(elements)), t) if self._may(s)
        ]
        self._numbers: dict[tuple[int, int], np.ndarray] = {}
        self._places: dict[tuple[int, int], list[np.ndarray]] = {}
        self.sums = np.zeros((len(self.subsets), len(self.patterns)))
        for row, subset in enumerate(self.subsets):
            table, number = self.table(subset)
            inside = number >= 0
            self.sums[row] = np.bincount(number[inside], table[inside], minlength=len(self.patterns))
        self.fits = self._fits(space_groups)

    def _may(self, subset: tuple[int, ...]) -> bool:
        present = {self.elements[d] for d in subset}
        return set(self.limits.present) <= present <= self.limits.usable

    def table(self, subset: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of the compositions of some elements, 0 if charged, and their patterns, -1 if too large.

        Args:
            subset: columns of the elements.

        Returns:
            two arrays ``(N1, N2)``: rows are the counts of the first half of the elements (:meth:`halves`), columns the
            counts of the second half.
        """
        first, second = self.halves(subset)
        table = first.weight[:, None] * second.weight
        if self.limits.neutrality.asked and len(subset) > 1:
            pairs = zip(first.charges, second.charges, strict=True)
            table *= sum(own @ other[:, ::-1].T for own, other in pairs) > 0.5
        return table, self._pattern_numbers(first, second)

    def _pattern_numbers(self, first: Half, second: Half) -> np.ndarray:
        key = first.counts.shape[1], second.counts.shape[1]
        if key not in self._numbers:
            pairs = product(first.counts.tolist(), second.counts.tolist())
            numbers = [self._number.get(tuple(sorted((*a, *b), reverse=True)), -1) for a, b in pairs]
            self._numbers[key] = np.array(numbers).reshape(len(first.counts), len(second.counts))
        return self._numbers[key]

    def cells(self, subset: tuple[int, ...], pattern: int) -> np.ndarray:
        """Return the flat positions, in the table of some elements, of the compositions with a pattern."""
        first, second = self.halves(subset)
        key = first.counts.shape[1], second.counts.shape[1]
        if key not in self._places:
            numbers = self._pattern_numbers(first, second).ravel()
            order = np.argsort(numbers, kind="stable")
            self._places[key] = np.split(order, np.searchsorted(numbers[order], np.arange(len(self.patterns))))[1:]
        return self._places[key][pattern]

    def halves(self, subset: tuple[int, ...]) -> tuple[Half, Half]:
        """Return the two halves of a composition's elements."""
        cut = len(subset) // 2
        return self._half(subset[:cut]), self._half(subset[cut:])

    def _half(self, part: tuple[int, ...]) -> Half:
        if part not in self._halves:
            counts = [c for c in product(range(1, self.max_count + 1), repeat=len(part)) if sum(c) <= self.max_atoms]
            array = np.array(counts, dtype=np.int64).reshape(len(counts), len(part))
            weight = np.ones(len(counts))
            for column, d in enumerate(part):
                weight *= self._weights[d, array[:, column] - 1]
            self._halves[part] = Half(array, weight, self._charges(part, counts))
        return self._halves[part]

    def _charges(self, part: tuple[int, ...], counts: list[tuple[int, ...]]) -> tuple[np.ndarray, ...]:
        """Return the charges of each choice of counts, by sums of sets; see :class:`Half`."""
        neutrality = self.limits.neutrality
        if not neutrality.asked:
            return (np.zeros((len(counts), 1), dtype=np.float32),)
        atoms = [(d, k) for d in part for k in range(1, self.max_count + 1)]
        ways = [{(d, k): _charges_of(neutrality.states(self.elements[d]), k, neutrality.mixed) for d, k in atoms}]
        for polyanion in neutrality.polyanions:
            charge = {(d, k): polyanion.charge_of(self.elements[d], k) for d, k in atoms}
            ways.append({key: set() if x is None else {x} for key, x in charge.items()})
        return tuple(self._sums(part, counts, single) for single in ways)

    def _sums(
        self, part: tuple[int, ...], counts: list[tuple[int, ...]], single: dict[tuple[int, int], set[int]]
    ) -> np.ndarray:
        charges: dict[Pattern, set[int]] = {(): {0}}
        rows = np.zeros((len(counts), 2 * self._reach + 1), dtype=np.float32)
        for row, choice in enumerate(counts):
            for t in range(1, len(part) + 1):
                if choice[:t] not in charges:
                    own = single[part[t - 1], choice[t - 1]]
                    charges[choice[:t]] = {a + b for a in charges[choice[: t - 1]] for b in own}
            rows[row, [q + self._reach for q in charges[choice]]] = 1
        return rows

    def _fits(self, space_groups: Sequence[int]) -> np.ndarray:
        """Return which patterns fit each space group; groups with the same multiplicities are checked once."""
        fits = np.zeros((231, len(self.patterns)), dtype=bool)
        fits_by_key: dict[object, np.ndarray] = {}
        for group in space_groups:
            cells = int(CENTERING_MULTIPLICITY[group])
            if self.limits.fits_sites:
                small = [p for p in WYCKOFF[group] if p.multiplicity <= self.max_count * cells]
                free = frozenset(p.multiplicity for p in small if p.degrees_of_freedom)
                fixed = Counter(p.multiplicity for p in small if not p.degrees_of_freedom)
                key: object = (cells, free, frozenset(fixed.items()))
            else:
                key = cells
            if key not in fits_by_key:
                verdicts: dict[Pattern, bool] = {(): True}
                fits_by_key[key] = np.array([self._fit(group, cells, pattern, verdicts) for pattern in self.patterns])
            fits[group] = fits_by_key[key]
        return fits

    def _fit(self, group: int, cells: int, pattern: Pattern, verdicts: dict[Pattern, bool]) -> bool:
        limits, counts = self.limits, [n * cells for n in pattern]
        low, high = limits.n_of_one
        if not (
            limits.n_conventional[0] <= sum(counts) <= limits.n_conventional[1]
            and limits.n_primitive[0] <= sum(pattern) <= limits.n_primitive[1]
            and low <= min(counts)
            and max(counts) <= high
        ):
            return False
        return not limits.fits_sites or self._holds(group, cells, pattern, verdicts)

    def _holds(self, group: int, cells: int, pattern: Pattern, verdicts: dict[Pattern, bool]) -> bool:
        """Return whether positions can hold a pattern; if they cannot, they cannot hold one more element either."""
        if pattern not in verdicts:
            verdicts[pattern] = self._holds(group, cells, pattern[:-1], verdicts) and is_compatible(
                group, [n * cells for n in pattern]
            )
        return verdicts[pattern]


def _patterns(parts: int, largest: int, total: int) -> Iterator[Pattern]:
    """Yield counts in falling order, each 1..largest, with a sum of at most ``total``."""
    if parts == 0:
        yield ()
        return
    for first in range(1, min(largest, total - parts + 1) + 1):
        for rest in _patterns(parts - 1, first, total - first):
            yield (first, *rest)


def _charges_of(states: Sequence[int], count: int, mixed: bool) -> set[int]:
    if not mixed:
        return {count * state for state in states}
    sums = {0}
    for _ in range(count):
        sums = {q + state for q in sums for state in states}
    return sums
