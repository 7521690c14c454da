"""Cells: from lattice parameters of the conventional cell to vectors, and to a reduced primitive cell.

Cells are (3, 3) float64 in A, one lattice vector per row, so Cartesian = fractional @ cell.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystallography.lattices import cell_volume, is_valid_cell, satisfies_lattice_system
from crystalgfn.crystallography.operations import group_operations
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS
from crystalgfn.crystallography.symmetry.search import reduced_cell
from crystalgfn.errors import DataError

Array = NDArray[np.float64]

METRIC_TOLERANCE = 1e-3
"""Largest relative deviation from the metric of the lattice system that is taken as rounding and corrected."""


def checked_lattice(space_group: int, lattice: Sequence[float]) -> Array:
    """Return the lattice parameters, corrected to the exact metric of the group's lattice system.

    Args:
        space_group: international number, 1..230.
        lattice: (6,) a, b, c in A and alpha, beta, gamma in degree, of the ITA conventional cell (hexagonal axes for
            the rhombohedral groups).

    Returns:
        (6,) float64; differs from ``lattice`` by a relative 1e-3 at most.

    Raises:
        DataError: no such group, not six finite numbers, a cell without volume, or not the group's lattice system.
    """
    if not 1 <= space_group <= 230:
        raise DataError(f"space group is {space_group}; allowed are 1 to 230")
    try:
        values = np.array([float(value) for value in lattice])
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape != (6,):
        raise DataError(f"lattice is {lattice}; allowed are six numbers: a, b, c in A, alpha, beta, gamma in degree")
    shown = ", ".join(f"{value:.6g}" for value in values)
    if not bool(is_valid_cell(torch.from_numpy(values[None]))[0]):
        raise DataError(f"lattice ({shown}) is no cell; allowed are finite lengths above 0 and angles with a volume")
    system = int(CRYSTAL_LATTICE_SYSTEM[space_group])
    if not bool(satisfies_lattice_system(torch.from_numpy(values[None]), torch.tensor([system]), METRIC_TOLERANCE)[0]):
        raise DataError(
            f"lattice ({shown}) is not {CRYSTAL_LATTICE_SYSTEMS[system - 1]}, as space group {space_group} demands of "
            "its conventional cell"
        )
    if system >= 2:
        values[[3, 5]] = 90.0
    if system >= 3:
        values[4] = 90.0
    if 5 <= system <= 7:
        values[5] = 120.0
    if 4 <= system <= 7:
        values[:2] = values[:2].mean()
    if system == 8:
        values[:3] = values[:3].mean()
    return values


def cell_vectors(lattice: Array) -> Array:
    """Cell (3, 3) in A of lattice parameters (6,): a along x, b in the xy plane."""
    a, b, c = lattice[:3]
    alpha, beta, gamma = np.deg2rad(lattice[3:])
    volume = float(cell_volume(torch.from_numpy(np.ascontiguousarray(lattice))[None])[0])
    cx = c * np.cos(beta)
    cy = c * (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    cell = np.array([[a, 0, 0], [b * np.cos(gamma), b * np.sin(gamma), 0], [cx, cy, volume / (a * b * np.sin(gamma))]])
    cell[np.abs(cell) < 1e-12 * np.abs(cell).max()] = 0.0
    return cell


def lattice_parameters(cell: Array) -> Array:
    """Lattice parameters (6,) in A and degree of a cell (3, 3) in A; the inverse of :func:`cell_vectors`."""
    a, b, c = cell
    angles = [
        np.arctan2(np.linalg.norm(np.cross(left, right)), left @ right) for left, right in ((b, c), (a, c), (a, b))
    ]
    # the arc tangent keeps 90 and 120 degrees to the last digits, where the arc cosine does not
    return np.concatenate([np.linalg.norm(cell, axis=1), np.round(np.degrees(angles), 10)])


@cache
def primitive_basis(space_group: int) -> Array:
    """Vectors (3, 3) of a primitive cell, one per row, in fractions of the conventional vectors."""
    centering = group_operations(space_group).centering
    vectors = np.unique(
        np.concatenate([np.eye(3), centering, centering - 1, *(centering - e for e in np.eye(3))]), axis=0
    )
    vectors = vectors[np.argsort((vectors**2).sum(axis=1), kind="stable")]
    for rows in itertools.combinations(vectors, 3):
        if abs(np.linalg.det(np.array(rows)) - 1 / len(centering)) < 1e-9:
            return np.array(rows)
    raise AssertionError(f"no primitive cell of space group {space_group}")


def primitive_cell(space_group: int, cell: Array) -> Array:
    """Minkowski-reduced primitive cell (3, 3) in A of a conventional cell (3, 3) in A."""
    return reduced_cell(primitive_basis(space_group) @ cell)
