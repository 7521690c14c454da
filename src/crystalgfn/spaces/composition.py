"""The composition subspace: elements are added in a fixed order, each with its number of atoms per primitive cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from crystalgfn.errors import ConstraintError

from .bitsets import meets, pack
from .composition_tables import CompositionTables
from .constraints import CompositionConstraints


@dataclass(frozen=True)
class CompositionState:
    """Partial compositions, all with the same number of elements.

    Attributes:
        left: elements that may still be added.
        context: ``(B,)`` int64, group class, fixed positions used and atoms so far.
        last: ``(B,)`` int64, 1 + column of the last element added; 0 at the start.
        charges: ``(B, n)`` bool, charges the composition can carry; the last column is always set.
        packed: ``(B, W)`` the same as words.
    """

    left: int
    context: Tensor
    last: Tensor
    charges: Tensor
    packed: Tensor

    def __getitem__(self, rows: Tensor) -> CompositionState:
        return CompositionState(self.left, self.context[rows], self.last[rows], self.charges[rows], self.packed[rows])


class CompositionSpace:
    """Compositions over ``elements`` that satisfy constraints together with each of the space groups.

    Args:
        elements: atomic numbers in the order in which they are added.
        space_groups: international numbers that may be chosen.
        constraints: hard limits.

    Raises:
        ConstraintError: no space group has a composition that satisfies the constraints.
    """

    def __init__(
        self, elements: Sequence[int], space_groups: Sequence[int], constraints: CompositionConstraints
    ) -> None:
        self.elements = tuple(elements)
        self.constraints = constraints
        self.max_elements = constraints.n_elements[1]
        if not self.elements or not set(constraints.required) <= set(self.elements):
            raise ConstraintError(f"no composition of {len(self.elements)} elements holds those that are required")
        self.tables = CompositionTables.build(elements, space_groups, constraints)
        if not self.tables.feasible.any():
            raise ConstraintError("no composition satisfies the constraints in any of the space groups")

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
        return self

    def start(self, space_group: Tensor) -> CompositionState:
        """Empty compositions in the given groups, ``(B,)``."""
        tables = self.tables
        shape = (len(space_group), 2 * tables.charges.bound + 2)
        charges = torch.zeros(shape, dtype=torch.bool, device=space_group.device)
        charges[:, [tables.charges.bound, -1]] = True
        context = tables.occupation.start[space_group]
        return CompositionState(self.max_elements, context, torch.zeros_like(context), charges, pack(charges))

    def element_mask(self, state: CompositionState) -> Tensor:
        """Allowed next elements and, in the last column, stopping: ``(B, D + 1)`` bool."""
        tables, left = self.tables, state.left
        may_stop = tables.stop[left][state.context, state.last].unsqueeze(1)
        if left == 0:  # look-ahead let only complete compositions come here
            return torch.cat((may_stop.new_zeros(len(may_stop), len(self.elements)), may_stop), 1)
        if left != self.max_elements - 1:  # crystals of one element are neutral
            may_stop = may_stop & state.charges[:, tables.charges.bound].unsqueeze(1)
        adds = meets(tables.adds[left][state.context], state.packed.unsqueeze(1))
        return torch.cat((adds & tables.follows[state.last], may_stop), 1)

    def count_mask(self, state: CompositionState, element: Tensor) -> Tensor:
        """Allowed atoms per primitive cell of the chosen ``element`` ``(B,)``: ``(B, K)`` bool, column k - 1."""
        tables = self.tables
        arrive = tables.occupation.move[state.context, 1:]
        row = tables.lands[state.left][arrive, element.unsqueeze(1)]
        sets = tables.counts_ok[row, torch.arange(1, self.max_count + 1, device=row.device)]
        return meets(sets, state.packed.unsqueeze(1))

    def add(self, state: CompositionState, element: Tensor, count: Tensor) -> CompositionState:
        """States after adding ``count`` atoms per primitive cell of ``element``, both ``(B,)``."""
        tables, charges, packed = self.tables, state.charges, state.packed
        if state.left > 1:  # after the last element only stopping is left, and look-ahead saw to the charge
            charges = torch.cat((tables.charges.add(charges[:, :-1], element, count), charges[:, -1:]), 1)
            packed = pack(charges)
        context = tables.occupation.move[state.context, count]
        return CompositionState(state.left - 1, context, element + 1, charges, packed)

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
            ok = self.element_mask(state).gather(1, element.unsqueeze(1)).squeeze(1)
            ok &= self.count_mask(state, element).gather(1, (count - 1).unsqueeze(1)).squeeze(1)
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
