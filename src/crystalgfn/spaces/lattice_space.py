"""The lattice as a subspace: a point of the unit cube, decoded for the lattice system and the contents of the cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.elements import ATOMIC_MASS, ATOMIC_VOLUME
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.spaces.cell_totals import cell_totals
from crystalgfn.spaces.lattice import FREE, CellContents, LatticeDecoder
from crystalgfn.spaces.space_group import SYSTEM_OF
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.subspace import Possible, SpaceLimits, Subspace


class LatticeSpace(Subspace):
    """All lattices that a decoder reaches.

    Args:
        elements: atomic numbers in formula order.
        decoder: decodes the unit cube within its bounds.
        possible: groups, and numbers of atoms for which every composition has a cell.
    """

    name: ClassVar[str] = "lattice"

    def __init__(self, elements: Sequence[int], decoder: LatticeDecoder, possible: Possible) -> None:
        self.decoder, self._possible = decoder, possible
        self._cells = torch.tensor(CENTERING_MULTIPLICITY)
        of_atoms = [(0.0, 0.0), *((ATOMIC_VOLUME[z], ATOMIC_MASS[z]) for z in elements)]
        self._volume_and_mass = torch.tensor(of_atoms, dtype=torch.float64)
        self._system_of, self._free = SYSTEM_OF, FREE

    @classmethod
    def build(cls, limits: SpaceLimits, possible: Possible) -> LatticeSpace:
        """See :meth:`.subspace.Subspace.build`."""
        composition = limits.constraints.composition_limits(limits.elements)
        groups, totals = possible.space_groups, None
        if limits.elements:
            totals = cell_totals(limits.elements, groups, composition, limits.lattice)
        return cls(limits.elements, limits.lattice, Possible(groups, totals))

    @property
    def possible(self) -> Possible:
        """See :attr:`.subspace.Subspace.possible`."""
        return self._possible

    def to(self, device: torch.device | str) -> LatticeSpace:
        """See :meth:`.subspace.Subspace.to`."""
        self._cells, self._volume_and_mass = self._cells.to(device), self._volume_and_mass.to(device)
        self._system_of, self._free = self._system_of.to(device), self._free.to(device)
        return self

    def system(self, space_group: Tensor) -> Tensor:
        """Crystal-lattice system of each group, ``(B,)``."""
        return self._system_of[space_group]

    def free(self, space_group: Tensor) -> Tensor:
        """Free slots of the unit cube, ``(B, 6)`` bool."""
        return self._free[self._system_of[space_group]]

    def _contents(self, space_group: Tensor, elements: Tensor, counts: Tensor) -> CellContents:
        """Contents of the conventional cells."""
        atoms = counts * self._cells[space_group].unsqueeze(1)
        volume, mass = (atoms.unsqueeze(2) * self._volume_and_mass[elements]).sum(1).unbind(1)
        return CellContents(atoms.sum(1), volume, mass)

    def decode(self, states: CrystalStates) -> dict[str, Tensor]:
        """See :meth:`.subspace.Subspace.decode`: conventional cells, A and degree."""
        contents = self._contents(states.space_group, states.elements, states.counts)
        return {"lattice": self.decoder.decode(states.u, self.system(states.space_group), contents)}

    def encode(self, crystals: Crystals, decided: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """See :meth:`.subspace.Subspace.encode`."""
        space_group = decided["space_group"]
        contents = self._contents(space_group, decided["elements"], decided["counts"])
        u = self.decoder.encode(crystals.lattice.to(space_group.device), self.system(space_group), contents)
        rows = ((u >= 0) & (u <= 1)).all(1).nonzero().squeeze(1)
        return {"u": u[rows]}, rows

    def log_measure(self, states: CrystalStates) -> Tensor:
        """See :meth:`.subspace.Subspace.log_measure`: free lattice parameters in A and degree."""
        contents = self._contents(states.space_group, states.elements, states.counts)
        return self.decoder.log_volume_element(states.u, self.system(states.space_group), contents)
