"""Sanity checks: what a structure must satisfy before and after relaxation for its energy to be believed.

Machine-learned potentials have no dependable repulsive wall: atoms 0.1 A apart came out of a relaxation with ordinary
energies. Distances are therefore checked against covalent radii, and energies and volumes against the ranges of real
crystals. The validity rules of CDVAE and LeMat-GenBench are here for comparison with published numbers.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import (
    ATOMIC_MASS,
    ATOMIC_RADIUS,
    ATOMIC_VOLUME,
    COVALENT_RADIUS,
    GRAMS_PER_CM3,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure

Floats = NDArray[np.float64]

MIN_DISTANCE_RATIO = 0.6
"""Smallest allowed ratio of a distance to the sum of the covalent radii.

Of 32,162 real crystals (Materials Project and WBM) 99.99 % are at or above 0.6, 99.83 % above 0.65 and 99.37 % above
0.7; the smallest ratio is 0.596, the median 0.91. Measured by ``python benchmarks/sanity.py STRUCTURES.parquet``.
"""

FORMATION_ENERGY_RANGE = (-5.0, 2.0)
"""Range of formation energies (eV/atom) that are believed.

Those of 32,162 real crystals run from -4.47 to 5.15, and 99.98 % are in this range. Measured by
``python benchmarks/sanity.py STRUCTURES.parquet --table CRYSTALS.parquet``.
"""

VOLUME_RATIO_RANGE = (0.5, 2.0)
"""Range of the volume over its additive estimate from the composition; 99.88 % of these crystals are inside."""

VOLUME_CHANGE_RANGE = (-0.5, 1.0)
"""Range of the relative change of volume by relaxation after the volume pre-scan.

A larger change means that the initial placement was another crystal.
"""

FAR_BELOW_HULL = 0.1
"""A candidate further (eV/atom) than this below its hull shows a hole of the hull or an artefact of the potential."""

HOLE = "hull incomplete or artefact"
"""How the flag of such a candidate begins."""

_IMAGES = np.array(list(product((-1, 0, 1), repeat=3)), dtype=float)
_BLOCK = 1_000_000  # distances computed at once, pairs times images; their vectors take 24 MB


@dataclass(frozen=True)
class Verdict:
    """The verdict of a sanity check.

    Attributes:
        passed: whether the structure passed.
        value: the measured number, in the unit of the check; NaN where it cannot be measured.
        reason: the value found and the values allowed; empty if the structure passed.
    """

    passed: bool
    value: float
    reason: str = ""

    def __bool__(self) -> bool:
        return self.passed


def reduced_cell(matrix: Floats) -> Floats:
    """Return a Minkowski-reduced basis (3, 3) of the lattice with row vectors ``matrix`` (3, 3), A.

    In such a basis the nearest image of a vector with fractional parts in [-1/2, 1/2] is among the 27 around it.
    """
    basis = np.array(matrix, dtype=float)
    for _ in range(1000):
        basis = basis[np.argsort(np.einsum("ij,ij->i", basis, basis), kind="stable")]
        a, b, c = basis
        # shorten b along a, then take the shortest c + x a + y b near the projection of c on the plane of a and b
        b_new = b - np.round((b @ a) / (a @ a)) * a
        plane = np.stack([a, b_new])
        x, y = np.linalg.solve(plane @ plane.T, plane @ c)
        trials = [c - (math.floor(x) + i) * a - (math.floor(y) + j) * b_new for i in (0, 1) for j in (0, 1)]
        c_new = min(trials, key=lambda v: float(v @ v))
        gain = (b @ b - b_new @ b_new) + (c @ c - c_new @ c_new)
        basis = np.stack([a, b_new, min((c, c_new), key=lambda v: float(v @ v))])
        if gain <= 1e-10 * (c @ c):
            break
    return basis


def nearest_distances(structure: Structure) -> Floats:
    """Return the shortest distance (n, n), A, between every two atoms over all images.

    The diagonal holds the distance of an atom to its own nearest image: the shortest lattice vector.
    """
    matrix = np.asarray(structure.lattice.matrix, dtype=float)
    basis = reduced_cell(matrix)
    fractional = np.asarray(structure.frac_coords, dtype=float) @ matrix @ np.linalg.inv(basis)
    n = len(fractional)
    shifts = _IMAGES @ basis
    out = np.empty((n, n))
    rows = max(1, _BLOCK // (27 * n))
    for start in range(0, n, rows):
        difference = fractional[start : start + rows, None] - fractional[None]
        difference -= np.round(difference)
        vectors = (difference @ basis)[:, :, None] + shifts
        squares = np.einsum("ijkl,ijkl->ijk", vectors, vectors)
        own = np.arange(start, min(start + rows, n))
        squares[own - start, own, len(_IMAGES) // 2] = np.inf  # the atom itself
        out[start : start + rows] = np.sqrt(squares.min(axis=2))
    return out


def distance_ratio(structure: Structure) -> float:
    """Return the least ratio of a distance to the sum of the covalent radii, over all pairs and images.

    NaN where the structure has no atoms, no volume, or coordinates that are not finite.

    Real crystals: see :data:`MIN_DISTANCE_RATIO`.
    """
    matrix = np.asarray(structure.lattice.matrix)
    if not len(structure) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        return math.nan
    if not np.isfinite(structure.frac_coords).all():
        return math.nan
    radii = COVALENT_RADIUS[np.asarray(structure.atomic_numbers)]
    return float((nearest_distances(structure) / (radii[:, None] + radii)).min())


def check_distances(structure: Structure, *, threshold: float = MIN_DISTANCE_RATIO) -> Verdict:
    """Check that no two atoms are too near; see :func:`distance_ratio`."""
    ratio = distance_ratio(structure)
    if ratio >= threshold:
        return Verdict(True, ratio)
    return Verdict(False, ratio, f"atoms too near: {ratio:.2f} of the covalent radii, allowed: at least {threshold:g}")


def check_formation_energy(value: float, *, allowed: tuple[float, float] = FORMATION_ENERGY_RANGE) -> Verdict:
    """Check a formation energy, eV/atom."""
    return _range(value, allowed, "formation energy", "eV/atom")


def check_volume_change(value: float, *, allowed: tuple[float, float] = VOLUME_CHANGE_RANGE) -> Verdict:
    """Check a relative change of volume (0: none, 1: doubled)."""
    return _range(value, allowed, "volume change", "")


def check_volume_ratio(structure: Structure, *, allowed: tuple[float, float] = VOLUME_RATIO_RANGE) -> Verdict:
    """Check the volume over the additive estimate from the composition."""
    estimate = float(ATOMIC_VOLUME[np.asarray(structure.atomic_numbers)].sum())
    return _range(float(structure.volume) / estimate, allowed, "volume over its estimate", "")


def check_above_hull(value: float) -> Verdict:
    """Check an energy above hull, eV/atom; NaN, where the hull is unknown, passes."""
    if not value < -FAR_BELOW_HULL:
        return Verdict(True, value)
    return Verdict(False, value, f"{HOLE}: {-value:.2f} eV/atom below the hull, allowed: up to {FAR_BELOW_HULL:g}")


def cdvae_valid(structure: Structure) -> Verdict:
    """Check CDVAE's structural validity: every pair at least 0.5 A apart, volume at least 0.1 A^3.

    Xie et al., arXiv:2110.06197; as in that paper, an atom and its own images are not a pair.
    """
    if not structure.volume >= 0.1:
        return Verdict(False, float(structure.volume), "volume below 0.1 A^3")
    distances = nearest_distances(structure)
    np.fill_diagonal(distances, np.inf)
    least = float(distances.min())
    return Verdict(least >= 0.5, least, "" if least >= 0.5 else f"atoms {least:.2f} A apart, allowed: at least 0.5 A")


def lemat_valid(structure: Structure) -> Verdict:
    """Check LeMat-GenBench's structural validity; ``value`` is the least ratio of a distance to its limit.

    Distances at least 0.5 (0.7 A + r_i + r_j) with pymatgen's atomic radii, density 0.01 to 25 g/cm3, number density
    1e-5 to 0.5 A^-3, cell lengths 1 to 100 A, volume above 1 A^3, and a CIF file that reads back to as many atoms.
    """
    numbers = np.asarray(structure.atomic_numbers)
    volume = float(structure.volume)
    if not volume > 1:
        return Verdict(False, math.nan, f"volume {volume:.3g} A^3, allowed: more than 1")
    density = float(ATOMIC_MASS[numbers].sum()) * GRAMS_PER_CM3 / volume
    radii = ATOMIC_RADIUS[numbers]
    ratio = float((nearest_distances(structure) / (0.5 * (0.7 + radii[:, None] + radii))).min())
    lengths = np.asarray(structure.lattice.abc)
    checks = (
        (ratio >= 1, f"a distance is {ratio:.2f} of what is asked for"),
        (0.01 <= density <= 25, f"density {density:.3g} g/cm3, allowed: 0.01 to 25"),
        (
            1e-5 <= len(numbers) / volume <= 0.5,
            f"number density {len(numbers) / volume:.3g} A^-3, allowed: 1e-5 to 0.5",
        ),
        (bool(((lengths >= 1) & (lengths <= 100)).all()), f"cell lengths {lengths.round(2)} A, allowed: 1 to 100"),
    )
    for passed, reason in checks:
        if not passed:
            return Verdict(False, ratio, reason)
    return Verdict(True, ratio) if _reads_back(structure) else Verdict(False, ratio, "the CIF file does not read back")


def _range(value: float, allowed: tuple[float, float], what: str, unit: str) -> Verdict:
    low, high = allowed
    if low <= value <= high:
        return Verdict(True, value)
    return Verdict(False, value, f"{what} {value:.3g} {unit}".rstrip() + f", allowed: {low:g} to {high:g}")


def _reads_back(structure: Any) -> bool:
    from pymatgen.core import Structure

    try:
        with warnings.catch_warnings():  # pymatgen warns of coordinates that it rounds to ideal values
            warnings.simplefilter("ignore")
            reread = Structure.from_str(structure.to(fmt="cif"), fmt="cif")
    except Exception:  # whatever the reader raises, the file does not read back
        return False
    return len(reread) == len(structure)
