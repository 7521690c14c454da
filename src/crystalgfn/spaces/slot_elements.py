"""The subspace of elements for the slots of a site pattern: elements in formula order, each with the slot it fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import Sites
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.batch import to_device
from crystalgfn.spaces.composition import CompositionSpace, CompositionState
from crystalgfn.spaces.composition_tables import CompositionTables
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.constraints.limits import CompositionLimits, SiteLimits
from crystalgfn.spaces.site_encoding import writings_of
from crystalgfn.spaces.site_pattern_tables import Counts, CountTree
from crystalgfn.spaces.site_states import SiteStates, orbit_elements, slot_counts, slot_keys
from crystalgfn.spaces.slot_occupancy import count_sequences, fits, slot_occupancy
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.subspace import Possible, SpaceLimits

Totals = Mapping[int, frozenset[int]]


class SlotElementSpace(CompositionSpace):
    """Compositions of ``elements`` over the slots of patterns, under the constraints.

    Look-ahead is that of compositions, over the counts that the open slots leave; given a pattern, each element may
    have the number of atoms of any open slot.

    Args:
        elements: atomic numbers in the order in which they are added.
        space_groups: international numbers that may be chosen.
        constraints: hard constraints.
        totals: space group -> numbers of atoms in the conventional cell at which a crystal may end, None for any.

    Raises:
        ConstraintError: no space group has a composition that satisfies the constraints.
    """

    name: ClassVar[str] = "elements"

    def __init__(
        self,
        elements: Sequence[int],
        space_groups: Sequence[int],
        constraints: Constraints,
        totals: Totals | None = None,
    ) -> None:
        self.elements, self.totals, self.constraints = tuple(elements), totals, constraints
        self.limits = limits = constraints.composition_limits(self.elements)
        self.max_elements = limits.n_distinct[1]
        if not self.elements or not set(limits.present) <= set(self.elements):
            raise ConstraintError(f"no composition of {len(self.elements)} elements holds those that are required")
        most = min(limits.n_primitive[1], limits.n_conventional[1])
        pattern = constraints.fold("sites", SiteLimits()).pattern
        if pattern is None:
            sequences = count_sequences(limits, most)
        else:
            sequences = [pattern.counts] if fits(pattern.counts, limits, most) else []
        if not sequences:
            raise ConstraintError("no numbers of atoms are within the limits")
        self._tree = CountTree(sequences)
        self.tables = CompositionTables.over(elements, slot_occupancy(elements, sequences, limits), limits)
        completed = [c for c, good in zip(sequences, self.tables.feasible.tolist(), strict=True) if good]
        self.counts = self._by_group(completed, space_groups, limits)
        self._feasible = torch.zeros(231, dtype=torch.bool)
        self._feasible[[g for g, each in self.counts.items() if each]] = True
        if not self._feasible.any():
            raise ConstraintError("no composition satisfies the constraints in any of the space groups")
        # starts by the node of their counts in the tree
        self._start = torch.zeros(len(self._tree.node), dtype=torch.int64)
        self._start[[self._tree.node[c] for c in sequences]] = self.tables.occupancy.start
        self._child = torch.from_numpy(self._tree.child)
        self._cells = torch.tensor(CENTERING_MULTIPLICITY)
        self._numbers = torch.tensor([0, *self.elements])

    def _by_group(
        self, sequences: Sequence[Counts], space_groups: Sequence[int], limits: CompositionLimits
    ) -> dict[int, frozenset[Counts]]:
        """Sequences that the limits on conventional cells leave to each group."""
        shared: dict[Any, frozenset[Counts]] = {}
        by_group = {}
        for group in space_groups:
            cells = int(CENTERING_MULTIPLICITY[group])
            totals = None if self.totals is None else self.totals[group]
            if (cells, totals) not in shared:
                shared[cells, totals] = frozenset(
                    counts
                    for counts in sequences
                    if limits.n_conventional[0] <= sum(counts) * cells <= limits.n_conventional[1]
                    and (totals is None or sum(counts) * cells in totals)
                    and counts[0] * cells <= limits.n_of_one[1]
                    and counts[-1] * cells >= limits.n_of_one[0]
                )
            by_group[group] = shared[cells, totals]
        return by_group

    @classmethod
    def build(cls, limits: SpaceLimits, possible: Possible) -> SlotElementSpace:
        """See :meth:`.subspace.Subspace.build`."""
        return cls(limits.elements, possible.space_groups, limits.constraints, possible.n_atoms)

    @property
    def possible(self) -> Possible:
        """See :attr:`.subspace.Subspace.possible`."""
        groups = tuple(g for g, counts in self.counts.items() if counts)
        return Possible(groups, self.totals, {g: self.counts[g] for g in groups})

    @property
    def feasible(self) -> Tensor:
        """``(231,)`` bool: groups that have a composition, wherever its atoms are."""
        return self._feasible

    def to(self, device: torch.device | str) -> SlotElementSpace:
        """See :meth:`.subspace.Subspace.to`."""
        self.tables = to_device(self.tables, device)
        for name in ("_feasible", "_start", "_child", "_cells", "_numbers"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def start_of(self, counts: Tensor) -> CompositionState:
        """Empty compositions over slots with ``counts`` ``(B, m)`` atoms per primitive cell, falling."""
        node = torch.zeros(len(counts), dtype=torch.int64, device=counts.device)
        for slot in range(counts.shape[1]):
            there = counts[:, slot] > 0
            node = torch.where(there, self._child[node, counts[:, slot].clamp(max=self._child.shape[1] - 1)], node)
        return self._empty(self._start[node])

    def element_mask(self, state: CompositionState) -> Tensor:
        """Allowed next elements, ``(B, D)`` bool, of states with open slots."""
        return super().element_mask(state)[:, :-1]

    def slot_mask(self, state: CompositionState, element: Tensor, counts: Tensor, open_slots: Tensor) -> Tensor:
        """Slots that an allowed element may fill, ``(B, m)`` bool.

        Args:
            state: before the element is added.
            element: ``(B,)`` columns.
            counts: ``(B, m)`` atoms of each slot.
            open_slots: ``(B, m)`` bool, slots that are not filled and not like an earlier open slot.
        """
        fits = self.completions_by_count(state, element) > 0
        fits = torch.nn.functional.pad(fits, (1, 0))
        return fits.gather(1, counts.clamp(max=fits.shape[1] - 1)) & open_slots & (counts > 0)

    def allows_slots(self, counts: Tensor, keys: Tensor, elements: Tensor, filled: Tensor) -> Tensor:
        """Whether elements of finished crystals can be sampled, ``(B,)`` bool.

        Args:
            counts, keys: ``(B, m)`` atoms of each slot, and numbers that are equal for slots alike.
            elements, filled: ``(B, m)``, as in :class:`.site_states.SiteStates`.
        """
        verdict = torch.zeros(len(counts), dtype=torch.bool, device=counts.device)
        rows, state = torch.arange(len(counts), device=counts.device), self.start_of(counts)
        unfilled = counts > 0
        for t in range(self.max_elements):
            element, slot = elements[rows, t] - 1, filled[rows, t]
            good = element >= 0
            good &= self.element_mask(state).gather(1, element.clamp(min=0).unsqueeze(1)).squeeze(1)
            rows, state, element, slot = rows[good], state[good], element[good], slot[good]
            mask = self.slot_mask(state, element, counts[rows], first_alike(unfilled[rows], keys[rows]))
            good = mask.gather(1, slot.unsqueeze(1)).squeeze(1)
            rows, state, element, slot = rows[good], state[good], element[good], slot[good]
            if not len(rows):
                break
            state = self.add(state, element, counts[rows, slot])
            unfilled[rows, slot] = False
            done = ~unfilled[rows].any(1)
            verdict[rows[done]] = True
            rows, state = rows[~done], state[~done]
        return verdict

    def decode(self, states: CrystalStates) -> dict[str, Any]:
        """See :meth:`.subspace.Subspace.decode`: atoms in the conventional cell, and the sites."""
        assert isinstance(states, SiteStates)
        elements = orbit_elements(self._numbers[states.elements], states.filled, states.slots) * (states.letters >= 0)
        return super().decode(states) | {"sites": Sites(states.slots, states.letters, elements)}

    def encode(self, crystals: Crystals, decided: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """See :meth:`.subspace.Subspace.encode`; in the canonical writing."""
        space_group, m = decided["space_group"], self.max_elements
        place = {z: d + 1 for d, z in enumerate(self.elements)}
        chosen = torch.zeros(len(crystals), m, dtype=torch.int64)
        filled = torch.zeros_like(chosen)
        inside = torch.zeros(len(crystals), dtype=torch.bool)
        for row, (_, numbers) in enumerate(writings_of(crystals)):
            columns = sorted((place.get(z, 0), slot) for slot, z in enumerate(numbers))
            if len(columns) <= m and columns[0][0] > 0:
                inside[row] = True
                chosen[row, : len(columns)], filled[row, : len(columns)] = torch.tensor(columns).T
        chosen, filled, inside = (tensor.to(space_group.device) for tensor in (chosen, filled, inside))
        rows = inside.nonzero().squeeze(1)
        counts = slot_counts(space_group, decided["slots"], decided["letters"], m)[rows]
        keys = slot_keys(decided["slots"], decided["letters"], m)[rows]
        good = self.allows_slots(counts, keys, chosen[rows], filled[rows])
        rows, counts = rows[good], counts[good]
        of_element = counts.gather(1, filled[rows]) * (chosen[rows] > 0)
        return {"elements": chosen[rows], "counts": of_element, "filled": filled[rows]}, rows


def first_alike(unfilled: Tensor, keys: Tensor) -> Tensor:
    """Unfilled slots without those that are like an earlier unfilled slot, ``(B, m)`` bool.

    Args:
        unfilled: ``(B, m)`` bool.
        keys: ``(B, m)``, equal for slots alike; such slots stand side by side.
    """
    alike = (keys.unsqueeze(2) == keys.unsqueeze(1)) & unfilled.unsqueeze(1)  # (B, slot, earlier slot)
    earlier = alike & alike.new_ones(alike.shape[1:]).tril(-1)
    return unfilled & ~earlier.any(2)
