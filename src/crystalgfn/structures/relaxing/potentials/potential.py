"""What placing, relaxation and second opinions ask of an interatomic potential.

Every question is about many structures at once, so that a potential may fill a GPU. One that has an ASE calculator
answers them one structure after the other: :class:`~.calculator.CalculatorPotential`.
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
    """An interatomic potential; B structures a call, none of which ever raises because of itself."""

    @property
    def name(self) -> str:
        """Name for columns and reports, such as ``"chgnet"``."""
        ...

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom, energy only; NaN for a structure that the potential refuses."""
        ...

    def prerelax(self, structures: Sequence[Structure], *, steps: int) -> list[Prerelaxed]:
        """Choose the volume of each structure and relax it for some steps: tells placements apart at little cost."""
        ...

    def relax(
        self,
        structures: Sequence[Structure],
        *,
        seed: int,
        schedule: Schedule,
        prerelaxed: Sequence[Prerelaxed] | None = None,
    ) -> list[Relaxed]:
        """Relax each structure, from where :meth:`prerelax` left it if that is given.

        Args:
            structures: B structures.
            seed: of displacements.
            schedule: steps and time.
            prerelaxed: (B,) what :meth:`prerelax` gave for the same structures.
        """
        ...

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy of a structure whose total energy is ``energy`` (eV/atom)."""
        ...
