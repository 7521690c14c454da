"""Exact look-ahead for compositions: which (element, count) leaves a completion that satisfies every constraint.

Elements are added in a fixed order, so whether a partial composition can be completed depends only on

    j   the elements that may still be added,
    c   its context: group class, fixed Wyckoff positions used, atoms so far (:mod:`.occupancy`),
    e   the last element added,
    Q   the set of charges it can carry (:mod:`.charge_sets`).

With F[j, c, e] the set of charges from which some completion is neutral and fits, a partial composition can be
completed iff Q meets F[j, c, e], and by dynamic programming over j

    H[j, c', e, k] = {q : q + x in F[j - 1, c', e] for some x in C(e, k)}      adding k atoms of e, arriving at c'
    G[j, c, e]     = union over k of H[j, move(c, k), e, k]                    adding element e
    F[j, c, e]     = union over e' > e of G[j, c, e']  (+ {0} if stopping here is allowed)

where e' goes no further than the next required element. Sets are packed into 62-bit words, with one more
bit, "any charge", and in several blocks where the electronegativity test is asked for (:mod:`.charge_states`).

The number of completions, charge left aside, obeys the same recursion with sums in place of unions:

    N[j, c, e] = sum over e' > e and k of N[j - 1, move(c, k), e'] (+ 1 if stopping here is allowed)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crystalgfn.spaces.bitsets import meets
from crystalgfn.spaces.charge_states import Charges
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.occupancy import Occupancy
from crystalgfn.spaces.salt_charges import build_charges


@dataclass(frozen=True)
class CompositionTables:
    """The tables that the docstring of the module defines.

    Attributes:
        charges: C(element, count), and how sets of charges grow.
        occupancy: contexts and moves.
        adds: ``(m + 1, C, D, W)`` packed G, index 0 unused; m is the most elements.
        lands: ``(m + 1, C, D)`` int64, column of ``counts_ok`` that holds H[j, c', e, 0]; that of count k is k further.
        counts_ok: ``(W, U (K + 1))`` packed H, the K + 1 counts of each distinct (oxidation states, F) side by side.
        follows: ``(D + 1, D)`` bool, whether an element may come next after the (e - 1)-th (0: at the start).
        stop: ``(m + 1, C, D + 1)`` bool, whether elements and atoms are enough to stop with j elements left.
        feasible: ``(231,)`` bool, whether a space group has any composition.
        completions: ``(m + 1, C, D + 1)`` float32, N: completions of a composition, charge left aside.
        after_element: ``(m + 1, C, D)`` float32, N summed over the counts of an element added, index 0 unused.
    """

    charges: Charges
    occupancy: Occupancy
    adds: Tensor
    lands: Tensor
    counts_ok: Tensor
    follows: Tensor
    stop: Tensor
    feasible: Tensor
    completions: Tensor
    after_element: Tensor

    @classmethod
    def build(
        cls,
        elements: Sequence[int],
        space_groups: Sequence[int],
        limits: CompositionLimits,
        totals: Mapping[int, frozenset[int]] | None = None,
    ) -> CompositionTables:
        """Fill the tables for compositions that fit the Wyckoff positions of space groups.

        Args:
            elements: atomic numbers in the order in which they are added.
            space_groups: international numbers that may be chosen.
            limits: limits on the composition.
            totals: space group -> numbers of atoms in the conventional cell at which a crystal may end, None for any.
        """
        occupancy = Occupancy.build(elements, space_groups, limits, totals)
        slots = limits.n_distinct[1]
        max_atoms = int(occupancy.atoms.max())
        charges = build_charges(elements, occupancy.max_count, max_atoms, limits)
        contexts, n_elements = len(occupancy.atoms), len(elements)
        stop = cls._stops(elements, occupancy, limits)
        follows = following(elements, limits)

        adds = torch.zeros(slots + 1, contexts, n_elements, charges.words, dtype=torch.int64)
        lands = torch.zeros(slots + 1, contexts, n_elements, dtype=torch.int64)
        counts_ok = [torch.zeros(1, occupancy.max_count + 1, charges.words, dtype=torch.int64)]
        goal = charges.goal(anything=slots == 1) * stop[0].unsqueeze(-1)
        columns = [occupancy.kind.eq(kind).nonzero().squeeze(1) for kind in range(len(occupancy.move))]
        for left in range(1, slots + 1):
            lands[left], rows = cls._land(goal, charges, sum(map(len, counts_ok)))
            counts_ok.append(rows)
            table = torch.cat(counts_ok)
            for move, of_kind in zip(occupancy.move, columns, strict=True):
                reach = torch.zeros(contexts, len(of_kind), charges.words, dtype=torch.int64)
                for count in range(1, occupancy.max_count + 1):
                    reach |= table[lands[left][move[:, count]][:, of_kind], count]
                adds[left][:, of_kind] = reach
            single = left == slots - 1  # a single element so far
            goal = charges.goal(anything=single) * stop[left].unsqueeze(-1)
            for e in range(n_elements):
                goal[:, : e + 1] |= charges.after(adds[left, :, e], e) * follows[: e + 1, e].view(1, -1, 1)
        no_element = torch.zeros(1, dtype=torch.int64)
        feasible = meets(goal[occupancy.start, 0], charges.before(charges.empty(), no_element, no_element))
        feasible &= occupancy.start > 0
        completions, after_element = cls._completions(occupancy, follows, stop)
        lands *= occupancy.max_count + 1
        sets = torch.cat(counts_ok).flatten(0, 1).T.contiguous()
        return cls(charges, occupancy, adds, lands, sets, follows, stop, feasible, completions, after_element)

    @staticmethod
    def _stops(elements: Sequence[int], occupancy: Occupancy, limits: CompositionLimits) -> Tensor:
        slots = limits.n_distinct[1]
        used = slots - torch.arange(slots + 1)
        enough_elements = used >= max(1, limits.n_distinct[0])
        needed = torch.tensor([z in limits.present for z in elements])
        missing = torch.cat((needed.flip(0).cumsum(0).flip(0), torch.zeros(1, dtype=torch.int64)))
        return (
            enough_elements.view(-1, 1, 1) & occupancy.enough.view(1, -1, 1) & missing.eq(0).view(1, 1, -1)
        ).contiguous()

    @staticmethod
    def _completions(
        occupancy: Occupancy, follows: Tensor, stop: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        number = [stop[0].double()]
        summed = [torch.zeros_like(number[0][:, 1:])]
        kinds = [occupancy.kind.eq(kind).nonzero().squeeze(1) for kind in range(len(occupancy.move))]
        for left in range(1, len(stop)):
            ahead = torch.zeros_like(summed[0])
            for of_kind, move in zip(kinds, occupancy.move, strict=True):
                after = number[-1][:, 1 + of_kind][move[:, 1:]]  # (C, K, D'), and the dead context has no completions
                ahead[:, of_kind] = after.sum(1) if weights is None else (after * weights[of_kind].T).sum(1)
            summed.append(ahead)
            number.append(stop[left] + ahead @ follows.double().T)
        return torch.stack(number).float(), torch.stack(summed).float()

    def weighted_completions(self, weights: Tensor) -> Tensor:
        """N with a weight for each (element, count) that a completion adds, multiplied: ``(m + 1, C, D + 1)`` float32.

        Args:
            weights: ``(D, K)``, positive.
        """
        return self._completions(self.occupancy, self.follows, self.stop, weights.double())[0]

    @staticmethod
    def _land(goal: Tensor, charges: Charges, offset: int) -> tuple[Tensor, Tensor]:
        """H for every distinct (oxidation states of e, F[j - 1, c', e]) and where each (c', e) finds its row."""
        contexts, n_elements = goal.shape[0], goal.shape[1] - 1
        keys = torch.cat((charges.kind.view(1, -1, 1).expand(contexts, -1, 1), goal[:, 1:]), -1)
        distinct, inverse = unique_rows(keys.flatten(0, 1))
        max_count = charges.max_count
        rows = torch.zeros(len(distinct), max_count + 1, distinct.shape[1] - 1, dtype=torch.int64)
        for kind in range(int(charges.kind.max()) + 1):
            which = distinct[:, 0].eq(kind).nonzero().squeeze(1)
            element = int(charges.kind.eq(kind).nonzero()[0])
            for count in range(1, max_count + 1):
                rows[which, count] = charges.reach(distinct[which, 1:], element, count)
        return (inverse + offset).view(contexts, n_elements), rows


def following(elements: Sequence[int], limits: CompositionLimits) -> Tensor:
    """``(D + 1, D)`` bool, whether an element may come next after the (e - 1)-th, no required one passed (0: first)."""
    table = torch.zeros(len(elements) + 1, len(elements), dtype=torch.bool)
    for after in range(len(elements) + 1):
        for e in range(after, len(elements)):
            table[after, e] = elements[e] in limits.usable
            if elements[e] in limits.present:
                break
    return table


def unique_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct rows of ``(N, C)`` int64 and the index of each row among them; by hash, checked exactly."""
    multipliers = torch.randint(1 << 62, (rows.shape[1],), generator=torch.Generator().manual_seed(0)) * 2 + 1
    _, inverse = torch.unique((rows * multipliers).sum(1), return_inverse=True)
    representative = torch.zeros(int(inverse.max()) + 1, dtype=torch.int64)
    representative[inverse] = torch.arange(len(rows))
    distinct = rows[representative]
    if torch.equal(distinct[inverse], rows):
        return distinct, inverse
    return torch.unique(rows, dim=0, return_inverse=True)
