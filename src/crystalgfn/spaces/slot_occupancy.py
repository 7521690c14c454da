"""Which counts are left to elements once the slots of a site pattern are known, as an automaton like that of groups.

Elements come in formula order, and each fills one slot, so an element may have the number of atoms of any slot that is
left; under a reservation (:mod:`.reservations`) an element with a rule fills its own slot, and others fill common ones.
The context after some elements is what is left of the slots, and the states of the ledgers.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from crystalgfn.spaces.constraints.ledger import Ledgers
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.reservations import Counts, SlotCounts


class Context(NamedTuple):
    """What look-ahead has to know after some elements.

    Attributes:
        left: slots left.
        total: atoms of the whole crystal; 0 where no ledger asks.
        ledgers: states of the ledgers.
        single: whether the whole crystal has one slot.
    """

    left: SlotCounts
    total: int
    ledgers: tuple[Hashable, ...]
    single: bool


@dataclass(frozen=True)
class SlotOccupancy:
    """The automaton: C contexts, and moves between them.

    Attributes:
        start: ``(S,)`` int64, context of each start.
        move: ``(M, C, K + 1)`` int64, context after an element of a kind has filled a slot of k atoms; 0, the dead
            context, if it cannot.
        kind: ``(D,)`` int64, kind of each element.
        role: ``(D,)`` int64, role of the slot that each element fills.
        slots: ``(C,)`` int64, slots left.
        atoms: ``(C,)`` int64, atoms of these slots.
        enough: ``(C,)`` bool, whether the crystal is whole and the ledgers accept it.
        single: ``(C,)`` bool, whether the whole crystal has one slot.
    """

    start: Tensor
    move: Tensor
    kind: Tensor
    role: Tensor
    slots: Tensor
    atoms: Tensor
    enough: Tensor
    single: Tensor

    @property
    def max_count(self) -> int:
        """Most atoms of one slot, K."""
        return self.move.shape[2] - 1


def count_sequences(limits: CompositionLimits, most: int) -> list[Counts]:
    """Counts of the slots of whole crystals per primitive cell, falling: all that limits on numbers alone allow.

    Args:
        limits: limits on compositions.
        most: most atoms in the primitive cell.
    """
    most_slots = limits.n_distinct[1]

    def grow(counts: Counts, left: int) -> list[Counts]:
        longer = [
            each
            for n in range(min(left, counts[-1] if counts else left), 0, -1)
            if len(counts) < most_slots
            for each in grow((*counts, n), left - n)
        ]
        return [counts, *longer]

    return [counts for counts in grow((), most) if fits(counts, limits, most)]


def fits(counts: Counts, limits: CompositionLimits, most: int) -> bool:
    """Whether counts of the slots of a whole crystal are some of :func:`count_sequences`."""
    least_slots, most_slots = limits.n_distinct
    return max(1, least_slots) <= len(counts) <= most_slots and limits.n_primitive[0] <= sum(counts) <= most


def slot_occupancy(
    elements: Sequence[int], sequences: Sequence[SlotCounts], limits: CompositionLimits, ruled: Sequence[int] = ()
) -> SlotOccupancy:
    """The automaton whose starts are the slots of whole crystals.

    Args:
        elements: atomic numbers.
        sequences: slots of whole crystals; the start of the i-th is ``start[i]``.
        limits: limits on the composition.
        ruled: atomic numbers of the elements for which slots are reserved, in the order of their roles.
    """
    ledgers = Ledgers(limits.ledgers)
    role_of = {z: role for role, z in enumerate(ruled, 1)}
    of_ledgers, meanings = ledgers.kinds(tuple(elements))
    kinds = [(role_of.get(z, 0), meanings[own]) for z, own in zip(elements, of_ledgers, strict=True)]
    distinct = list(dict.fromkeys(kinds))
    max_count = max((max(slots.each) for slots in sequences), default=1)
    nowhere = [0] * (max_count + 1)
    index: dict[Context, int] = {}
    contexts: list[Context] = []
    moves = [[nowhere] * len(distinct)]
    frontier: list[Context] = []

    def number(context: Context) -> int:
        if context not in index:
            contexts.append(context)
            index[context] = len(contexts)
            moves.append([nowhere[:] for _ in distinct])
            frontier.append(context)
        return index[context]

    start = []
    for slots in sequences:
        total = sum(slots.each)
        states = ledgers.start(total)
        start.append(number(Context(slots, total if ledgers.each else 0, states, len(slots.each) == 1)))
    while frontier:
        context = frontier.pop()
        row = moves[index[context]]
        for role, count in context.left.kinds():
            rest = context.left.without(role, count)
            for m, (own_role, meaning) in enumerate(distinct):
                if own_role == role:
                    after = ledgers.advance(context.ledgers, meaning, count)
                    if after is not None:
                        row[m][count] = number(context._replace(left=rest, ledgers=after))
    left = [context.left.each for context in contexts]
    enough = [not context.left.each and ledgers.accepts(context.ledgers, context.total) for context in contexts]
    return SlotOccupancy(
        start=torch.tensor(start),
        move=torch.tensor(moves).transpose(0, 1).contiguous(),
        kind=torch.tensor([distinct.index(kind) for kind in kinds]),
        role=torch.tensor([role for role, _ in kinds]),
        slots=torch.tensor([0, *map(len, left)]),
        atoms=torch.tensor([0, *map(sum, left)]),
        enough=torch.tensor([False, *enough]),
        single=torch.tensor([False, *(context.single for context in contexts)]),
    )
