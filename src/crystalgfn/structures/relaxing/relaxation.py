"""What a relaxation is asked for and what it gives: its runs, energies, space groups and how each was reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC = 0.01
"""Tolerance (A) of the space group of what was placed or relaxed under its symmetry, which hold it to rounding."""

FREE_SYMPREC = 0.2
"""Tolerance (A) of the space group after free relaxation, which stops at a residual force: of 12 real crystals all had
their own group back at 0.2, 11 at 0.1 and 5 at 0.05."""


@dataclass(frozen=True)
class Relaxation:
    """One run, with or without symmetry.

    Attributes:
        structure: where it ended.
        energy: eV/atom.
        space_group: number that moyopy finds, 0 where it finds none.
        steps: steps done.
        converged: whether the largest force and stress component fell below fmax.
        failure: why it ended early; empty otherwise.
    """

    structure: Structure
    energy: float
    space_group: int
    steps: int
    converged: bool
    failure: str = ""


@dataclass(frozen=True)
class Relaxed:
    """What became of one crystal; energies in eV/atom of the potential, NaN where a run was not reached.

    Attributes:
        structure: the final structure, or the given one where everything failed.
        energy: of the final structure.
        chosen: ``"symmetric"``, ``"free"`` or ``""``.
        failure: why there is no result; empty if there is one.
        energy_initial, space_group_initial, distance_ratio_initial: of the given structure.
        volume_factor: volume that the pre-scan chose over the given one.
        symmetric, free: the two relaxations; None where not reached.
        distance_ratio: least distance over covalent radii in the final structure.
        volume_change: final over given volume, minus 1.
        relaxation_volume_change: final volume over that after the pre-scan, minus 1.
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
        """Tolerance (A) at which the final structure has its space group; for files, so that both agree."""
        return FREE_SYMPREC if self.chosen == "free" else SYMPREC

    @property
    def converged(self) -> bool:
        """Whether the run that gave the final structure converged."""
        run = self._final
        return bool(run and run.converged)

    @property
    def _final(self) -> Relaxation | None:
        return self.free if self.chosen == "free" else self.symmetric


@dataclass(frozen=True)
class Prerelaxed:
    """A crystal after the pre-scan of volumes, and perhaps some steps of relaxation with its symmetry kept.

    Attributes:
        structure: where it stands.
        volume_factor: volume that the pre-scan chose over the given one; NaN where the potential has no energy.
        energy_initial: of the given structure, eV/atom, as the potential's calculator gives it.
        energy: where it stands, eV/atom, alike; infinite where something failed.
    """

    structure: Structure
    volume_factor: float
    energy_initial: float
    energy: float = math.inf


@dataclass(frozen=True)
class Schedule:
    """How long a structure is relaxed.

    Attributes:
        steps: at most, with symmetry.
        free_steps: at most, without symmetry; 0 leaves that part out.
        fmax: largest force (eV/A), and of the cell's degrees of freedom alike, at which the run with symmetry stops.
        time_limit_s: wall seconds for all, looked at between steps.
    """

    steps: int = 100
    free_steps: int = 40
    fmax: float = 0.1
    time_limit_s: float = 300.0
