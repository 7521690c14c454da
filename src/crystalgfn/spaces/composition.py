"""The composition subspace: elements are added in a fixed order, each with its number of atoms per primitive cell."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.batch import to_device
from crystalgfn.spaces.bitsets import meets
from crystalgfn.spaces.composition_tables import CompositionTables
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.subspace import Possible, SpaceLimits, Subspace


@dataclass(frozen=True)
class CompositionState:
    """Partial compositions, all with the same number of elements.

    Attributes:
        left: elements that may still be added.
        context: ``(B,)`` int64, group class, fixed positions used, atoms so far and the states of ledgers.
        last: ``(B,)`` int64, 1 + column of the last element added; 0 at the start.
        charges: ``(B, W)`` packed, charges the composition can carry (:mod:`.charge_states`).
    """

    left: int
    context: Tensor
    last: Tensor
    charges: Tensor

    def __getitem__(self, rows: Tensor) -> CompositionState:
        return CompositionState(self.left, self.context[rows], self.last[rows], self.charges[rows])


class Compositions(Subspace):
    """What the subspaces that decide elements with their numbers of atoms have in common.

    Attributes:
        elements: atomic numbers in the order in which they are added.
        constraints: hard constraints.
        limits: those on compositions.
        max_elements: most elements of a composition, m.
    """

    elements: tuple[int, ...]
    constraints: Constraints
    limits: CompositionLimits
    max_elements: int
    _cells: Tensor

    @property
    @abstractmethod
    def max_count(self) -> int:
        """Most atoms of one element per primitive cell, K."""

    def decode(self, states: CrystalStates) -> dict[str, Any]:
        """See :meth:`.subspace.Subspace.decode`: atoms in the conventional cell."""
        counts = torch.zeros(len(states), len(self.elements) + 1, dtype=torch.int64, device=states.counts.device)
        counts.scatter_(1, states.elements, states.counts * self._cells[states.space_group].unsqueeze(1))
        return {"counts": counts[:, 1:]}


class CompositionSpace(Compositions):
    """Compositions over ``elements`` that satisfy the constraints, given one of the space groups.

    Args:
        elements: atomic numbers in the order in which they are added.
        space_groups: international numbers that may be chosen.
        constraints: hard constraints.
        totals: space group -> numbers of atoms in the conventional cell at which a crystal may end, None for any.

    Raises:
        ConstraintError: no space group has a composition that satisfies the constraints.
    """

    name: ClassVar[str] = "composition"

    def __init__(
        self,
        elements: Sequence[int],
        space_groups: Sequence[int],
        constraints: Constraints,
        totals: Mapping[int, frozenset[int]] | None = None,
    ) -> None:
        self.elements = tuple(elements)
        self.totals = totals
        self.constraints = constraints
        self.limits = limits = constraints.composition_limits(self.elements)
        self.max_elements = limits.n_distinct[1]
        if not self.elements or not set(limits.present) <= set(self.elements):
            raise ConstraintError(f"no composition of {len(self.elements)} elements holds those that are required")
        self.tables = CompositionTables.build(elements, space_groups, limits, totals)
        if not self.tables.feasible.any():
            raise ConstraintError("no composition satisfies the constraints in any of the space groups")
        # first additions have the most choices, and all groups of a class share them
        contexts = torch.unique(self.tables.occupancy.start)
        self._first_row = torch.zeros(int(contexts[-1]) + 1, dtype=torch.int64)
        self._first_row[contexts] = torch.arange(len(contexts))
        empty = self._empty(contexts)
        self._first_completions = self._completions(empty, self.element_mask(empty))
        self._cells = torch.tensor(CENTERING_MULTIPLICITY)

    @classmethod
    def build(cls, limits: SpaceLimits, possible: Possible) -> CompositionSpace:
        """See :meth:`.subspace.Subspace.build`."""
        return cls(limits.elements, possible.space_groups, limits.constraints, possible.n_atoms)

    @property
    def possible(self) -> Possible:
        """See :attr:`.subspace.Subspace.possible`."""
        return Possible(tuple(self.feasible.nonzero().flatten().tolist()), self.totals)

    @property
    def max_count(self) -> int:
        """Most atoms of one element per primitive cell, K."""
        return self.tables.occupancy.max_count

    @property
    def feasible(self) -> Tensor:
        """``(231,)`` bool: groups that have a composition."""
        return self.tables.feasible

    def to(self, device: torch.device | str) -> CompositionSpace:
        """See :meth:`.subspace.Subspace.to`."""
        self.tables, self._cells = to_device(self.tables, device), self._cells.to(device)
        self._first_row, self._first_completions = self._first_row.to(device), self._first_completions.to(device)
        return self

    def start(self, space_group: Tensor) -> CompositionState:
        """Empty compositions in the given groups, ``(B,)``."""
        return self._empty(self.tables.occupancy.start[space_group])

    def _empty(self, context: Tensor) -> CompositionState:
        charges = self.tables.charges.empty().to(context.device).repeat(len(context), 1)
        return CompositionState(self.max_elements, context, torch.zeros_like(context), charges)

    def element_mask(self, state: CompositionState) -> Tensor:
        """Allowed next elements and, in the last column, stopping: ``(B, D + 1)`` bool."""
        tables, left = self.tables, state.left
        may_stop = tables.stop[left][state.context, state.last].unsqueeze(1)
        if left == 0:  # look-ahead lets only complete compositions come here
            return torch.cat((may_stop.new_zeros(len(may_stop), len(self.elements)), may_stop), 1)
        if left != self.max_elements - 1:  # crystals of one element are neutral
            may_stop = may_stop & tables.charges.neutral(state.charges).unsqueeze(1)
        adds = meets(tables.adds[left][state.context], tables.charges.before(state.charges, state.last))
        return torch.cat((adds & tables.follows[state.last], may_stop), 1)

    def completions(self, state: CompositionState, allowed: Tensor, weighted: Tensor | None = None) -> Tensor:
        """Number of completions, charge left aside, after each addition; 0 where it is not allowed.

        Args:
            state: B partial compositions that may still grow.
            allowed: ``(B, D + 1)`` bool, their :meth:`element_mask`.
            weighted: from :meth:`CompositionTables.weighted_completions`; None counts each completion as 1.

        Returns:
            ``(B, D, K)`` float32; positive exactly where element and count together are allowed.
        """
        if state.left == self.max_elements and weighted is None:
            return self._first_completions[self._first_row[state.context]]
        return self._completions(state, allowed, weighted)

    def _completions(self, state: CompositionState, allowed: Tensor, weighted: Tensor | None = None) -> Tensor:
        row, element = allowed[:, :-1].nonzero(as_tuple=True)
        number = torch.zeros(len(allowed) * len(self.elements), self.max_count, device=row.device)
        place = torch.add(element, row, alpha=len(self.elements))
        number.index_copy_(0, place, self.completions_by_count(state[row], element, weighted))
        return number.view(-1, len(self.elements), self.max_count)

    def completions_by_element(self, state: CompositionState, allowed: Tensor) -> Tensor:
        """:meth:`completions` summed over counts, whether or not charge allows each count: one look-up per element.

        Args:
            state, allowed: as in :meth:`completions`.

        Returns:
            ``(B, D)`` float32, 0 for elements that are not allowed.
        """
        return self.tables.after_element[state.left][state.context] * allowed[:, :-1]

    def completions_by_count(self, state: CompositionState, element: Tensor, weighted: Tensor | None = None) -> Tensor:
        """:meth:`completions` of one allowed element a row.

        Args:
            state: B partial compositions that may still grow.
            element: ``(B,)`` int64, columns of allowed elements.
            weighted: as in :meth:`completions`.

        Returns:
            ``(B, K)`` float32.
        """
        tables = self.tables
        arrive = tables.occupancy.arrive(state.context, element)
        place = torch.add(element.unsqueeze(1), arrive, alpha=len(self.elements))  # look-ups in flattened tables
        ahead = tables.completions if weighted is None else weighted
        number = ahead[state.left - 1][:, 1:].flatten().index_select(0, place.flatten()).view_as(place)
        land = tables.lands[state.left].flatten().index_select(0, place.flatten()).view_as(place)
        land += torch.arange(1, self.max_count + 1, device=place.device)
        carried = tables.charges.before(state.charges, state.last, element).unsqueeze(1)
        words = zip(tables.counts_ok, carried.unbind(2), strict=True)
        common = (word.index_select(0, land.flatten()).view_as(place) & charges for word, charges in words)
        return number * reduce(torch.bitwise_or, common).ne(0)

    def fits(self, state: CompositionState) -> Tensor:
        """Counts of one more element that fit the Wyckoff positions and the atoms left: ``(B, K)`` bool."""
        return self.tables.occupancy.move[:, state.context, 1:].gt(0).any(0)

    def carried(self, state: CompositionState, most: int) -> Tensor:
        """Charges -most..most of each composition, and last whether any charge will do: ``(B, 2 most + 2)`` bool."""
        bound = self.tables.charges.bound
        charges, sides = self.tables.charges.carried(state.charges), max(0, most - bound)
        near = charges[:, max(0, bound - most) : min(2 * bound, bound + most) + 1]
        return torch.cat((torch.nn.functional.pad(near, (sides, sides)), charges[:, -1:]), 1)

    def add(self, state: CompositionState, element: Tensor, count: Tensor) -> CompositionState:
        """States after adding ``count`` atoms per primitive cell of ``element``, both ``(B,)``."""
        tables, charges = self.tables, state.charges
        if state.left > 1:  # after the last element only stopping is left, and look-ahead has checked the charge
            charges = tables.charges.add(tables.charges.before(charges, state.last, element), element, count)
        arrived = tables.occupancy.move[tables.occupancy.kind[element], state.context, count]
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
            completions = self.completions(state, self.element_mask(state))
            ok = completions[torch.arange(len(rows), device=rows.device), element, count - 1] > 0
            rows = rows[ok]
            state = self.add(state[ok], element[ok], count[ok])
            ends = elements[rows, t + 1] == 0 if t + 1 < self.max_elements else torch.ones_like(rows, dtype=torch.bool)
            verdict[rows[ends]] = self.element_mask(state)[ends, -1]
            rows, state = rows[~ends], state[~ends]
        return verdict

    def encode(self, crystals: Crystals, decided: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """See :meth:`.subspace.Subspace.encode`."""
        space_group, m = decided["space_group"], self.max_elements
        device = space_group.device
        place = {z: d + 1 for d, z in enumerate(self.elements)}
        columns = torch.tensor([place.get(z, 0) for z in crystals.elements], device=device)
        raw, cells = crystals.counts.to(device), self._cells[space_group].unsqueeze(1)
        inside = ~((raw > 0) & (columns == 0)).any(1) & (raw % cells == 0).all(1)
        counts = torch.zeros(len(crystals), len(self.elements) + 1, dtype=torch.int64, device=device)
        counts.index_add_(1, columns, raw // cells)
        counts[:, 0] = 0
        inside &= ((counts > 0).sum(1) <= m) & (counts.max(1).values <= self.max_count)
        rows = inside.nonzero().squeeze(1)
        counts = counts[rows]
        order = torch.arange(counts.shape[1], device=device).expand_as(counts)
        elements = torch.where(counts > 0, order, counts.shape[1]).sort(1).values[:, :m]
        elements = torch.where(elements == counts.shape[1], 0, elements)
        chosen = counts.gather(1, elements)
        allowed = self.allows(space_group[rows], elements, chosen)
        return {"elements": elements[allowed], "counts": chosen[allowed]}, rows[allowed]
