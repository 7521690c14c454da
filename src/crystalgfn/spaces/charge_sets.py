"""Sets of charges that a number of atoms of one element can carry, and their sums with other sets.

A set of charges holds numbers in -bound..bound, as bits of a few words (:mod:`.bitsets`). Adding atoms of an element
to a crystal replaces the set Q of charges its composition can have by the Minkowski sum of Q and C(element, count).
Every C is cut into a few arithmetic progressions; Q is joined with shifted copies of itself until it covers a
progression. The number of shifts is the logarithm of the progression's length, so mixed valence (16 atoms of iron, 80
charges) is cheap.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import floor, gcd
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from crystalgfn.crystallography.charges import Neutrality, Polyanion
from crystalgfn.spaces.bitsets import WORD, pack, shift, shift_each


def charges_of(atomic_number: int, count: int, neutrality: Neutrality) -> frozenset[int]:
    """Total charges that ``count`` atoms of an element can carry by their states; empty if it has none."""
    if not neutrality.asked:
        return frozenset((0,))
    states = neutrality.states(atomic_number)
    if not neutrality.mixed:
        return frozenset(state * count for state in states)
    sums = {0}
    for _ in range(count):
        sums = {total + state for total in sums for state in states}
    return frozenset(sums)


def charge_bound(elements: Sequence[int], max_atoms: int, neutrality: Neutrality) -> int:
    """Largest charge that a part of a neutral crystal of at most ``max_atoms`` atoms can carry.

    With p the highest and n the lowest state, x atoms carry at most p x, and the other ``max_atoms - x`` must be able
    to compensate: min(p x, n (max_atoms - x)) is largest at p n max_atoms / (p + n).
    """
    states = [state for z in elements for state in neutrality.states(z)]
    for salt in neutrality.polyanions:
        states += [floor(salt.state), *dict(salt.cations).values()]
    if not neutrality.asked or not states:
        return 0
    highest, lowest = max(0, max(states)), max(0, -min(states))
    return (highest * lowest * max_atoms) // max(1, highest + lowest)


def progressions(values: frozenset[int], steps: Sequence[int]) -> list[tuple[int, int, int]]:
    """Cut a set of integers into arithmetic progressions ``(first, last, step)``, longest first.

    Args:
        values: the integers.
        steps: common differences that may be used, 1 among them; empty for one progression per value.
    """
    if not steps:
        return [(value, value, 1) for value in sorted(values)]
    left, pieces = set(values), []
    while left:
        runs = []
        for step in steps:
            for first in left:
                if first - step not in left:
                    last = first
                    while last + step in left:
                        last += step
                    runs.append(((last - first) // step, -step, first, last, step))
        _, _, first, last, step = max(runs)
        pieces.append((first, last, step))
        left -= set(range(first, last + 1, step))
    return pieces


def _steps(elements: Sequence[int], neutrality: Neutrality) -> tuple[int, ...]:
    """Common differences worth using: with mixed valence, those of each element's oxidation states, else none."""
    if not neutrality.mixed:
        return ()  # few charges per count: shifting them one by one costs less than joining
    return tuple(sorted({1, *(gcd(*(b - a for a, b in pairwise(neutrality.states(z)))) or 1 for z in elements)}))


@dataclass(frozen=True)
class ChargeSets:
    """C(element, count) for all elements of a space, each as windows of an arithmetic progression.

    Attributes:
        bound: charges run over -bound..bound; n = 2 bound + 1.
        low, step, terms: ``(D, K + 1, A)`` int64: the windows low, low + step, ..., each with its number of
            terms, 0 for an unused window.
        longest: largest number of terms of a window.
        charged: ``(W,)`` packed, the bits of all charges. Sets may hold bits beyond, which sums leave as they are.
        kind: ``(D,)`` int64; elements of one kind have the same oxidation states.
    """

    bound: int
    longest: int
    low: Tensor
    step: Tensor
    terms: Tensor
    charged: Tensor
    kind: Tensor

    @classmethod
    def build(
        cls, elements: Sequence[int], max_count: int, max_atoms: int, neutrality: Neutrality, *, sign: int = 0
    ) -> ChargeSets:
        """Tables for ``elements`` (atomic numbers), at most ``max_count`` atoms of each and ``max_atoms`` in all.

        With a ``sign`` of 1 or -1, only charges of that sign are kept.
        """
        bound, steps = charge_bound(elements, max_atoms, neutrality), _steps(elements, neutrality)
        kinds = [neutrality.states(z) if neutrality.asked else (0,) for z in elements]
        carried = {
            kind: [frozenset(x for x in charges_of(z, k, neutrality) if sign * x >= 0) for k in range(1, max_count + 1)]
            for z, kind in dict(zip(elements, kinds, strict=True)).items()
        }
        return cls._of(kinds, carried, bound, steps)

    @classmethod
    def of_salts(
        cls, elements: Sequence[int], max_count: int, max_atoms: int, neutrality: Neutrality, polyanion: Polyanion
    ) -> ChargeSets:
        """Tables for the salts of a polyanion, in which other elements than its own and its cations have no charge."""
        charges = {z: tuple(polyanion.charge_of(z, k) for k in range(1, max_count + 1)) for z in elements}
        carried = {kind: [frozenset() if x is None else frozenset((x,)) for x in kind] for kind in charges.values()}
        return cls._of([charges[z] for z in elements], carried, charge_bound(elements, max_atoms, neutrality), ())

    @classmethod
    def _of(
        cls,
        kinds: Sequence[Hashable],
        carried: Mapping[Any, Sequence[frozenset[int]]],
        bound: int,
        steps: Sequence[int],
    ) -> ChargeSets:
        """Tables from the kind of each element, and what 1, 2, ... atoms of a kind carry."""
        distinct = list(dict.fromkeys(kinds))
        kind_of = [distinct.index(kind) for kind in kinds]
        windows: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        for number, kind in enumerate(distinct):
            for count, charges in enumerate(carried[kind], start=1):
                windows[number, count] = progressions(frozenset(x for x in charges if abs(x) <= 2 * bound), steps)
        max_count = len(carried[distinct[0]]) if distinct else 0
        shape = (len(kinds), max_count + 1, max(1, *map(len, windows.values())))
        low = torch.zeros(shape, dtype=torch.int64)
        step, terms = torch.ones_like(low), torch.zeros_like(low)
        for d, number in enumerate(kind_of):
            for count in range(1, max_count + 1):
                for a, (first, last, stride) in enumerate(windows[number, count]):
                    low[d, count, a], step[d, count, a] = first, stride
                    terms[d, count, a] = (last - first) // stride + 1
        charged = pack(torch.arange(2 * bound + 2) <= 2 * bound)
        return cls(bound, int(terms.max()), low, step, terms, charged, torch.tensor(kind_of))

    def add(self, sets: Tensor, element: Tensor, count: Tensor) -> Tensor:
        """Minkowski sum of charge sets with C(element, count).

        Args:
            sets: ``(B, W)`` packed.
            element: ``(B,)`` int64, column of the element.
            count: ``(B,)`` int64, atoms.

        Returns:
            ``(B, W)`` packed; charges beyond the bound are dropped, since they cannot become neutral.
        """
        n_words = sets.shape[1]
        low, terms = self.low[element, count], self.terms[element, count]
        window = (sets & self.charged).unsqueeze(1) * (terms > 0).unsqueeze(2)
        if self.longest > 1:
            step = self.step[element, count]
            # words above, for charges that move up first and then down
            window = pad(window, (0, -(-4 * self.bound // WORD)))
            covered = torch.ones_like(terms)
            for _ in range((self.longest - 1).bit_length()):
                more = torch.minimum(covered, terms - covered).clamp(min=0)
                window = window | shift_each(window, more * step)
                covered = covered + more
        moved = shift_each(window, low)[..., :n_words].unbind(1)
        return (reduce(torch.bitwise_or, moved) & self.charged) | (sets & ~self.charged)

    def can_reach(self, targets: Tensor, element: int, count: int) -> Tensor:
        """Charges q with q + x in the target for some x in C(element, count).

        Args:
            targets: ``(U, W)`` packed sets (:mod:`.bitsets`).

        Returns:
            ``(U, W)`` packed sets; bits above n - 1 are not meaningful.
        """
        charges = torch.zeros_like(targets)
        for low, stride, terms in zip(
            self.low[element, count].tolist(),
            self.step[element, count].tolist(),
            self.terms[element, count].tolist(),
            strict=True,
        ):
            if terms < 1:
                continue
            spare = -(-max(0, -low) // WORD)  # words above, for charges that move up first and then down
            window, covered = shift(pad(targets, (0, spare)), -low), 1
            while covered < terms:  # a window of c terms, joined with a shifted copy, has up to 2 c
                more = min(covered, terms - covered)
                window = window | shift(window, -more * stride)
                covered += more
            charges |= window[:, : targets.shape[1]]
        return charges
