"""What screening, relaxation and second opinions need from an interatomic potential.

Every method takes many structures at once, so that a potential may fill a GPU. A potential with an ASE calculator
works on one structure after the other: :class:`~.calculator.CalculatorPotential`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from crystalgfn.structures.relaxing.potentials.references import FormationEnergy
from crystalgfn.structures.relaxing.relaxation import Prerelaxed, Relaxed, Schedule

if TYPE_CHECKING:
    from pymatgen.core import Structure


class Potential(Protocol):
    """An interatomic potential; methods take B structures and never raise because of a structure."""

    @property
    def name(self) -> str:
        """Name for columns and reports, such as ``"chgnet"``."""
        ...

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom, energy only; NaN for a structure that the potential refuses."""
        ...

    def prerelax(self, structures: Sequence[Structure], *, steps: int) -> list[Prerelaxed]:
        """Choose the volume of each structure and relax it for a few steps, to tell placements apart at little cost."""
        ...

    def relax(
        self,
        structures: Sequence[Structure],
        *,
        seed: int,
        schedule: Schedule,
        prerelaxed: Sequence[Prerelaxed] | None = None,
    ) -> list[Relaxed]:
        """Relax each structure, going on from the result of :meth:`prerelax` if it is given.

        Args:
            structures: B structures.
            seed: seed of displacements.
            schedule: steps, forces and time.
            prerelaxed: (B,) results of :meth:`prerelax` for these structures.
        """
        ...

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy of a structure whose total energy is ``energy`` (eV/atom)."""
        ...
