"""Harmonic phonons by finite displacements: whether a relaxed crystal is a minimum of a potential, or a saddle point.

Forces on displaced atoms in a supercell give force constants (phonopy: Togo, J. Phys. Soc. Jpn. 92, 012001 (2023)), and
these the frequencies at the q-points that are commensurate with the supercell, where nothing is interpolated.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.symmetry.standard import symmetrise
from crystalgfn.progress import track
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.relax import WithCalculator, relax
from crystalgfn.structures.relaxing.relaxation import Prerelaxed, Schedule

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

LEAST_EDGE = 8.0
"""Least length of the edges of a supercell, A."""

DISPLACEMENT = 0.03
"""Displacement of an atom, A: small enough to be harmonic, and well above the noise of forces in single precision."""

FMAX = 1e-3
"""Force (eV/A) and virial per atom (eV) to which a crystal is relaxed before its atoms are displaced."""

STEPS = 300
"""Most steps of that relaxation."""


@runtime_checkable
class WithForces(WithCalculator, Protocol):
    """What phonons need of a potential: a name and an ASE calculator."""

    @property
    def name(self) -> str:
        """Name for columns and reports."""
        ...


@dataclass(frozen=True)
class Phonons:
    """What the phonons of a crystal say.

    Attributes:
        lowest: lowest frequency, THz, negative where it is imaginary; NaN where the work did not come to an end.
        about: the supercell, or why there is no frequency.
    """

    lowest: float
    about: str


def lowest_phonon(structure: Structure, potential: WithForces, *, symprec: float, time_limit_s: float) -> Phonons:
    """Return the lowest phonon frequency of a crystal; never raises because of the crystal.

    The crystal is first relaxed by the same potential with its symmetry kept. The supercell has the least multiples of
    the primitive cell whose edges reach :data:`LEAST_EDGE`. The three acoustic modes at Gamma, which are translations,
    are left out.

    Args:
        structure: the crystal.
        potential: a potential with an ASE calculator.
        symprec: tolerance (A) within which the crystal has the symmetry that is kept.
        time_limit_s: wall seconds, checked between steps of the relaxation and between displacements.
    """
    deadline = time.monotonic() + time_limit_s
    out_of_time = Phonons(math.nan, f"time limit of {time_limit_s:g} s")
    try:
        start = symmetrise(structure, symprec=symprec).structure().get_primitive_structure()
        result = relax(
            start,
            potential,
            seed=0,
            prerelaxed=Prerelaxed(start, 1.0, math.nan),
            schedule=Schedule(STEPS, 0, FMAX, time_limit_s),
        )
        if result.failure == "time limit":
            return out_of_time
        if not result.ok or not result.converged:
            return Phonons(math.nan, result.failure or f"not relaxed to {FMAX:g} eV/A in {STEPS} steps")
        relaxed = result.structure
        multiples = [math.ceil(LEAST_EDGE / length) for length in relaxed.lattice.abc]
        model = _displaced(relaxed, multiples)
        cells = [_atoms(cell) for cell in model.supercells_with_displacements]
        formula = relaxed.composition.reduced_formula
        forces = []
        for atoms in track(cells, len(cells), f"phonons of {formula}", "displacements"):
            if time.monotonic() > deadline:
                return out_of_time
            atoms.calc = potential.calculator()
            with quiet():
                forces.append(atoms.get_forces())
        lowest = _lowest(model, forces, multiples)
    except Exception as error:  # any library may raise, and one crystal never stops a run
        return Phonons(math.nan, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    size = " x ".join(map(str, multiples))
    return Phonons(lowest, f"{size} primitive cells, {len(cells[0])} atoms; displacements: {len(cells)}")


def _displaced(structure: Structure, multiples: Sequence[int]) -> Any:
    """phonopy's model of a primitive cell, with displacements in a supercell of its multiples."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    cell = PhonopyAtoms(
        numbers=list(structure.atomic_numbers), cell=structure.lattice.matrix, scaled_positions=structure.frac_coords
    )
    with quiet():
        model = Phonopy(cell, np.diag(multiples), primitive_matrix=np.eye(3))
        model.generate_displacements(distance=DISPLACEMENT)
    return model


def _atoms(cell: Any) -> Atoms:
    from ase import Atoms

    return Atoms(numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True)


def _lowest(model: Any, forces: Sequence[NDArray[np.float64]], multiples: Sequence[int]) -> float:
    """Lowest frequency, THz, on the mesh of commensurate q-points, without the acoustic modes at Gamma."""
    with quiet():
        model.forces = forces
        model.produce_force_constants(show_drift=False)
        model.symmetrize_force_constants(show_drift=False)
        model.run_mesh(multiples, is_gamma_center=True)
    at_gamma = np.abs(model.mesh.qpoints).max(axis=1) < 1e-8
    optical = [sorted(frequencies, key=abs)[3:] for frequencies in model.mesh.frequencies[at_gamma]]
    return float(np.concatenate([*optical, model.mesh.frequencies[~at_gamma].ravel()]).min())
