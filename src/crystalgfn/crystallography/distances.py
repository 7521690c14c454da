"""Atoms on top of each other: no crystal has two within half an angstrom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import DataError

MIN_DISTANCE_A = 0.5
"""Least distance of two atoms in A; that in H2, the shortest bond, is 0.74 A."""


def check_distances(cell: ArrayLike, fractional: ArrayLike, numbers: Sequence[int] | NDArray[np.int64]) -> None:
    """Refuse a cell with two atoms within :data:`MIN_DISTANCE_A`.

    Args:
        cell: (3, 3) lattice vectors in A, one per row.
        fractional: (N, 3) fractional coordinates.
        numbers: (N,) atomic numbers.

    Raises:
        DataError: two atoms are too near, named by element with their distance; or a flat or endless cell.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres

    basis = np.ascontiguousarray(cell, dtype=float)
    positions = np.asarray(fractional, dtype=float)
    if not (np.isfinite(basis).all() and np.isfinite(positions).all()) or not abs(np.linalg.det(basis)) > 1e-3:
        raise DataError("a lattice without volume, or positions that are not finite")
    points = np.ascontiguousarray((positions % 1) @ basis)
    periodic = np.ones(3, dtype=np.int64)
    first, second, _, distances = find_points_in_spheres(points, points, MIN_DISTANCE_A, periodic, basis, tol=1e-8)
    pairs = np.flatnonzero((first != second) | (distances > 1e-8))
    if len(pairs):
        pair = pairs[int(distances[pairs].argmin())]
        left, right = (SYMBOLS[int(numbers[int(atom)])] for atom in (first[pair], second[pair]))
        raise DataError(
            f"atoms on top of each other: {left} and {right} are {distances[pair]:.3f} A apart, allowed: "
            f"{MIN_DISTANCE_A} A or more"
        )
