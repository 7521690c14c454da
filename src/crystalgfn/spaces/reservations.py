"""Reservations: the slot that is kept for each element which may stand on some sites only.

Whether a slot can take an element with a rule for its sites depends on the letters of the slot, and which slot it will
take is open until its turn. Look-ahead therefore asks for every *reservation*, that is for every choice of a slot, or
of none, for each of the K elements with rules: such an element fills the slot reserved for it and no other, and all
other elements fill slots that are not reserved. Under one reservation slots need to be told apart by their number of
atoms and by whom they are for (their *role*: 0 for any element without a rule, k for the k-th element with a rule), and
a partial crystal can be completed if and only if it can be completed under some reservation.

Without rules there is one reservation, that of nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from math import comb
from typing import NamedTuple

import torch
from torch import Tensor

Counts = tuple[int, ...]
"""Atoms per primitive cell of each slot, falling."""


class SlotCounts(NamedTuple):
    """Atoms per primitive cell of slots, under a reservation.

    Attributes:
        common: of the slots that are not reserved, falling.
        reserved: of the slot for each element with a rule; 0 where none is reserved.
    """

    common: Counts
    reserved: Counts = ()

    @property
    def each(self) -> Counts:
        """Of all slots, falling."""
        return tuple(sorted((*self.common, *filter(None, self.reserved)), reverse=True))

    def without(self, role: int, count: int) -> SlotCounts:
        """The slots but one."""
        if role:
            return SlotCounts(self.common, (*self.reserved[: role - 1], 0, *self.reserved[role:]))
        place = self.common.index(count)
        return SlotCounts((*self.common[:place], *self.common[place + 1 :]), self.reserved)

    def kinds(self) -> Iterator[tuple[int, int]]:
        """(role, atoms) of the slots, each once."""
        yield from ((0, count) for count in dict.fromkeys(self.common))
        yield from ((role, count) for role, count in enumerate(self.reserved, 1) if count)


def reservations(counts: Counts, rules: int) -> list[SlotCounts]:
    """Every reservation of slots with ``counts``, for a number of elements with rules."""
    found = {SlotCounts(counts)}
    for _ in range(rules):
        found = {
            SlotCounts(left.common if not count else left.without(0, count).common, (*left.reserved, count))
            for left in found
            for count in (0, *left.common)
        }
    return sorted(found)


def number_of_reservations(counts: Counts, rules: int) -> int:
    """The length of :func:`reservations`, without the list."""
    return _number_of_choices(tuple(sorted(Counter(counts).values())), rules)


@cache
def _number_of_choices(slots: tuple[int, ...], rules: int) -> int:
    """Ways to choose a kind of slot, or none, for each element, from kinds with so many slots each."""
    ways = [1] + [0] * rules  # by the number of elements that have a slot
    for number in slots:
        ways = [sum(comb(k, j) * ways[k - j] for j in range(min(k, number) + 1)) for k in range(rules + 1)]
    return sum(comb(rules, k) * each for k, each in enumerate(ways))


@cache
def role_choices(slots: int, rules: int) -> Tensor:
    """The roles of slots under every reservation: ``(H, slots)`` int64, nothing reserved first."""
    choices = [(0,) * slots]
    for role in range(1, rules + 1):
        choices += [
            (*each[:slot], role, *each[slot + 1 :]) for each in choices for slot in range(slots) if each[slot] == 0
        ]
    return torch.tensor(choices, dtype=torch.int64).view(len(choices), slots)


def kept_first(kept: Tensor) -> Tensor:
    """Columns ``(B, H')`` of ``(B, H)`` bool, kept ones first: as many as any row keeps, and at least one."""
    most = int(kept.sum(1).max()) if len(kept) else 0
    return kept.long().argsort(dim=1, descending=True, stable=True)[:, : max(1, most)]
