"""Rules of :mod:`.validity` for cells, besides the constraints that were asked for.

A cell must exist, have the metric of its lattice system, and lie within the ranges to which the configuration decodes
the unit cube.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import ATOMIC_VOLUME
from crystalgfn.crystallography.lattices import is_valid_cell, satisfies_lattice_system
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS
from crystalgfn.spaces.constraints.base import Constraints, Verdict
from crystalgfn.spaces.constraints.finished import ROUNDING, FinishedCrystals, outside
from crystalgfn.spaces.constraints.lattice_bounds import CellBound
from crystalgfn.spaces.lattice_angles import MONOCLINIC_ANGLES

Range = tuple[float, float]

_TRICLINIC, _MONOCLINIC, _RHOMBOHEDRAL = (
    CRYSTAL_LATTICE_SYSTEMS.index(name) + 1 for name in ("triclinic", "monoclinic", "trigonal-rhombohedral")
)


@dataclass(frozen=True)
class CellRanges:
    """Ranges of the quantities that the unit cube is decoded to; None for no bound.

    Attributes:
        volume: least and most volume as multiples of the estimate from the composition.
        box: least and most length, A, of the conventional cell, but of the primitive cell for rhombohedral groups.
        triclinic: least and most angle of triclinic cells, degree.
        monoclinic: least and most beta of monoclinic cells, degree.
        rhombohedral: least and most angle of primitive rhombohedral cells, degree.
    """

    volume: Range | None = None
    triclinic: Range | None = None
    monoclinic: Range | None = None
    rhombohedral: Range | None = None
    box: Range | None = None

    @classmethod
    def of(cls, section: Mapping[str, Any], constraints: Constraints) -> CellRanges:
        """Return the ranges of a complete section ``constraints.lattice``.

        Args:
            section: the kind of lattice and its ranges.
            constraints: constraints of the same configuration; hard bounds on the volume replace the band around the
                estimate.
        """
        if section["kind"] == "box":
            angles = section["box_angles"]
            return cls(
                box=section["box"], triclinic=angles, monoclinic=section["monoclinic"] or angles, rhombohedral=angles
            )
        bounded = any(isinstance(bound, CellBound) and bound.sets_volume for bound in constraints)
        return cls(
            volume=None if bounded else section["volume"],
            triclinic=section["triclinic"],
            monoclinic=section["monoclinic"] or MONOCLINIC_ANGLES,
        )

    def violated(self, name: str, crystals: FinishedCrystals) -> Verdict:
        """Return which of B crystals lie outside a range, ``(B,)`` bool; only crystals of its lattice system can."""
        bounds, systems = getattr(self, name), CRYSTAL_LATTICE_SYSTEM[crystals.groups]
        values, where = _VALUES[name](crystals), np.ones(len(crystals), dtype=bool)
        if name in _SYSTEM:
            where = systems == _SYSTEM[name]
        return np.asarray(where & outside(values, bounds).any(1))


def no_cell(crystals: FinishedCrystals) -> Verdict:
    """Return which lattices span no cell, ``(B,)`` bool."""
    return ~np.asarray(is_valid_cell(torch.from_numpy(crystals.lattice)).numpy())


def wrong_metric(crystals: FinishedCrystals) -> Verdict:
    """Return which cells lack the metric of their lattice system, ``(B,)`` bool."""
    systems = torch.from_numpy(CRYSTAL_LATTICE_SYSTEM[crystals.groups])
    return ~np.asarray(satisfies_lattice_system(torch.from_numpy(crystals.lattice), systems, ROUNDING).numpy())


def _volume_ratio(crystals: FinishedCrystals) -> NDArray[np.float64]:
    """Return the volumes over their estimates, ``(B, 1)``."""
    return np.asarray(crystals.volume / (crystals.counts @ ATOMIC_VOLUME[list(crystals.elements)]))[:, None]


def _edges(crystals: FinishedCrystals) -> NDArray[np.float64]:
    """Return the lengths of the conventional cell, or of the primitive cell for rhombohedral groups, ``(B, 3)`` A."""
    rhombohedral = CRYSTAL_LATTICE_SYSTEM[crystals.groups] == _RHOMBOHEDRAL
    return np.where(rhombohedral[:, None], _primitive_rhombohedral(crystals.lengths)[0], crystals.lengths)


def _primitive_rhombohedral(lengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return edge (A) and angle (degree) of the obverse primitive cells, ``(B, 1)`` each, from hexagonal axes."""
    axes = np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, 1]])
    first, second = np.array([[2, 1, 1], [-1, 1, 1]]) @ axes / 3
    scale = lengths[:, [0, 0, 2]]
    one, two = first * scale, second * scale
    squared = (one * one).sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(squared), np.degrees(np.arccos((one * two).sum(1, keepdims=True) / squared))


_VALUES = {
    "volume": _volume_ratio,
    "triclinic": lambda crystals: crystals.angles,
    "monoclinic": lambda crystals: crystals.angles[:, 1:2],
    "rhombohedral": lambda crystals: _primitive_rhombohedral(crystals.lengths)[1],
    "box": _edges,
}
_SYSTEM = {"triclinic": _TRICLINIC, "monoclinic": _MONOCLINIC, "rhombohedral": _RHOMBOHEDRAL}
