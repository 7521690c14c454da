"""The tables behind the masks of site patterns: what a slot can still take, and whether a crystal can go on after it.

:mod:`.site_patterns` says what they are and how they are used. Every table has one more index than there, for what the
orbits cost in a bounded :class:`Budget`; without bounds there is one amount, nothing. Where the sites of elements have
rules, a slot has a role besides (:mod:`.reservations`), and takes only letters that can hold what it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.spaces.element_sites import ElementSites, roles_of_letters
from crystalgfn.spaces.reservations import SlotCounts


class Letter(NamedTuple):
    """What counts about a letter of a group.

    Attributes:
        multiplicity: in the primitive cell.
        free: whether there is a free coordinate.
        price: number of the amount that an orbit costs.
        roles: which roles a slot with this letter may have.
    """

    multiplicity: int
    free: bool
    price: int
    roles: tuple[bool, ...]


Letters = tuple[Letter, ...]

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


def letters_of(space_group: int, budget: Budget, rules: Sequence[ElementSites] = ()) -> Letters:
    """The letters of a group (1-230), in order."""
    cells = int(CENTERING_MULTIPLICITY[space_group])
    return tuple(
        Letter(p.multiplicity // cells, p.degrees_of_freedom > 0, budget.price(p.degrees_of_freedom), roles)
        for p, roles in zip(WYCKOFF[space_group], roles_of_letters(rules, space_group), strict=True)
    )


class SlotTree:
    """The slots of all partial crystals, numbered; 0 is no slot. Slots come by falling number of atoms.

    Args:
        sequences: slots of complete crystals, all with the same number K of elements with rules.

    Attributes:
        child: ``(N + 1, K + 1, most + 1)`` int64, node after one more slot of a role and of n atoms; -1 where no
            crystal goes on so. The last row is that of no node at all.
        depth: ``(N,)`` int64, slots so far.
        node: number of each.
    """

    def __init__(self, sequences: Iterable[SlotCounts]) -> None:
        reached = dict.fromkeys(sequences)
        frontier, steps = list(reached), list[tuple[SlotCounts, int, int, SlotCounts]]()
        while frontier:
            slots = frontier.pop()
            least = min(slots.each, default=0)
            for role, count in slots.kinds():
                if count == least:  # equal slots may come in any order
                    before = slots.without(role, count)
                    steps.append((before, role, count, slots))
                    if before not in reached:
                        reached[before] = None
                        frontier.append(before)
        each = sorted(reached, key=lambda slots: (len(slots.each), slots))
        self.node = {slots: number for number, slots in enumerate(each)}
        roles = 1 + max((len(slots.reserved) for slots in each), default=0)
        most = max((count for _, _, count, _ in steps), default=0)
        self.child = np.full((len(each) + 1, roles, most + 1), -1)
        for before, role, count, after in steps:
            self.child[self.node[before], role, count] = self.node[after]
        self.depth = np.array([len(slots.each) for slots in each], dtype=np.int64)


class Usages:
    """How many positions without free coordinates are taken, of each multiplicity and of the same roles.

    Args:
        letters: of a group.

    Attributes:
        kinds: (multiplicity, roles) of these positions, each once.
        each: the U usages, the empty one first; at most 64.
        of_mask: ``(2^f,)`` int64, usage of each set of the f positions without free coordinates, as bits.
        bit: bit of each letter, -1 for letters with free coordinates.
    """

    def __init__(self, letters: Letters) -> None:
        fixed = [(letter.multiplicity, letter.roles) for letter in letters if not letter.free]
        self.kinds = sorted(set(fixed))
        numbers = [fixed.count(kind) for kind in self.kinds]
        self.each = list(product(*(range(n + 1) for n in numbers)))
        index = {usage: i for i, usage in enumerate(self.each)}
        bits = iter(range(len(fixed)))
        self.bit = [-1 if letter.free else next(bits) for letter in letters]
        self.of_mask = np.zeros(1 << len(fixed), dtype=np.int64)
        for mask in range(len(self.of_mask)):
            taken = [kind for i, kind in enumerate(fixed) if mask >> i & 1]
            self.of_mask[mask] = index[tuple(taken.count(kind) for kind in self.kinds)]

    def steps(self, kind: int) -> Flags:
        """``(U, U)`` whether one more position of a kind leads from one usage to another."""
        moved = [tuple(n + (i == kind) for i, n in enumerate(usage)) for usage in self.each]
        return np.array([[after == usage for usage in self.each] for after in moved], dtype=bool)


def fillings(letters: Letters, usages: Usages, budget: Budget, most: int, role: int = 0) -> Flags:
    """``(K + 1, A, U, U)`` whether a whole slot of n atoms and some cost can lead from one usage to another.

    A slot is not empty, and has letters of its role.
    """
    size = len(usages.each)
    reach = np.zeros((most + 1, budget.size, size, size), dtype=bool)
    reach[0, 0] = np.eye(size, dtype=bool)
    for kind, (multiplicity, roles) in enumerate(usages.kinds):
        if not roles[role]:
            continue
        step, after = usages.steps(kind), reach.copy()
        taken, cost = np.eye(size, dtype=bool), 0
        for number in range(1, most // multiplicity + 1):
            taken, cost = taken @ step, budget.plus[cost, budget.price(0)]
            if cost == budget.size or not taken.any():
                break
            shift = number * multiplicity
            for before, together in _affordable(budget, cost):
                after[shift:, together] |= reach[: most + 1 - shift, before] @ taken
        reach = after
    for multiplicity, price in {(x.multiplicity, x.price) for x in letters if x.free and x.roles[role]}:
        for n in range(multiplicity, most + 1):
            for before, together in _affordable(budget, price):
                reach[n, together] |= reach[n - multiplicity, before]
    reach[0] = False
    return reach


def as_bits(usages: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sets of one usage each; there are at most 64 usages, so that the highest bit may be that of the sign."""
    return np.left_shift(np.uint64(1), usages.astype(np.uint64)).view(np.int64)


def extensions(letters: Letters, usages: Usages, budget: Budget, most: int, role: int = 0) -> NDArray[np.int64]:
    """``(A, L + 1, 2^f, K + 1)`` E[p, M]: at each cost and number of further atoms, the usages reached, as bits."""
    masks = len(usages.of_mask)
    table = np.zeros((budget.size, len(letters) + 1, masks, most + 1), dtype=np.int64)
    table[0, :, np.arange(masks), 0] = as_bits(usages.of_mask)[:, None]
    for p in reversed(range(len(letters))):
        multiplicity, free, price, roles = letters[p]
        table[:, p] = table[:, p + 1]
        if not roles[role]:
            continue
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


def continuations(tree: SlotTree, complete: Flags, filling: Flags, budget: Budget) -> Flags:
    """``(N, U, A)`` whether a crystal can be completed after the slots of a node, from a usage, with an amount left.

    Args:
        tree: slots of partial crystals.
        complete: ``(N,)`` whether a crystal may end at a node.
        filling: ``(K + 1 roles, ...)``, each as :func:`fillings` gives them.
        budget: bounds on what the orbits cost.
    """
    possible = np.zeros((len(complete), filling.shape[3], budget.size), dtype=bool)
    possible[complete] = True
    costs = [[np.flatnonzero(each.any((1, 2))) for each in of_role] for of_role in filling]  # of whole slots of n atoms
    for depth in range(int(tree.depth.max()) - 1, -1, -1):
        nodes = np.flatnonzero(tree.depth == depth)
        for role, n in product(range(len(filling)), range(1, tree.child.shape[2])):
            child = tree.child[nodes, role, n]
            parents, child = nodes[child >= 0], child[child >= 0]
            if not len(child) or not len(costs[role][n]):
                continue
            after = possible[parents]
            for cost in costs[role][n]:
                left = np.flatnonzero(budget.minus[:-1, cost] < budget.size)
                rest = possible[child][:, :, budget.minus[left, cost]]
                after[:, :, left] |= filling[role, n, cost] @ rest
            possible[parents] = after
    return possible


def _affordable(budget: Budget, price: int) -> list[tuple[int, int]]:
    """Amounts that leave room for a price, each with the sum."""
    sums = budget.plus[: budget.size, price]
    return [(before, together) for before, together in enumerate(sums.tolist()) if together < budget.size]
