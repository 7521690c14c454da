"""A potential that has an ASE calculator: structures are relaxed one after the other."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials.references import FormationEnergy, References
from crystalgfn.structures.relaxing.relax import prerelax, relax
from crystalgfn.structures.relaxing.relaxation import Prerelaxed, Relaxed, Schedule, SinglePoint

if TYPE_CHECKING:
    from pymatgen.core import Structure


class CalculatorPotential:
    """Any ASE calculator; a :class:`~crystalgfn.structures.relaxing.potentials.potential.Potential`.

    Args:
        name: name for columns and reports.
        calculator: the ASE calculator: energy (eV), forces (eV/A) and stress (eV/A^3).
        references: elemental references; without them there are no formation energies.
    """

    def __init__(self, name: str, calculator: Any, references: References | None = None) -> None:
        self.name = name
        self._calculator = calculator
        self._references = references

    def calculator(self) -> Any:
        """Return the ASE calculator."""
        return self._calculator

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom; NaN for a structure that the calculator refuses."""
        from pymatgen.io.ase import AseAtomsAdaptor

        out = np.full(len(structures), np.nan)
        for i, structure in enumerate(structures):
            with contextlib.suppress(Exception), quiet():
                atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
                atoms.calc = self.calculator()
                out[i] = float(atoms.get_potential_energy()) / len(atoms)
        return out

    def prerelax(self, structures: Sequence[Structure], *, steps: int) -> list[Prerelaxed]:
        """Return the result of :func:`~crystalgfn.structures.relaxing.relax.prerelax` for each structure."""
        return [prerelax(structure, self, steps=steps) for structure in structures]

    def relax(
        self,
        structures: Sequence[Structure],
        *,
        seed: int,
        schedule: Schedule,
        prerelaxed: Sequence[Prerelaxed] | None = None,
    ) -> list[Relaxed]:
        """Return the result of :func:`~crystalgfn.structures.relaxing.relax.relax` for each structure."""
        beginnings = prerelaxed if prerelaxed is not None else [None] * len(structures)
        return [
            relax(structure, self, seed=seed, prerelaxed=beginning, schedule=schedule)
            for structure, beginning in zip(structures, beginnings, strict=True)
        ]

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy (eV/atom), or the reason why there is none."""
        if self._references is None:
            return FormationEnergy(math.nan, f"no elemental references for {self.name}: give --references FILE")
        return self._references.formation_energy(structure, energy)


def point_calculator(point: Callable[[Structure], SinglePoint]) -> Any:
    """Return an ASE calculator of a function that gives energy, forces and stress of a structure."""
    from ase.calculators.calculator import Calculator, all_changes
    from pymatgen.core import Lattice, Structure

    class Point(Calculator):
        implemented_properties = ("energy", "free_energy", "forces", "stress")

        def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
            super().calculate(atoms, properties or ["energy"], system_changes)
            structure = Structure(Lattice(atoms.cell.array), atoms.numbers, atoms.get_scaled_positions(wrap=False))
            with quiet():
                found = point(structure)
            self.results = {
                "energy": found.energy,
                "free_energy": found.energy,
                "forces": found.forces,
                "stress": found.stress,
            }

    return Point()
