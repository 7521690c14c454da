"""Sets of charges that a number of atoms of one element can carry, and their sums with other sets.

A set of charges holds numbers in -bound..bound, as bits of a few words (:mod:`.bitsets`). Adding atoms of an element
to a crystal replaces the set Q of charges its composition can have by the Minkowski sum of Q and C(element, count).
Every C is cut into a few arithmetic progressions; Q is joined with shifted copies of itself until it covers a
progression. The number of shifts is the logarithm of the progression's length, so mixed valence (16 atoms of iron, 80
charges) is cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import gcd

import torch
from torch import Tensor
from torch.nn.functional import pad

from crystalgfn.crystallography.charges import OXIDATION_STATES
from crystalgfn.spaces.bitsets import WORD, pack, shift, shift_each
from crystalgfn.spaces.constraints.limits import NeutralityRule


def charges_of(atomic_number: int, count: int, rule: NeutralityRule) -> frozenset[int]:
    """Total charges that ``count`` atoms of an element can carry; empty if it has no oxidation state.

    ``per_element`` gives every atom the same state, ``per_atom`` each its own, ``none`` ignores charge.
    """
    if rule == "none":
        return frozenset((0,))
    states = OXIDATION_STATES[atomic_number]
    if rule == "per_element":
        return frozenset(state * count for state in states)
    sums = {0}
    for _ in range(count):
        sums = {total + state for total in sums for state in states}
    return frozenset(sums)


def charge_bound(elements: Sequence[int], max_atoms: int, rule: NeutralityRule) -> int:
    """Largest charge that a part of a neutral crystal of at most ``max_atoms`` atoms can carry.

    With p the highest and n the lowest state, x atoms carry at most p x, and the other ``max_atoms - x`` must be able
    to compensate: min(p x, n (max_atoms - x)) is largest at p n max_atoms / (p + n).
    """
    states = [state for z in elements for state in OXIDATION_STATES[z]]
    if rule == "none" or not states:
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


def _steps(elements: Sequence[int], rule: NeutralityRule) -> tuple[int, ...]:
    """Common differences worth using: with mixed valence, those of each element's oxidation states, else none."""
    if rule != "per_atom":
        return ()  # few charges per count: shifting them one by one costs less than joining
    return tuple(sorted({1, *(gcd(*(b - a for a, b in pairwise(OXIDATION_STATES[z]))) or 1 for z in elements)}))


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
        cls, elements: Sequence[int], max_count: int, max_atoms: int, rule: NeutralityRule, *, sign: int = 0
    ) -> ChargeSets:
        """Tables for ``elements`` (atomic numbers), at most ``max_count`` atoms of each and ``max_atoms`` in all.

        With a ``sign`` of 1 or -1, only charges of that sign are kept.
        """
        bound, steps = charge_bound(elements, max_atoms, rule), _steps(elements, rule)
        kinds: dict[tuple[int, ...], int] = {}
        windows: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        kind_of = []
        for z in elements:
            states = (0,) if rule == "none" else tuple(OXIDATION_STATES[z])
            if states not in kinds:
                kinds[states] = len(kinds)
                for count in range(1, max_count + 1):
                    reach = frozenset(x for x in charges_of(z, count, rule) if abs(x) <= 2 * bound and sign * x >= 0)
                    windows[kinds[states], count] = progressions(reach, steps)
            kind_of.append(kinds[states])
        shape = (len(elements), max_count + 1, max(1, *map(len, windows.values())))
        low = torch.zeros(shape, dtype=torch.int64)
        step, terms = torch.ones_like(low), torch.zeros_like(low)
        for d, kind in enumerate(kind_of):
            for count in range(1, max_count + 1):
                for a, (first, last, stride) in enumerate(windows[kind, count]):
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
