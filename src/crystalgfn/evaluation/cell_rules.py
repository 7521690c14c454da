"""Limits on conventional cells, by their metric: rules of :mod:`.validity`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import ATOMIC_MASS, ATOMIC_VOLUME
from crystalgfn.crystallography.lattices import is_valid_cell, satisfies_lattice_system
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.composition_rules import ROUNDING, Verdicts, outside

ATOMIC_MASS_UNIT = 1.66053906660
"""g/mol per A^3 in g/cm3 (CODATA 2018)."""

Bounds = tuple[float, float]
_TRICLINIC, _MONOCLINIC, _RHOMBOHEDRAL = (
    CRYSTAL_LATTICE_SYSTEMS.index(name) + 1 for name in ("triclinic", "monoclinic", "trigonal-rhombohedral")
)


@dataclass(frozen=True)
class LatticeLimits:
    """Bounds on cells; None for no bound.

    Attributes:
        lengths: least and most a, b and c, A, of the conventional cell (rhombohedral groups: hexagonal axes).
        angles: least and most alpha, beta and gamma, degree, those that symmetry fixes too.
        volume_per_atom: A^3.
        density: g/cm3.
        longest_over_shortest: largest ratio of two of a, b, c.
        volume: least and most volume as multiples of the estimate from the composition.
        box: least and most length, A, of the conventional cell, but of the primitive cell for rhombohedral groups.
        triclinic: least and most angle of triclinic cells, degree.
        monoclinic: least and most beta of monoclinic cells, degree.
        rhombohedral: least and most angle of primitive rhombohedral cells, degree.
    """

    lengths: Bounds | None = None
    angles: Bounds | None = None
    volume_per_atom: Bounds | None = None
    density: Bounds | None = None
    longest_over_shortest: float | None = None
    volume: Bounds | None = None
    box: Bounds | None = None
    triclinic: Bounds | None = None
    monoclinic: Bounds | None = None
    rhombohedral: Bounds | None = None


def cell_violations(crystals: Crystals, groups: NDArray[np.int64], limits: LatticeLimits) -> Verdicts:
    """Which of B crystals break each rule, ``(B,)`` bool a rule: cell, lattice_system and the bounds asked for.

    Args:
        crystals: B of them.
        groups: ``(B,)`` their space groups.
        limits: on the cells.
    """
    lattice, systems = crystals.lattice.cpu().double(), CRYSTAL_LATTICE_SYSTEM[groups]
    lengths, angles = np.split(lattice.numpy(), 2, axis=1)
    counts, elements = crystals.counts.cpu().numpy(), list(crystals.elements)
    volume = _volume(lengths, angles)
    violated: Verdicts = {
        "cell": ~is_valid_cell(lattice).numpy(),
        "lattice_system": ~satisfies_lattice_system(lattice, torch.from_numpy(systems), ROUNDING).numpy(),
    }
    if limits.lengths is not None:
        violated["lengths"] = np.any(outside(lengths, limits.lengths), axis=1)
    if limits.angles is not None:
        violated["angles"] = np.any(outside(angles, limits.angles), axis=1)
    if limits.volume_per_atom is not None:
        violated["volume_per_atom"] = outside(volume / counts.sum(1), limits.volume_per_atom)
    if limits.density is not None:
        density = ATOMIC_MASS_UNIT * (counts @ ATOMIC_MASS[elements]) / volume
        violated["density"] = outside(density, limits.density)
    if limits.longest_over_shortest is not None:
        ratio = lengths.max(1) / lengths.min(1)
        violated["longest_over_shortest"] = outside(ratio, (1.0, limits.longest_over_shortest))
    if limits.volume is not None:
        violated["volume"] = outside(volume / (counts @ ATOMIC_VOLUME[elements]), limits.volume)
    edge, angle = _primitive_rhombohedral(lengths)
    for name, bounds, values, where in (
        ("triclinic", limits.triclinic, angles, systems == _TRICLINIC),
        ("monoclinic", limits.monoclinic, angles[:, 1:2], systems == _MONOCLINIC),
        ("rhombohedral", limits.rhombohedral, angle, systems == _RHOMBOHEDRAL),
        ("box", limits.box, np.where((systems == _RHOMBOHEDRAL)[:, None], edge, lengths), systems > 0),
    ):
        if bounds is not None:
            violated[name] = where & outside(values, bounds).any(1)
    return violated


def _volume(lengths: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """A^3, ``(B,)``, by the determinant of the metric tensor; NaN where there is no cell.

    Not the function that the sampler uses, on purpose: a check must not share its mistakes.
    """
    cosines = np.ones((len(angles), 3, 3))
    for (i, j), column in (((1, 2), 0), ((0, 2), 1), ((0, 1), 2)):
        cosines[:, i, j] = cosines[:, j, i] = np.cos(np.radians(angles[:, column]))
    metric = lengths[:, :, None] * cosines * lengths[:, None, :]
    with np.errstate(invalid="ignore"):
        volume: NDArray[np.float64] = np.sqrt(np.linalg.det(metric))
    return volume


def _primitive_rhombohedral(lengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edge (A) and angle (degree), ``(B, 1)`` each, between the obverse primitive vectors of hexagonal axes."""
    axes = np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, 1]])
    first, second = np.array([[2, 1, 1], [-1, 1, 1]]) @ axes / 3
    scale = lengths[:, [0, 0, 2]]
    one, two = first * scale, second * scale
    squared = (one * one).sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(squared), np.degrees(np.arccos((one * two).sum(1, keepdims=True) / squared))
