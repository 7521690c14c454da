"""Exact look-ahead for the elements of a site pattern: which element may fill which slot.

Elements are added in formula order, and each fills one slot of the pattern. Under a reservation of slots
(:mod:`.reservations`), whether the slots left can be filled depends only on

    c   the context: slots left by role and atoms, states of the ledgers (:mod:`.slot_occupancy`),
    e   the last element added,
    Q   the set of charges that the composition can carry (:mod:`.charge_sets`).

With F[c, e] the set of charges from which the slots left can be filled, they can be filled iff Q meets F[c, e], and by
dynamic programming from the whole crystals backwards

    H[c -> c', e] = {q : q + x in F[c', e] for some x in C(e, k)}    e fills a slot of k atoms, moving from c to c'
    G[c, e]       = union over moves of e from c of H[c -> c', e]    e fills any slot
    F[c, e]       = union over e' > e of G[c, e'];  {0} where the crystal is whole

where e' goes no further than the next required element. It is the recursion of :mod:`.composition_tables`; there,
elements may stop at any number of atoms, here they end when all slots are filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crystalgfn.spaces.bitsets import meets
from crystalgfn.spaces.charge_states import Charges
from crystalgfn.spaces.composition_tables import following, unique_rows
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.salt_charges import build_charges
from crystalgfn.spaces.slot_occupancy import SlotOccupancy


@dataclass(frozen=True)
class SlotTables:
    """The tables that the docstring of the module defines, over D elements.

    Attributes:
        charges: C(element, count), and how sets of charges grow.
        occupancy: contexts and moves.
        adds: ``(C, D, W)`` packed G.
        arrives: ``(M, C, K + 1)`` int64, row of ``fills`` for an element of a kind and a slot of k atoms; 0 for none.
        fills: ``(T, D, W)`` packed H of the moves, of elements of their kinds; row 0 is empty.
        follows: ``(D + 1, D)`` bool, whether an element may come next after the (e - 1)-th (0: at the start).
        feasible: ``(S,)`` bool, whether the slots of each start can be filled.
    """

    charges: Charges
    occupancy: SlotOccupancy
    adds: Tensor
    arrives: Tensor
    fills: Tensor
    follows: Tensor
    feasible: Tensor

    @classmethod
    def build(cls, elements: Sequence[int], occupancy: SlotOccupancy, limits: CompositionLimits) -> SlotTables:
        """Fill the tables.

        Args:
            elements: atomic numbers in the order in which they are added.
            occupancy: which slots may be filled one after the other.
            limits: limits on the composition.
        """
        charges = build_charges(elements, occupancy.max_count, int(occupancy.atoms.max()), limits)
        follows = following(elements, limits)
        kind, context, count = occupancy.move.nonzero(as_tuple=True)
        arrives = torch.zeros_like(occupancy.move)
        arrives[kind, context, count] = torch.arange(1, len(kind) + 1)
        fills = torch.zeros(len(kind) + 1, len(elements), charges.words, dtype=torch.int64)
        adds = torch.zeros(len(occupancy.slots), len(elements), charges.words, dtype=torch.int64)
        goal = cls._whole(elements, occupancy, limits, charges)
        for slots in range(1, int(occupancy.slots.max()) + 1):
            filled = occupancy.slots[context] == slots
            for own, size in torch.unique(torch.stack((kind[filled], count[filled]), 1), dim=0).tolist():
                columns = occupancy.kind.eq(own).nonzero().squeeze(1)
                moves = (filled & (kind == own) & (count == size)).nonzero().squeeze(1)
                source = context[moves]
                arrived = occupancy.move[own, source, size]
                sets = _reach(goal[arrived][:, 1 + columns], charges, columns, size)
                fills[(1 + moves).unsqueeze(1), columns] = sets
                adds[source.unsqueeze(1), columns] |= sets
            rows = occupancy.slots.eq(slots).nonzero().squeeze(1)
            own_goal = goal[rows]
            for e in range(len(elements)):
                after = charges.after(adds[rows, e], e)
                own_goal[:, : e + 1] |= after * follows[: e + 1, e].view(1, -1, 1)
            goal[rows] = own_goal
        none = torch.zeros(1, dtype=torch.int64)
        feasible = meets(goal[occupancy.start, 0], charges.before(charges.empty(), none, none))
        return cls(charges, occupancy, adds, arrives, fills, follows, feasible)

    @staticmethod
    def _whole(
        elements: Sequence[int],
        occupancy: SlotOccupancy,
        limits: CompositionLimits,
        charges: Charges,
    ) -> Tensor:
        """F of whole crystals ``(C, D + 1, W)``, empty elsewhere; a crystal of one element may have any charge."""
        needed = torch.tensor([z in limits.present for z in elements])
        missing = torch.cat((needed.flip(0).cumsum(0).flip(0), torch.zeros(1, dtype=torch.int64)))
        ends = occupancy.enough.unsqueeze(1) & missing.eq(0)
        single = occupancy.single.view(-1, 1, 1)
        return torch.where(single, charges.goal(anything=True), charges.goal(anything=False)) * ends.unsqueeze(2)


def _reach(goal: Tensor, charges: Charges, columns: Tensor, count: int) -> Tensor:
    """H ``(T, D', W)`` of the elements ``columns`` ``(D',)`` for slots of ``count`` atoms, from F ``(T, D', W)``."""
    sets = torch.zeros_like(goal)
    kinds = charges.kind[columns]
    for kind in torch.unique(kinds).tolist():
        own = kinds.eq(kind).nonzero().squeeze(1)
        goals = goal[:, own].flatten(0, 1)
        distinct, row = unique_rows(goals) if charges.bound else (goals, torch.arange(len(goals)))
        reached = charges.reach(distinct, int(columns[own[0]]), count)
        sets[:, own] = reached[row].view(len(goal), len(own), -1)
    return sets
