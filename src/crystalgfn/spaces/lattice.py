"""Coordinates of lattices: the unit cube over the free parameters of a lattice system, and its decoders.

A point u of the cube is decoded by a bijection, :class:`.lattice_box.BoxLattice` (the paper's: affine in lengths and
angles) or :class:`.lattice_volume.VolumeLattice` (volume and axial ratios). Every decoded cell exists and
keeps to the bounds: angles that close no cell, and cells outside
:class:`~crystalgfn.spaces.constraints.lattice_bounds.LatticeBounds`, are not in the image. Lattices are those
of conventional cells, on hexagonal axes for rhombohedral groups.

Slots of u: for ``box`` a, b, c, alpha, beta, gamma; for ``volume`` volume, b/a, c/a, alpha, beta, gamma.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from crystalgfn.spaces.batch import TensorBatch
from crystalgfn.spaces.constraints.lattice_bounds import LatticeBounds

TRICLINIC, MONOCLINIC, ORTHORHOMBIC, TETRAGONAL, RHOMBOHEDRAL, TRIGONAL, HEXAGONAL, CUBIC = range(1, 9)

MIN_INCREMENT = 0.1
"""Least increment of every free parameter after the first step, as a share of its range (paper, Appendix C)."""

_FREE = {
    TRICLINIC: (0, 1, 2, 3, 4, 5),
    MONOCLINIC: (0, 1, 2, 4),
    ORTHORHOMBIC: (0, 1, 2),
    TETRAGONAL: (0, 2),
    RHOMBOHEDRAL: (0, 3),
    TRIGONAL: (0, 2),
    HEXAGONAL: (0, 2),
    CUBIC: (0,),
}

FREE = torch.zeros(9, 6, dtype=torch.bool)
"""``(9, 6)`` bool by crystal-lattice system: the slots of u that are free."""
for _system, _slots in _FREE.items():
    FREE[_system, list(_slots)] = True


@dataclass(frozen=True)
class CellContents(TensorBatch):
    """Contents of the conventional cells, as far as decoding depends on them.

    Attributes:
        n_atoms: ``(B,)`` int64, atoms.
        volume: ``(B,)`` volume estimated from the composition, A^3.
        mass: ``(B,)`` float64, mass of the atoms, g/mol.
    """

    n_atoms: Tensor
    volume: Tensor
    mass: Tensor


class LatticeDecoder(ABC):
    """A bijection from the free slots of the unit cube to the cells of a lattice system within bounds.

    Attributes:
        bounds: bounds that every decoded cell keeps to.
    """

    bounds: LatticeBounds

    @abstractmethod
    def decode(self, u: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """Conventional cells.

        Args:
            u: ``(B, 6)`` in [0, 1]; slots that are not free are ignored.
            system: ``(B,)`` crystal-lattice system, 1..8.
            contents: contents of the conventional cells, ``(B,)``, which are :meth:`possible` in these systems.

        Returns:
            ``(B, 6)`` float64, A and degree.
        """

    @abstractmethod
    def encode(self, lattice: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """Inverse of :meth:`decode`: ``(B, 6)`` float64, outside [0, 1] (or NaN) for cells outside the space; 0 in
        slots that are not free.
        """

    @abstractmethod
    def log_volume_element(self, u: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """log |dx / du| with x the free lattice parameters in A and degree (rhombohedral: a and alpha), ``(B,)``."""

    @abstractmethod
    def possible(self, system: int, n_atoms: int, mass: tuple[float, float]) -> bool:
        """Whether there is a cell for every composition and every choice of free angles.

        Args:
            system: crystal-lattice system, 1..8.
            n_atoms: atoms in the conventional cell.
            mass: least and most mean atomic mass of the compositions, g/mol.
        """

    @abstractmethod
    def with_bounds(self, bounds: LatticeBounds) -> LatticeDecoder:
        """The same decoder under other bounds."""
