"""What a relaxation gives: its stages, energies, space groups and how each was reached."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC = 0.01
"""Tolerance (A) of the space group of what was placed or relaxed under its symmetry, which hold it to rounding."""

FREE_SYMPREC = 0.2
"""Tolerance (A) of the space group after free relaxation, which stops at a residual force: of 12 real crystals all had
their own group back at 0.2, 11 at 0.1 and 5 at 0.05."""


@dataclass(frozen=True)
class Stage:
    """One relaxation.

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
    """What became of one crystal; energies in eV/atom of the potential, NaN where a stage was not reached.

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
    symmetric: Stage | None = None
    free: Stage | None = None
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
        stage = self._final
        return stage.space_group if stage else 0

    @property
    def symprec(self) -> float:
        """Tolerance (A) at which the final structure has its space group; for files, so that both agree."""
        return FREE_SYMPREC if self.chosen == "free" else SYMPREC

    @property
    def converged(self) -> bool:
        """Whether the run that gave the final structure converged."""
        stage = self._final
        return bool(stage and stage.converged)

    @property
    def _final(self) -> Stage | None:
        return self.free if self.chosen == "free" else self.symmetric

    def to_row(self) -> dict[str, Any]:
        """Return everything but the structures as a flat row of a table."""
        row: dict[str, Any] = {
            "energy": self.energy,
            "space_group": self.space_group,
            "converged": self.converged,
            "chosen": self.chosen,
            "energy_initial": self.energy_initial,
            "space_group_initial": self.space_group_initial,
        }
        for name, stage in (("symmetric", self.symmetric), ("free", self.free)):
            row[f"energy_{name}"] = stage.energy if stage else math.nan
            row[f"space_group_{name}"] = stage.space_group if stage else 0
            row[f"steps_{name}"] = stage.steps if stage else 0
            row[f"converged_{name}"] = bool(stage and stage.converged)
            row[f"failure_{name}"] = stage.failure if stage else ""
        for name in ("volume_factor", "volume_change", "relaxation_volume_change"):
            row[name] = getattr(self, name)
        row |= {"distance_ratio_initial": self.distance_ratio_initial, "distance_ratio": self.distance_ratio}
        return row | {"seconds_relax": self.seconds, "failure": self.failure}


@dataclass(frozen=True)
class Start:
    """A crystal after the pre-scan of volumes, and perhaps some steps of relaxation with its symmetry kept.

    Attributes:
        structure: where it stands.
        volume_factor: volume that the pre-scan chose over the given one; NaN where the potential has no energy.
        energy_initial: of the given structure, eV/atom.
        energy: where it stands, eV/atom; infinite where something failed.
    """

    structure: Structure
    volume_factor: float
    energy_initial: float
    energy: float = math.inf
