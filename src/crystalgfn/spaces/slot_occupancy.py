"""Which counts are left to elements once the slots of a site pattern are known, as an automaton like that of groups.

Elements come in formula order, and each fills one slot, so an element may have the number of atoms of any slot that is
left. The context after some elements is the multiset of the counts left, and the states of the ledgers.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch

from crystalgfn.spaces.constraints.ledger import Ledgers
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.occupancy import Occupancy
from crystalgfn.spaces.site_pattern_tables import Counts

Context = tuple[Counts, int, tuple[Hashable, ...]]
"""Counts left, falling; atoms of the whole crystal (0 where no ledger asks); states of the ledgers."""


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


def slot_occupancy(elements: Sequence[int], sequences: Sequence[Counts], limits: CompositionLimits) -> Occupancy:
    """The automaton whose starts are sequences of counts.

    Args:
        elements: atomic numbers.
        sequences: counts of whole crystals; the start of the i-th is ``start[i]``.
        limits: limits on the composition.
    """
    ledgers = Ledgers(limits.ledgers)
    kind_of, kinds = ledgers.kinds(tuple(elements))
    max_count = max((counts[0] for counts in sequences), default=1)
    index: dict[Context, int] = {}
    atoms, enough = [0], [False]
    moves: list[list[list[int]]] = [[[0] * (max_count + 1) for _ in kinds]]
    frontier: list[Context] = []

    def number(context: Context) -> int:
        if context not in index:
            left, total, state = context
            index[context] = len(atoms)
            atoms.append(sum(left))
            enough.append(not left and ledgers.accepts(state, total))
            moves.append([[0] * (max_count + 1) for _ in kinds])
            frontier.append(context)
        return index[context]

    start = [number((counts, sum(counts) if ledgers.each else 0, ledgers.start(sum(counts)))) for counts in sequences]
    while frontier:
        context = frontier.pop()
        left, total, state = context
        row = moves[index[context]]
        for count in set(left):
            place = left.index(count)
            rest = (*left[:place], *left[place + 1 :])
            for m, kind in enumerate(kinds):
                after = ledgers.advance(state, kind, count)
                if after is not None:
                    row[m][count] = number((rest, total, after))
    move = torch.tensor(moves).transpose(0, 1).contiguous()
    return Occupancy(torch.tensor(start), move, torch.tensor(kind_of), torch.tensor(enough), torch.tensor(atoms))
