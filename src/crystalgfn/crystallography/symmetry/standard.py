"""A crystal in the standard setting of its space group: one atom per orbit, coordinates and cell exactly symmetric.

The setting is that of the International Tables: hexagonal axes for rhombohedral groups, second origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.cells import lattice_parameters
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.operations import group_operations
from crystalgfn.crystallography.symmetry.search import find_symmetry, group_symbol
from crystalgfn.errors import DataError

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC = 0.1
"""Tolerance (A) within which a structure is symmetrised."""

_SAME = 1e-5  # largest difference of fractional coordinates of one place, after moyopy has averaged them


@dataclass(frozen=True)
class Site:
    """An orbit of atoms.

    Attributes:
        symbol: element.
        wyckoff: Wyckoff letter.
        multiplicity: atoms of the orbit in the conventional cell.
        position: fractional coordinates (3,) of one of these atoms.
    """

    symbol: str
    wyckoff: str
    multiplicity: int
    position: tuple[float, float, float]


@dataclass(frozen=True)
class Symmetrised:
    """A crystal in the standard setting of its space group.

    Attributes:
        space_group: number.
        symbol: Hermann-Mauguin symbol, short.
        lattice: a, b, c (A), alpha, beta, gamma (degree) of the conventional cell.
        sites: one per orbit.
    """

    space_group: int
    symbol: str
    lattice: tuple[float, ...]
    sites: tuple[Site, ...]

    def positions(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return atomic numbers (n,) and fractional coordinates (n, 3) of the conventional cell."""
        numbers = [SYMBOLS.index(site.symbol) for site in self.sites for _ in range(site.multiplicity)]
        orbits = [_orbit(self.space_group, np.array(site.position)) for site in self.sites]
        return np.array(numbers), np.concatenate(orbits)

    def structure(self) -> Structure:
        """Return the conventional cell for pymatgen."""
        from pymatgen.core import Lattice, Structure

        return Structure(Lattice.from_parameters(*self.lattice), *self.positions())


def symmetrise(structure: Structure, *, symprec: float = SYMPREC) -> Symmetrised:
    """Put a crystal into the standard setting of the space group that it has within ``symprec`` (A).

    Coordinates are averaged over the site symmetry, cells over the lattice system. While the
    result is inconsistent (too many atoms would fall together), the tolerance is halved; P1 is always consistent.

    Raises:
        DataError: no atoms, a flat cell, coordinates that are not finite, or a structure without any symmetry, not even
            P1, such as one with atoms on top of each other.
    """
    tolerance = symprec
    while tolerance > 1e-6:
        crystal = _symmetrised(structure, tolerance)
        if crystal is not None:
            return crystal
        tolerance /= 2
    reason = ""
    try:
        find_symmetry(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers, symprec=symprec)
    except DataError as error:
        reason = f": {error}"
    raise DataError(f"{structure.composition.reduced_formula}: no space group can be assigned, not even P1{reason}")


def _symmetrised(structure: Structure, symprec: float) -> Symmetrised | None:
    try:
        first = find_symmetry(
            structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers, symprec=symprec
        )
        cell = first.std_cell
        again = find_symmetry(cell.basis, cell.positions, cell.numbers, symprec=min(symprec, 1e-3))
    except DataError:
        return None
    number = int(first.number)
    if int(again.number) != number:
        return None
    positions, numbers = np.asarray(cell.positions), np.asarray(cell.numbers)
    # orbits are made with the operations of the tables, which are exact, not with those of moyopy
    left, sites = set(range(len(numbers))), []
    for atom in range(len(numbers)):
        if atom not in left:
            continue
        position = _on_site(number, positions[atom])
        orbit = _orbit(number, position)
        members = set()
        for image in orbit:
            same = [i for i in left if numbers[i] == numbers[atom] and _apart(positions[i], image) < 10 * _SAME]
            if len(same) != 1:
                return None
            members.add(same[0])
        if len(members) != len(orbit):
            return None
        left -= members
        x, y, z = (float(c) for c in position)
        sites.append(Site(SYMBOLS[int(numbers[atom])], str(again.wyckoffs[atom]), len(orbit), (x, y, z)))
    return Symmetrised(number, group_symbol(number), _lattice(number, np.asarray(cell.basis)), tuple(sites))


@lru_cache(maxsize=230)
def operations(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotations (G, 3, 3) and translations (G, 3) of the conventional cell, the centring translations included."""
    group = group_operations(number)
    rotations = np.tile(group.rotations.astype(float), (len(group.centering), 1, 1))
    translations = (group.translations + group.centering[:, None]).reshape(-1, 3) % 1
    return rotations, translations


def _on_site(number: int, position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the position averaged over the operations that leave it in place."""
    rotations, translations = operations(number)
    images = rotations @ position + translations
    difference = images - position
    difference -= np.round(difference)
    fixed = np.abs(difference).max(axis=1) < 10 * _SAME
    return (position + difference[fixed].mean(axis=0)) % 1


def _orbit(number: int, position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the images (m, 3) of a position, each once, the position first."""
    rotations, translations = operations(number)
    images = (rotations @ position + translations) % 1
    distinct: list[NDArray[np.float64]] = []
    for image in images:
        if not distinct or min(_apart(image, other) for other in distinct) > _SAME:
            distinct.append(image)
    return np.array(distinct)


def _apart(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    difference = left - right
    return float(np.abs(difference - np.round(difference)).max())


def _lattice(number: int, basis: NDArray[np.float64]) -> tuple[float, ...]:
    """Return a, b, c, alpha, beta, gamma (A, degree) with the equalities of the crystal system exact."""
    a, b, c, alpha, beta, gamma = (float(x) for x in lattice_parameters(basis))
    if number >= 195:
        a = b = c = (a + b + c) / 3
    elif number >= 75:
        a = b = (a + b) / 2
    if number >= 16:
        alpha = beta = gamma = 90.0
        if 143 <= number <= 194:
            gamma = 120.0
    elif number >= 3:
        alpha = gamma = 90.0
    return a, b, c, alpha, beta, gamma
