"""The composition subspace: elements are added in a fixed order, each with its number of atoms per primitive cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.bitsets import meets
from crystalgfn.spaces.composition_tables import CompositionTables
from crystalgfn.spaces.constraints.base import Constraints


@dataclass(frozen=True)
class CompositionState:
    """Partial compositions, all with the same number of elements.

    Attributes:
        left: elements that may still be added.
        context: ``(B,)`` int64, group class, fixed positions used, atoms so far and what ledgers keep of them.
        last: ``(B,)`` int64, 1 + column of the last element added; 0 at the start.
        charges: ``(B, W)`` packed, charges the composition can carry (:mod:`.charge_states`).
    """

    left: int
    context: Tensor
    last: Tensor
    charges: Tensor

    def __getitem__(self, rows: Tensor) -> CompositionState:
        return CompositionState(self.left, self.context[rows], self.last[rows], self.charges[rows])


class CompositionSpace:
    """Compositions over ``elements`` that satisfy constraints together with each of the space groups.

    Args:
        elements: atomic numbers in the order in which they are added.
        space_groups: international numbers that may be chosen.
        constraints: hard limits.
        totals: space group -> numbers of atoms in the conventional cell at which a crystal may end, None for any.

    Raises:
        ConstraintError: no space group has a composition that satisfies the constraints.
    """

    def __init__(
        self,
        elements: Sequence[int],
        space_groups: Sequence[int],
        constraints: Constraints,
        totals: Mapping[int, frozenset[int]] | None = None,
    ) -> None:
        self.elements = tuple(elements)
        self.constraints = constraints
        self.limits = limits = constraints.composition_limits(self.elements)
        self.max_elements = limits.n_distinct[1]
        if not self.elements or not set(limits.present) <= set(self.elements):
            raise ConstraintError(f"no composition of {len(self.elements)} elements holds those that are required")
        self.tables = CompositionTables.build(elements, space_groups, limits, totals)
        if not self.tables.feasible.any():
            raise ConstraintError("no composition satisfies the constraints in any of the space groups")
        # first additions allow the most, and are the same for all groups of a class
        contexts = torch.unique(self.tables.occupation.start)
        self._first_row = torch.zeros(int(contexts[-1]) + 1, dtype=torch.int64)
        self._first_row[contexts] = torch.arange(len(contexts))
        empty = self._empty(contexts)
        self._first_ways = self._ways(empty, self.element_mask(empty))

    @property
    def max_count(self) -> int:
        """Most atoms of one element per primitive cell, K."""
        return self.tables.occupation.max_count

    @property
    def feasible(self) -> Tensor:
        """``(231,)`` bool: groups that have a composition."""
        return self.tables.feasible

    def to(self, device: torch.device | str) -> CompositionSpace:
        """Move the tables to a device."""
        self.tables = _to(self.tables, device)
        self._first_row, self._first_ways = self._first_row.to(device), self._first_ways.to(device)
        return self

    def start(self, space_group: Tensor) -> CompositionState:
        """Empty compositions in the given groups, ``(B,)``."""
        return self._empty(self.tables.occupation.start[space_group])

    def _empty(self, context: Tensor) -> CompositionState:
        charges = self.tables.charges.empty().to(context.device).repeat(len(context), 1)
        return CompositionState(self.max_elements, context, torch.zeros_like(context), charges)

    def element_mask(self, state: CompositionState) -> Tensor:
        """Allowed next elements and, in the last column, stopping: ``(B, D + 1)`` bool."""
        tables, left = self.tables, state.left
        may_stop = tables.stop[left][state.context, state.last].unsqueeze(1)
        if left == 0:  # look-ahead let only complete compositions come here
            return torch.cat((may_stop.new_zeros(len(may_stop), len(self.elements)), may_stop), 1)
        if left != self.max_elements - 1:  # crystals of one element are neutral
            may_stop = may_stop & tables.charges.neutral(state.charges).unsqueeze(1)
        adds = meets(tables.adds[left][state.context], tables.charges.before(state.charges, state.last))
        return torch.cat((adds & tables.follows[state.last], may_stop), 1)

    def ways(self, state: CompositionState, allowed: Tensor, completions: Tensor | None = None) -> Tensor:
        """How many compositions, charge left aside, go on from each addition; 0 where it is not allowed.

        Args:
            state: B partial compositions that may still grow.
            allowed: ``(B, D + 1)`` bool, their :meth:`element_mask`.
            completions: weighted ones, as :meth:`CompositionTables.weighted_completions` gives; None counts each as 1.

        Returns:
            ``(B, D, K)`` float32; positive exactly where element and count together are allowed.
        """
        if state.left == self.max_elements and completions is None:
            return self._first_ways[self._first_row[state.context]]
        return self._ways(state, allowed, completions)

    def _ways(self, state: CompositionState, allowed: Tensor, completions: Tensor | None = None) -> Tensor:
        row, element = allowed[:, :-1].nonzero(as_tuple=True)
        found = torch.zeros(len(allowed) * len(self.elements), self.max_count, device=row.device)
        place = torch.add(element, row, alpha=len(self.elements))
        found.index_copy_(0, place, self.ways_by_count(state[row], element, completions))
        return found.view(-1, len(self.elements), self.max_count)

    def ways_by_element(self, state: CompositionState, allowed: Tensor) -> Tensor:
        """:meth:`ways` summed over counts, without a look at which of them charge allows: one look-up an element.

        Args:
            state, allowed: as in :meth:`ways`.

        Returns:
            ``(B, D)`` float32, 0 for elements that are not allowed.
        """
        return self.tables.all_ways[state.left][state.context] * allowed[:, :-1]

    def ways_by_count(self, state: CompositionState, element: Tensor, completions: Tensor | None = None) -> Tensor:
        """:meth:`ways` of one allowed element a row.

        Args:
            state: B partial compositions that may still grow.
            element: ``(B,)`` int64, columns of allowed elements.
            completions: as in :meth:`ways`.

        Returns:
            ``(B, K)`` float32.
        """
        tables = self.tables
        arrive = tables.occupation.arrive(state.context, element)
        place = torch.add(element.unsqueeze(1), arrive, alpha=len(self.elements))  # look-ups in flattened tables
        ahead = tables.completions if completions is None else completions
        found = ahead[state.left - 1][:, 1:].flatten().index_select(0, place.flatten()).view_as(place)
        land = tables.lands[state.left].flatten().index_select(0, place.flatten()).view_as(place)
        land += torch.arange(1, self.max_count + 1, device=place.device)
        carried = tables.charges.before(state.charges, state.last, element).unsqueeze(1)
        words = zip(tables.counts_ok, carried.unbind(2), strict=True)
        common = (word.index_select(0, land.flatten()).view_as(place) & charges for word, charges in words)
        return found * reduce(torch.bitwise_or, common).ne(0)

    def fits(self, state: CompositionState) -> Tensor:
        """Counts of one more element that fit the Wyckoff positions and the atoms left: ``(B, K)`` bool."""
        return self.tables.occupation.move[:, state.context, 1:].gt(0).any(0)

    def carried(self, state: CompositionState, most: int) -> Tensor:
        """Charges -most..most that each composition can carry, then whether any will do: ``(B, 2 most + 2)`` bool."""
        bound = self.tables.charges.bound
        charges, sides = self.tables.charges.carried(state.charges), max(0, most - bound)
        near = charges[:, max(0, bound - most) : min(2 * bound, bound + most) + 1]
        return torch.cat((torch.nn.functional.pad(near, (sides, sides)), charges[:, -1:]), 1)

    def add(self, state: CompositionState, element: Tensor, count: Tensor) -> CompositionState:
        """States after adding ``count`` atoms per primitive cell of ``element``, both ``(B,)``."""
        tables, charges = self.tables, state.charges
        if state.left > 1:  # after the last element only stopping is left, and look-ahead saw to the charge
            charges = tables.charges.add(tables.charges.before(charges, state.last, element), element, count)
        arrived = tables.occupation.move[tables.occupation.kind[element], state.context, count]
        return CompositionState(state.left - 1, arrived, element + 1, charges)

    def allows(self, space_group: Tensor, elements: Tensor, counts: Tensor) -> Tensor:
        """Whether finished compositions can be sampled.

        Args:
            space_group: ``(B,)``, 1..230.
            elements: ``(B, m)``, 1 + column in the order of the space; 0 where there are fewer.
            counts: ``(B, m)`` atoms per primitive cell.

        Returns:
            ``(B,)`` bool.
        """
        verdict = torch.zeros_like(space_group, dtype=torch.bool)
        rows = (self.feasible[space_group] & (elements[:, 0] > 0)).nonzero().squeeze(1)
        state = self.start(space_group[rows])
        for t in range(self.max_elements):
            element, count = elements[rows, t] - 1, counts[rows, t]
            ways = self.ways(state, self.element_mask(state))
            ok = ways[torch.arange(len(rows), device=rows.device), element, count - 1] > 0
            rows = rows[ok]
            state = self.add(state[ok], element[ok], count[ok])
            ends = elements[rows, t + 1] == 0 if t + 1 < self.max_elements else torch.ones_like(rows, dtype=torch.bool)
            verdict[rows[ends]] = self.element_mask(state)[ends, -1]
            rows, state = rows[~ends], state[~ends]
        return verdict


def _to(table: Any, device: torch.device | str) -> Any:
    """Move the tensors of a frozen dataclass, and of those inside it, to a device."""
    moved = {}
    for entry in fields(table):
        value = getattr(table, entry.name)
        if isinstance(value, Tensor):
            moved[entry.name] = value.to(device)
        elif is_dataclass(value):
            moved[entry.name] = _to(value, device)
    return replace(table, **moved)
