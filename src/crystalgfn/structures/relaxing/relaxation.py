"""Schedules and results of relaxation: runs, energies, space groups, and how each was reached."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC = 0.01
"""Tolerance (A) of the space group of placements and of structures relaxed with symmetry, exact but for rounding."""

FREE_SYMPREC = 0.2
"""Tolerance (A) of the space group after free relaxation, which stops at a residual force.

Of 12 real crystals all returned to their own group at 0.2, 11 at 0.1 and 5 at 0.05.
"""


@dataclass(frozen=True, eq=False)
class SinglePoint:
    """What a potential gives for one structure of N atoms.

    Attributes:
        energy: energy of the cell, eV.
        forces: (N, 3) forces, eV/A.
        stress: (3, 3) stress, eV/A^3, positive under tension, as in ASE.
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


@dataclass(frozen=True)
class Relaxation:
    """One run, with or without symmetry.

    Attributes:
        structure: structure at the end of the run.
        energy: its energy, eV/atom.
        space_group: number that moyopy finds, 0 where it finds none.
        steps: number of steps.
        converged: whether the largest force and stress component fell below fmax.
        failure: why the run ended early; empty otherwise.
        point: energy, forces and stress at the end; None where no step was finite.
    """

    structure: Structure
    energy: float
    space_group: int
    steps: int
    converged: bool
    failure: str = ""
    point: SinglePoint | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Relaxed:
    """The result of a relaxation; energies in eV/atom by the potential, NaN where a run was not reached.

    Attributes:
        structure: the final structure, or the initial one where everything failed.
        energy: energy of the final structure.
        chosen: run whose structure is the final one, ``"symmetric"``, ``"free"`` or ``""``.
        failure: why there is no result; empty if there is one.
        energy_initial, space_group_initial, distance_ratio_initial: numbers of the initial structure.
        volume_factor: volume that the pre-scan chose, over the initial volume.
        symmetric, free: the two runs; None where not reached.
        distance_ratio: least distance over covalent radii in the final structure.
        volume_change: final over initial volume, minus 1.
        relaxation_volume_change: final volume over the volume after the pre-scan, minus 1.
        seconds: wall time.
    """

    structure: Structure
    energy: float = math.nan
    chosen: str = ""
    failure: str = ""
    energy_initial: float = math.nan
    space_group_initial: int = 0
    distance_ratio_initial: float = math.nan
    volume_factor: float = math.nan
    symmetric: Relaxation | None = None
    free: Relaxation | None = None
    distance_ratio: float = math.nan
    volume_change: float = math.nan
    relaxation_volume_change: float = math.nan
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there is a relaxed structure."""
        return not self.failure

    @property
    def space_group(self) -> int:
        """Space group of the final structure; 0 without one."""
        run = self._final
        return run.space_group if run else 0

    @property
    def symprec(self) -> float:
        """Tolerance (A) at which the final structure has its space group; files are written with it."""
        return FREE_SYMPREC if self.chosen == "free" else SYMPREC

    @property
    def converged(self) -> bool:
        """Whether the run that gave the final structure converged."""
        run = self._final
        return bool(run and run.converged)

    @property
    def point(self) -> SinglePoint | None:
        """Energy, forces and stress of the final structure, or None."""
        run = self._final
        return run.point if run and self.ok else None

    @property
    def _final(self) -> Relaxation | None:
        return self.free if self.chosen == "free" else self.symmetric


@dataclass(frozen=True)
class Prerelaxed:
    """A crystal after the pre-scan of volumes, and perhaps a few steps of relaxation with its symmetry kept.

    Attributes:
        structure: the structure so far.
        volume_factor: volume that the pre-scan chose, over the initial volume; NaN where the potential has no energy.
        energy_initial: energy of the initial structure by the potential's calculator, eV/atom.
        energy: energy of the structure so far by the calculator, eV/atom; infinite where something failed.
        learned: what the steps so far learned about the Hessian (:class:`~.descent.Descent`), or None.
    """

    structure: Structure
    volume_factor: float
    energy_initial: float
    energy: float = math.inf
    learned: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Schedule:
    """How long a structure is relaxed.

    Attributes:
        steps: most steps with symmetry.
        free_steps: most steps without symmetry; 0 leaves that run out.
        fmax: largest force on an atom (eV/A) and row of the virial per atom (eV) at which a run stops.
        time_limit_s: wall seconds for all runs together, checked between steps.
    """

    steps: int = 100
    free_steps: int = 500
    fmax: float = 0.05
    time_limit_s: float = 300.0
