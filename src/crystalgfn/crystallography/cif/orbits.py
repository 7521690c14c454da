"""The atoms of a cell from its sites and symmetry operations, none of them on top of another.

Coordinates are rounded: 0.33, 0.67 for a point on a threefold axis. A site whose images lie within half an angstrom of
it is moved onto the special position if that is near, and refused otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.cif.group import Operations
from crystalgfn.crystallography.cif.sites import AtomSite
from crystalgfn.crystallography.distances import MIN_DISTANCE_A
from crystalgfn.errors import DataError

SNAP_A = 0.1
"""Largest distance, A, from a site to the special position that it is meant to be on."""

SAME_A = 0.01
"""Sites of one element nearer than this, A, are one site."""

MAX_ATOMS = 20_000
"""Most atoms of a cell."""

Floats = NDArray[np.float64]


def expand(sites: Sequence[AtomSite], operations: Operations, cell: Floats) -> tuple[list[int], Floats, float]:
    """Return the atoms of the cell: atomic numbers (N,), fractional coordinates (N, 3), and their mass in g/mol.

    Args:
        sites: sites of the data block.
        operations: symmetry operations.
        cell: (3, 3) lattice vectors as rows, A.

    Raises:
        DataError: a site near a special position but not on it, two sites of different elements at one place, or too
            many atoms. Atoms of different orbits that are near each other are left for the caller to find.
    """
    numbers: list[int] = []
    positions: list[Floats] = []
    owners: list[str] = []
    mass = 0.0
    for site in sites:
        points = orbit(site.label, site.position, operations, cell)
        first = points[0]
        if len(positions):
            near = np.flatnonzero(_distances(np.concatenate(positions) - first, cell) < SAME_A)
            if len(near) and numbers[near[0]] == site.number:
                continue
            if len(near):
                raise DataError(f"two elements at one place: sites {owners[near[0]]} and {site.label}")
        numbers += [site.number] * len(points)
        owners += [site.label] * len(points)
        positions.append(points)
        mass += site.mass * len(points)
        if len(numbers) > MAX_ATOMS:
            raise DataError(f"more than {MAX_ATOMS:,} atoms in the cell")
    return numbers, np.concatenate(positions), mass


def orbit(label: str, position: Floats, operations: Operations, cell: Floats) -> Floats:
    """Return the images (M, 3) of a site in the cell, each once.

    Raises:
        DataError: images nearer than ``MIN_DISTANCE_A`` that are not one point within :data:`SNAP_A`.
    """
    images = operations.rotations @ position + operations.translations
    offsets = images - position
    offsets -= np.round(offsets)
    near = _distances(offsets, cell) < MIN_DISTANCE_A
    moved = position + offsets[near].mean(axis=0)
    shift = float(_distances((moved - position)[None], cell)[0])
    images = operations.rotations @ moved + operations.translations
    offsets = images - moved
    fixed = _distances(offsets - np.round(offsets), cell) < SAME_A
    if shift > SNAP_A or (fixed != near).any():
        apart = _distances(operations.rotations @ position + operations.translations - position, cell)
        nearest = float(apart[apart > 1e-6].min(initial=MIN_DISTANCE_A))
        raise DataError(
            f"atoms on top of each other: site {label} lies {nearest:.2f} A from its own image, allowed: "
            f"{MIN_DISTANCE_A} A or more, or within {SNAP_A} A of a special position"
        )
    points: list[Floats] = []
    for image in images % 1:
        if not points or _distances(np.array(points) - image, cell).min() > SAME_A:
            points.append(image)
    return np.array(points)


def _distances(offsets: Floats, cell: Floats) -> Floats:
    """Lengths (N,) in A of fractional vectors (N, 3), wrapped; exact for those below half a spacing of the planes."""
    return np.linalg.norm((offsets - np.round(offsets)) @ cell, axis=-1)
