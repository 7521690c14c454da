"""The tables behind the masks of site patterns: what a slot can still take, and whether a crystal can go on after it.

:mod:`.site_patterns` says what they are and how they are used. Every table has one more index than there, for what the
orbits cost in a bounded :class:`Budget`; without bounds there is one amount, nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF

Counts = tuple[int, ...]
"""Atoms per primitive cell of each slot, falling."""

Letters = tuple[tuple[int, bool, int], ...]
"""Multiplicity in the primitive cell, whether there is a free coordinate, and the price of each letter of a group."""

Flags = NDArray[np.bool_]


class Budget:
    """Bounds on the orbits of a pattern and on their free coordinates.

    An amount is a pair (orbits, free coordinates), 0 where there is no bound; amounts within the bounds are numbered,
    nothing first and the whole budget last, and one number more stands for an amount that is out of bounds.

    Args:
        orbits, free: most of each, or None.

    Attributes:
        size: number of amounts within the bounds, A; also the number of those out of bounds.
        plus, minus: ``(A + 1, A + 1)`` int64, sum and difference of two amounts.
    """

    def __init__(self, orbits: int | None = None, free: int | None = None) -> None:
        self.orbits, self.free = orbits, free
        each = list(product(range((orbits or 0) + 1), range((free or 0) + 1)))
        self._number = {amount: i for i, amount in enumerate(each)}
        self.size = len(each)
        self.plus = np.full((self.size + 1, self.size + 1), self.size)
        self.minus = self.plus.copy()
        for (i, a), (j, b) in product(enumerate(each), repeat=2):
            self.plus[i, j] = self._number.get((a[0] + b[0], a[1] + b[1]), self.size)
            self.minus[i, j] = self._number.get((a[0] - b[0], a[1] - b[1]), self.size)

    def price(self, degrees_of_freedom: int) -> int:
        """Number of the amount that an orbit with so many free coordinates costs."""
        amount = (int(self.orbits is not None), degrees_of_freedom if self.free is not None else 0)
        return self._number.get(amount, self.size)


def letters_of(space_group: int, budget: Budget) -> Letters:
    """Multiplicity in the primitive cell, freedom and price of each letter of a group (1-230)."""
    cells = int(CENTERING_MULTIPLICITY[space_group])
    return tuple(
        (p.multiplicity // cells, p.degrees_of_freedom > 0, budget.price(p.degrees_of_freedom))
        for p in WYCKOFF[space_group]
    )


class CountTree:
    """All beginnings of falling sequences of counts, numbered; 0 is the empty one.

    Args:
        sequences: counts of complete crystals.

    Attributes:
        child: ``(N, K + 1)`` int64, node after one more slot of n atoms; -1 where no sequence goes on so.
        depth: ``(N,)`` int64, slots so far.
        node: number of each beginning.
    """

    def __init__(self, sequences: Iterable[Counts]) -> None:
        self.node: dict[Counts, int] = {(): 0}
        for counts in sequences:
            for size in range(1, len(counts) + 1):
                self.node.setdefault(counts[:size], len(self.node))
        most = max((counts[0] for counts in self.node if counts), default=0)
        self.child = np.full((len(self.node), most + 1), -1)
        self.depth = np.zeros(len(self.node), dtype=np.int64)
        for counts, number in self.node.items():
            self.depth[number] = len(counts)
            if counts:
                self.child[self.node[counts[:-1]], counts[-1]] = number


class Usages:
    """How many positions without free coordinates are taken, by multiplicity.

    Args:
        letters: of a group.

    Attributes:
        each: the U usages, the empty one first.
        of_mask: ``(2^f,)`` int64, usage of each set of the f positions without free coordinates, as bits.
        bit: bit of each letter, -1 for letters with free coordinates.
    """

    def __init__(self, letters: Letters) -> None:
        fixed = [m for m, free, _ in letters if not free]
        self.multiplicities = sorted(set(fixed))
        numbers = [fixed.count(m) for m in self.multiplicities]
        self.each = list(product(*(range(n + 1) for n in numbers)))
        index = {usage: i for i, usage in enumerate(self.each)}
        bits = iter(range(len(fixed)))
        self.bit = [-1 if free else next(bits) for _, free, _ in letters]
        self.of_mask = np.zeros(1 << len(fixed), dtype=np.int64)
        for mask in range(len(self.of_mask)):
            taken = [m for i, m in enumerate(fixed) if mask >> i & 1]
            self.of_mask[mask] = index[tuple(taken.count(m) for m in self.multiplicities)]

    def steps(self, multiplicity: int) -> Flags:
        """``(U, U)`` whether one more position of a multiplicity leads from one usage to another."""
        place = self.multiplicities.index(multiplicity)
        moved = [tuple(n + (i == place) for i, n in enumerate(usage)) for usage in self.each]
        return np.array([[after == usage for usage in self.each] for after in moved], dtype=bool)


def fillings(letters: Letters, usages: Usages, budget: Budget, most: int) -> Flags:
    """``(K + 1, A, U, U)`` whether a whole slot of n atoms and some cost can lead from one usage to another.

    A slot is not empty.
    """
    size = len(usages.each)
    reach = np.zeros((most + 1, budget.size, size, size), dtype=bool)
    reach[0, 0] = np.eye(size, dtype=bool)
    for multiplicity in usages.multiplicities:
        step, after = usages.steps(multiplicity), reach.copy()
        taken, cost = np.eye(size, dtype=bool), 0
        for number in range(1, most // multiplicity + 1):
            taken, cost = taken @ step, budget.plus[cost, budget.price(0)]
            if cost == budget.size or not taken.any():
                break
            shift = number * multiplicity
            for before, together in _affordable(budget, cost):
                after[shift:, together] |= reach[: most + 1 - shift, before] @ taken
        reach = after
    for multiplicity, price in {(m, price) for m, free, price in letters if free}:
        for n in range(multiplicity, most + 1):
            for before, together in _affordable(budget, price):
                reach[n, together] |= reach[n - multiplicity, before]
    reach[0] = False
    return reach


def extensions(letters: Letters, usages: Usages, budget: Budget, most: int) -> NDArray[np.int32]:
    """``(A, L + 1, 2^f, K + 1)`` E[p, M]: at each cost and number of further atoms, the usages reached, as bits."""
    masks = len(usages.of_mask)
    table = np.zeros((budget.size, len(letters) + 1, masks, most + 1), dtype=np.int32)
    table[0, :, np.arange(masks), 0] = (1 << usages.of_mask)[:, None]
    for p in reversed(range(len(letters))):
        multiplicity, free, price = letters[p]
        table[:, p] = table[:, p + 1]
        if free:
            for n in range(multiplicity, most + 1):
                for before, together in _affordable(budget, price):
                    table[together, p, :, n] |= table[before, p, :, n - multiplicity]
        elif multiplicity <= most:
            bit = 1 << usages.bit[p]
            open_ = np.array([mask for mask in range(masks) if not mask & bit], dtype=np.int64)
            for before, together in _affordable(budget, price):
                longer = table[before, p + 1, open_ | bit, : most + 1 - multiplicity]
                table[together, p, open_, multiplicity:] |= longer
    return table


def continuations(tree: CountTree, complete: Flags, filling: Flags, budget: Budget) -> Flags:
    """``(N, U, A)`` whether a crystal can be completed after the slots of a node, from a usage, with an amount left.

    Args:
        tree: beginnings of sequences of counts.
        complete: ``(N,)`` whether a crystal may end at a node.
        filling: as :func:`fillings` gives them.
        budget: bounds on what the orbits cost.
    """
    possible = np.zeros((len(complete), filling.shape[2], budget.size), dtype=bool)
    possible[complete] = True
    costs = [np.flatnonzero(each.any((1, 2))) for each in filling]  # of whole slots of n atoms
    for depth in range(int(tree.depth.max()) - 1, -1, -1):
        nodes = np.flatnonzero(tree.depth == depth)
        for n in range(1, tree.child.shape[1]):
            child = tree.child[nodes, n]
            parents, child = nodes[child >= 0], child[child >= 0]
            if not len(child):
                continue
            after = possible[parents]
            for cost in costs[n]:
                left = np.flatnonzero(budget.minus[:-1, cost] < budget.size)
                rest = possible[child][:, :, budget.minus[left, cost]]
                after[:, :, left] |= filling[n, cost] @ rest
            possible[parents] = after
    return possible


def _affordable(budget: Budget, price: int) -> list[tuple[int, int]]:
    """Amounts that leave room for a price, each with the sum."""
    sums = budget.plus[: budget.size, price]
    return [(before, together) for before, together in enumerate(sums.tolist()) if together < budget.size]
