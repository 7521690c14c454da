"""The space of crystals: space group, then composition, then lattice, with the constraints between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from crystalgfn.crystallography.elements import ATOMIC_MASS, ATOMIC_VOLUME, FORMULA_ORDER, SYMBOLS
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.cell_totals import cell_totals
from crystalgfn.spaces.composition import CompositionSpace
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.diagnosis import explain_empty
from crystalgfn.spaces.lattice import FREE, CellContents, LatticeDecoder
from crystalgfn.spaces.space_group import SYSTEM_OF, SpaceGroupSpace


@dataclass(frozen=True)
class CrystalStates:
    """Finished samples in the coordinates of the space.

    Attributes:
        space_group: ``(B,)`` int64, 1..230.
        elements: ``(B, m)`` int64, 1 + column of each element in the order added; 0 where there are fewer.
        counts: ``(B, m)`` int64, atoms per primitive cell; 0 where there are fewer.
        u: ``(B, 6)`` float64, point of the unit cube; 0 in slots that are not free.
    """

    space_group: Tensor
    elements: Tensor
    counts: Tensor
    u: Tensor

    def __len__(self) -> int:
        return len(self.space_group)

    def __getitem__(self, rows: Tensor | slice) -> CrystalStates:
        return CrystalStates(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def system(self) -> Tensor:
        """``(B,)`` crystal-lattice system, 1..8."""
        return SYSTEM_OF.to(self.space_group.device)[self.space_group]

    @staticmethod
    def concatenate(parts: Sequence[CrystalStates]) -> CrystalStates:
        """Join batches of the same space."""
        return CrystalStates(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(CrystalStates)))


def formula_order(atomic_numbers: Iterable[int]) -> tuple[int, ...]:
    """Atomic numbers by rising electronegativity: the order in which compositions grow."""
    wanted = set(atomic_numbers)
    return tuple(z for z in FORMULA_ORDER if z in wanted)


class CrystalSpace:
    """All crystals that satisfy the constraints; immutable.

    Args:
        elements: atomic numbers of the vocabulary, any order.
        space_groups: international numbers that may be chosen.
        composition: what is asked of the composition; constraints on other subspaces are not looked at.
        lattice: decoding of the unit cube; groups and numbers of atoms that its bounds leave no cell are left out.
        lebesgue: samples follow the reward with respect to Lebesgue measure in A and degree, not to the cube's.

    Raises:
        ConstraintError: nothing satisfies the constraints; says which of them, alone, empties the space.

    Attributes:
        elements: ``(D,)`` atomic numbers in formula order.
        groups: the space-group subspace, without groups that have no composition.
        composition: the composition subspace.
    """

    def __init__(
        self,
        elements: Iterable[int],
        space_groups: Iterable[int],
        *,
        composition: Constraints,
        lattice: LatticeDecoder,
        lebesgue: bool = False,
    ) -> None:
        self.elements = formula_order(elements)
        self.lattice, self.lebesgue = lattice, lebesgue
        wanted = sorted(set(space_groups))
        try:
            limits = composition.composition_limits(self.elements)
            totals = cell_totals(self.elements, wanted, limits, lattice) if self.elements else None
            self.composition = CompositionSpace(self.elements, wanted, composition, totals)
        except ConstraintError as error:
            raise ConstraintError(explain_empty(self.elements, wanted, composition, lattice)) from error
        self.groups = SpaceGroupSpace(g for g in wanted if bool(self.composition.feasible[g]))
        self.device = torch.device("cpu")
        self._tables()

    def _tables(self) -> None:
        device = self.device
        self._cells = torch.tensor(CENTERING_MULTIPLICITY, device=device)
        of_atoms = [(0.0, 0.0), *((ATOMIC_VOLUME[z], ATOMIC_MASS[z]) for z in self.elements)]
        self._volume_and_mass = torch.tensor(of_atoms, dtype=torch.float64, device=device)
        self._system_of, self._free = SYSTEM_OF.to(device), FREE.to(device)

    def to(self, device: torch.device | str) -> CrystalSpace:
        """Move every table to a device."""
        self.device = torch.device(device)
        self.groups.to(device)
        self.composition.to(device)
        self._tables()
        return self

    @property
    def max_elements(self) -> int:
        """Most elements of a composition, m."""
        return self.composition.max_elements

    @property
    def max_count(self) -> int:
        """Most atoms of one element per primitive cell, K."""
        return self.composition.max_count

    def system(self, space_group: Tensor) -> Tensor:
        """Crystal-lattice system of each group, ``(B,)``."""
        return self._system_of[space_group]

    def free(self, space_group: Tensor) -> Tensor:
        """Free slots of the unit cube, ``(B, 6)`` bool."""
        return self._free[self._system_of[space_group]]

    def _cell(self, states: CrystalStates) -> tuple[Tensor, CellContents]:
        """Lattice system ``(B,)`` and contents of the conventional cells."""
        counts = states.counts * self._cells[states.space_group].unsqueeze(1)
        volume, mass = (counts.unsqueeze(2) * self._volume_and_mass[states.elements]).sum(1).unbind(1)
        return self.system(states.space_group), CellContents(counts.sum(1), volume, mass)

    def crystals(self, states: CrystalStates) -> Crystals:
        """Decode samples: counts and lattice of the conventional cell."""
        counts = torch.zeros(len(states), len(self.elements) + 1, dtype=torch.int64, device=states.u.device)
        counts.scatter_(1, states.elements, states.counts * self._cells[states.space_group].unsqueeze(1))
        lattice = self.lattice.decode(states.u, *self._cell(states))
        return Crystals(self.elements, states.space_group, counts[:, 1:], lattice)

    def log_measure(self, states: CrystalStates) -> Tensor:
        """What joins log R so that samples follow it in the chosen measure, ``(B,)``: 0 for the cube's own."""
        if not self.lebesgue:
            return torch.zeros(len(states), device=states.u.device)
        return self.lattice.log_volume_element(states.u, *self._cell(states)).float()

    def states(self, crystals: Crystals) -> tuple[CrystalStates, Tensor]:
        """Real crystals in the coordinates of the space.

        Returns:
            the states of those that lie in the space, and their row numbers ``(N,)``.
        """
        batch = len(crystals)
        device, m = self.device, self.max_elements
        place = {z: d + 1 for d, z in enumerate(self.elements)}
        columns = torch.tensor([place.get(z, 0) for z in crystals.elements], device=device)
        raw, group = crystals.counts.to(device), crystals.space_group.to(device)
        cells = self._cells[group].unsqueeze(1)
        inside = ~((raw > 0) & (columns == 0)).any(1) & (raw % cells == 0).all(1)
        counts = torch.zeros(batch, len(self.elements) + 1, dtype=torch.int64, device=device)
        counts.index_add_(1, columns, raw // cells)
        counts[:, 0] = 0
        inside &= self.groups.allowed[group] & ((counts > 0).sum(1) <= m) & (counts.max(1).values <= self.max_count)
        rows = inside.nonzero().squeeze(1)
        group, counts = group[rows], counts[rows]
        order = torch.arange(counts.shape[1], device=device).expand_as(counts)
        elements = torch.where(counts > 0, order, counts.shape[1]).sort(1).values[:, :m]
        elements = torch.where(elements == counts.shape[1], 0, elements)
        chosen = counts.gather(1, elements)
        u0 = torch.zeros(len(rows), 6, dtype=torch.float64, device=device)
        states = CrystalStates(group, elements, chosen, u0)
        u = self.lattice.encode(crystals.lattice.to(device)[rows], *self._cell(states))
        fits = self.composition.allows(group, elements, chosen) & ((u >= 0) & (u <= 1)).all(1)
        states = CrystalStates(group, elements, chosen, u)
        return states[fits], rows[fits]

    def __repr__(self) -> str:
        groups = int(self.groups.allowed.sum())
        names = " ".join(SYMBOLS[z] for z in self.elements)
        return f"CrystalSpace({len(self.elements)} elements {names}; {groups} groups)"
