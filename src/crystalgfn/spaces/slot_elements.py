"""The subspace of elements for the slots of a site pattern: elements in formula order, each with the slot it fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import Sites
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.spaces.batch import TensorBatch, to_device
from crystalgfn.spaces.bitsets import meets
from crystalgfn.spaces.composition import Compositions
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.constraints.limits import CompositionLimits, SiteLimits
from crystalgfn.spaces.element_sites import letters_of_rules
from crystalgfn.spaces.reservations import SlotCounts, kept_first, number_of_reservations, reservations, role_choices
from crystalgfn.spaces.site_encoding import writings_of
from crystalgfn.spaces.site_pattern_tables import SlotTree
from crystalgfn.spaces.site_states import SiteStates, orbit_elements, slot_counts, slot_keys
from crystalgfn.spaces.slot_occupancy import count_sequences, fits, slot_occupancy
from crystalgfn.spaces.slot_tables import SlotTables
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.subspace import Possible, SpaceLimits

Totals = Mapping[int, frozenset[int]]

MAX_SIZE = 10_000_000
"""Most slots of whole crystals, under every reservation, times elements: tables take 50 to 150 times as many bytes."""


@dataclass(frozen=True)
class SlotState(TensorBatch):
    """B patterns, some of whose slots are filled, under H reservations each.

    Attributes:
        context: ``(B, H)`` int64, what is left under each reservation; 0 where it cannot be kept.
        roles: ``(B, H, m)`` int64, whom each slot is for.
        counts: ``(B, m)`` int64, atoms of each slot.
        last: ``(B,)`` int64, 1 + column (of the tables) of the last element added; 0 at the start.
        charges: ``(B, W)`` packed, charges the composition can carry (:mod:`.charge_states`).
    """

    context: Tensor
    roles: Tensor
    counts: Tensor
    last: Tensor
    charges: Tensor


class SlotElementSpace(Compositions):
    """Compositions of ``elements`` over the slots of patterns, under the constraints.

    Args:
        elements: atomic numbers in the order in which they are added.
        space_groups: international numbers that may be chosen.
        constraints: hard constraints.
        totals: space group -> numbers of atoms in the conventional cell at which a crystal may end, None for any.

    Raises:
        ConstraintError: no space group has a composition that satisfies the constraints.
        ConfigError: look-ahead would need too large tables.

    Attributes:
        rules: for the sites of elements; those of elements that may not be used are left aside.
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
        usable = [z for z in self.elements if z in limits.usable]
        if not usable or not set(limits.present) <= set(usable):
            raise ConstraintError(f"no composition of {len(self.elements)} elements holds those that are required")
        asked = constraints.fold("sites", SiteLimits())
        self.rules = tuple(rule for rule in asked.element_sites if rule.element in usable)
        most = min(limits.n_primitive[1], limits.n_conventional[1])
        if asked.pattern is None:
            sequences = count_sequences(limits, most)
        else:
            sequences = [asked.pattern.counts] if fits(asked.pattern.counts, limits, most) else []
        if not sequences:
            raise ConstraintError("no numbers of atoms are within the limits")
        size = sum(number_of_reservations(counts, len(self.rules)) for counts in sequences) * len(usable)
        if self.rules and size > MAX_SIZE:
            raise ConfigError(
                f"sites of {len(self.rules)} elements have rules: look-ahead would tabulate {size} numbers, allowed: "
                f"{MAX_SIZE}, with fewer such rules, elements or atoms"
            )
        slots = [each for counts in sequences for each in reservations(counts, len(self.rules))]
        tree = SlotTree(slots)
        ruled = [rule.element for rule in self.rules]
        self.tables = SlotTables.build(usable, slot_occupancy(usable, slots, limits, ruled), limits)
        completed = [each for each, good in zip(slots, self.tables.feasible.tolist(), strict=True) if good]
        self.counts = self._by_group(completed, space_groups, limits)
        self._feasible = torch.zeros(231, dtype=torch.bool)
        self._feasible[[g for g, each in self.counts.items() if each]] = True
        if not self._feasible.any():
            raise ConstraintError("no composition satisfies the constraints in any of the space groups")
        # starts that can be completed, by the node of their slots in the tree
        self._start = torch.zeros(len(tree.node) + 1, dtype=torch.int64)
        starts = self.tables.occupancy.start * self.tables.feasible
        self._start[[tree.node[each] for each in slots]] = starts
        self._child = torch.from_numpy(tree.child)
        self._holds = torch.tensor(letters_of_rules(self.rules))
        self._cells = torch.tensor(CENTERING_MULTIPLICITY)
        self._numbers = torch.tensor([0, *self.elements])
        # columns of the tables, which leave out elements that may not be used
        self._usable = torch.tensor([self.elements.index(z) for z in usable])
        self._column = torch.zeros(len(self.elements), dtype=torch.int64)
        self._column[self._usable] = torch.arange(len(usable))

    def _by_group(
        self, sequences: Sequence[SlotCounts], space_groups: Sequence[int], limits: CompositionLimits
    ) -> dict[int, frozenset[SlotCounts]]:
        """Slots that the limits on conventional cells leave to each group."""
        shared: dict[Any, frozenset[SlotCounts]] = {}
        by_group = {}
        sizes = [(sum(slots.each), slots.each[0], slots.each[-1]) for slots in sequences]
        for group in space_groups:
            cells = int(CENTERING_MULTIPLICITY[group])
            totals = None if self.totals is None else self.totals[group]
            if (cells, totals) not in shared:
                shared[cells, totals] = frozenset(
                    slots
                    for slots, (atoms, largest, smallest) in zip(sequences, sizes, strict=True)
                    if limits.n_conventional[0] <= atoms * cells <= limits.n_conventional[1]
                    and (totals is None or atoms * cells in totals)
                    and largest * cells <= limits.n_of_one[1]
                    and smallest * cells >= limits.n_of_one[0]
                )
            by_group[group] = shared[cells, totals]
        return by_group

    @classmethod
    def build(cls, limits: SpaceLimits, possible: Possible) -> SlotElementSpace:
        """See :meth:`.subspace.Subspace.build`."""
        space = cls(limits.elements, possible.space_groups, limits.constraints, possible.n_atoms)
        pattern = limits.constraints.fold("sites", SiteLimits()).pattern
        for rule in space.rules:
            if not any(any(rule.allows(group)) for group in limits.space_groups):
                raise ConfigError(f"no space group has a site for {rule}; allowed: another rule, or other groups")
            if pattern is not None and not rule.fits(pattern.space_group, pattern.slots):
                raise ConfigError(f"structure type {pattern} has no place for {rule}; allowed: another rule or type")
        return space

    @property
    def possible(self) -> Possible:
        """See :attr:`.subspace.Subspace.possible`."""
        groups = tuple(g for g, counts in self.counts.items() if counts)
        return Possible(groups, self.totals, {g: self.counts[g] for g in groups}, self.rules)

    @property
    def max_count(self) -> int:
        """Most atoms of one element per primitive cell, K."""
        return self.tables.occupancy.max_count

    @property
    def feasible(self) -> Tensor:
        """``(231,)`` bool: groups that have a composition."""
        return self._feasible

    def to(self, device: torch.device | str) -> SlotElementSpace:
        """See :meth:`.subspace.Subspace.to`."""
        self.tables = to_device(self.tables, device)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def start_of(self, space_group: Tensor, slots: Tensor, letters: Tensor) -> SlotState:
        """Finished patterns without elements, under every reservation that leads to a crystal.

        Args:
            space_group: ``(B,)``.
            slots, letters: ``(B, O)``, as in :class:`.site_states.SiteStates`.
        """
        m, device = self.max_elements, space_group.device
        counts = slot_counts(space_group, slots, letters, m).clamp(max=self._child.shape[2] - 1)
        roles = role_choices(m, len(self.rules)).to(device)
        # whom each slot can be for: all its letters have to agree
        refuses = ~self._holds[space_group.unsqueeze(1), letters.clamp(min=0)] & (letters >= 0).unsqueeze(2)
        refused = torch.zeros(*counts.shape, refuses.shape[2], dtype=torch.int64, device=device)
        refused = refused.scatter_add_(1, slots.unsqueeze(2).expand_as(refuses), refuses.long())
        keeps = (counts > 0).unsqueeze(1) | (roles == 0)
        keeps = keeps & (refused[:, torch.arange(m, device=device), roles] == 0)
        node = torch.zeros(len(counts), len(roles), dtype=torch.int64, device=device)
        for slot in range(m):
            count = counts[:, slot : slot + 1]
            node = torch.where(count > 0, self._child[node, roles[:, slot], count], node)
        context = self._start[node] * keeps.all(2)  # the last start, at -1, is dead
        order = kept_first(context > 0)
        charges = self.tables.charges.empty().expand(len(counts), -1)
        return SlotState(context.gather(1, order), roles[order], counts, torch.zeros_like(space_group), charges)

    def element_mask(self, state: SlotState) -> Tensor:
        """Allowed next elements, ``(B, D)`` bool, of states with open slots."""
        tables = self.tables
        carried = tables.charges.before(state.charges, state.last)
        if state.context.shape[1] == 1:
            mask = meets(tables.adds[state.context.squeeze(1)], carried)
        else:
            mask = meets(tables.adds[state.context], carried.unsqueeze(1)).any(1)
        mask &= tables.follows[state.last]
        if len(self._usable) == len(self.elements):
            return mask
        return mask.new_zeros(len(mask), len(self.elements)).index_copy_(1, self._usable, mask)

    def slot_mask(self, state: SlotState, element: Tensor, open_slots: Tensor) -> Tensor:
        """Slots that an allowed element may fill, ``(B, m)`` bool.

        Args:
            state: before the element is added.
            element: ``(B,)`` columns.
            open_slots: ``(B, m)`` bool, slots that are not filled and not like an earlier open slot.
        """
        tables, element = self.tables, self._column[element]
        kind, role = tables.occupancy.kind[element], tables.occupancy.role[element]
        row = tables.arrives[kind.view(-1, 1, 1), state.context.unsqueeze(2), state.counts.unsqueeze(1)]
        carried = tables.charges.before(state.charges, state.last, element)
        fills = meets(tables.fills[row, element.view(-1, 1, 1)], carried[:, None, None])
        return (fills & (state.roles == role.view(-1, 1, 1))).any(1) & open_slots & (state.counts > 0)

    def fill(self, state: SlotState, element: Tensor, slot: Tensor) -> SlotState:
        """States after an allowed element has filled a slot, both ``(B,)``."""
        tables, element = self.tables, self._column[element]
        count = state.counts.gather(1, slot.unsqueeze(1))
        kind, role = tables.occupancy.kind[element].unsqueeze(1), tables.occupancy.role[element].unsqueeze(1)
        own = state.roles.gather(2, slot.view(-1, 1, 1).expand(-1, state.roles.shape[1], 1)).squeeze(2)
        context = tables.occupancy.move[kind, state.context, count] * (own == role)
        carried = tables.charges.before(state.charges, state.last, element)
        charges = tables.charges.add(carried, element, count.squeeze(1))
        return SlotState(context, state.roles, state.counts, element + 1, charges)

    def allows_slots(
        self, space_group: Tensor, slots: Tensor, letters: Tensor, *, elements: Tensor, filled: Tensor
    ) -> Tensor:
        """Whether elements of finished crystals can be sampled, ``(B,)`` bool.

        Args:
            space_group: ``(B,)``.
            slots, letters: ``(B, O)``, as in :class:`.site_states.SiteStates`.
            elements, filled: ``(B, m)``, as there.
        """
        verdict = torch.zeros(len(slots), dtype=torch.bool, device=slots.device)
        rows, state = torch.arange(len(slots), device=slots.device), self.start_of(space_group, slots, letters)
        keys = slot_keys(slots, letters, self.max_elements)
        unfilled = state.counts > 0
        for t in range(self.max_elements):
            element, slot = elements[rows, t] - 1, filled[rows, t]
            good = element >= 0
            good &= self.element_mask(state).gather(1, element.clamp(min=0).unsqueeze(1)).squeeze(1)
            rows, state, element, slot = rows[good], state[good], element[good], slot[good]
            mask = self.slot_mask(state, element, first_alike(unfilled[rows], keys[rows]))
            good = mask.gather(1, slot.unsqueeze(1)).squeeze(1)
            rows, state, element, slot = rows[good], state[good], element[good], slot[good]
            if not len(rows):
                break
            state = self.fill(state, element, slot)
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
        pattern = space_group[rows], decided["slots"][rows], decided["letters"][rows]
        rows = rows[self.allows_slots(*pattern, elements=chosen[rows], filled=filled[rows])]
        counts = slot_counts(space_group, decided["slots"], decided["letters"], m)[rows]
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
