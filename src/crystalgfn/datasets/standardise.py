"""The ITA conventional cell, space group and Wyckoff positions of any structure, found with moyopy.

Cell convention: unique axis b for monoclinic groups, hexagonal axes for the seven rhombohedral ones, origin choice 2.
Structures come from relaxations that leave atoms some hundredths of an angstrom off their symmetric positions: the
tolerance is 0.05 A, as for the crystals the property models are trained on, and 0.01 A where that finds no group.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from crystalgfn.crystallography import space_groups
from crystalgfn.crystallography.cells import lattice_parameters
from crystalgfn.crystallography.distances import check_distances
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.symmetry.search import find_symmetry
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC_A = (0.05, 0.01)
"""Tolerances of the symmetry search in A, tried in this order."""


@dataclass(frozen=True)
class ConventionalCell:
    """A crystal in its ITA conventional cell.

    Attributes:
        space_group: international number, 1..230.
        counts: atoms in the conventional cell by atomic number.
        lattice: a, b, c in A and alpha, beta, gamma in degree.
        wyckoff: occupied positions as (symbol, letter, multiplicity), sorted; letters depend on the choice of origin.
    """

    space_group: int
    counts: dict[int, int]
    lattice: tuple[float, float, float, float, float, float]
    wyckoff: tuple[tuple[str, str, int], ...]


def conventional_cell(structure: Structure) -> ConventionalCell:
    """Return the conventional cell of a pymatgen structure, whatever cell it is given in.

    Raises:
        DataError: partial occupancies, sites that are no element, atoms on top of each other, or no space group within
            either tolerance.
    """
    if not structure.is_ordered:
        raise DataError("disordered: some sites are partly occupied")
    if not len(structure):
        raise DataError("no atoms")
    try:
        numbers = [int(site.specie.Z) for site in structure]
    except AttributeError as error:
        raise DataError(f"sites that are no element: {error}") from None
    basis, positions = np.asarray(structure.lattice.matrix), np.asarray(structure.frac_coords)
    check_distances(basis, positions, numbers)
    return find_cell(basis, positions, numbers)


def find_cell(basis: np.ndarray, positions: np.ndarray, numbers: list[int]) -> ConventionalCell:
    """Return the conventional cell of atoms in any cell.

    Args:
        basis: (3, 3) lattice vectors as rows, A.
        positions: (N, 3) fractional coordinates.
        numbers: (N,) atomic numbers.

    Raises:
        DataError: numbers that are not finite, a flat cell, unknown elements, or no space group at either tolerance.
    """
    if not (np.isfinite(basis).all() and np.isfinite(positions).all()):
        raise DataError("lattice or positions that are not finite")
    if any(not 1 <= z <= 118 for z in numbers):
        raise DataError(f"atomic numbers from {min(numbers)} to {max(numbers)}, allowed: 1..118")
    reasons = []
    for symprec in SYMPREC_A:
        try:
            return _search(basis, positions, numbers, symprec)
        except DataError as error:
            reasons.append(f"{error} (tolerance {symprec} A)")
    raise DataError("no conventional cell: " + "; ".join(reasons))


def _search(basis: np.ndarray, positions: np.ndarray, numbers: list[int], symprec: float) -> ConventionalCell:
    symmetry = find_symmetry(basis, positions, numbers, symprec=symprec)
    group = int(symmetry.number)
    counts = dict(Counter(int(z) for z in symmetry.std_cell.numbers))
    multiplicity = _multiplicities(group)
    wyckoff = sorted(
        (SYMBOLS[numbers[orbit]], symmetry.wyckoffs[orbit], multiplicity[symmetry.wyckoffs[orbit]])
        for orbit in set(symmetry.orbits)
    )
    # an orbit that the tolerance split or merged shows here
    if sum(position[2] for position in wyckoff) != sum(counts.values()):
        raise DataError(
            f"Wyckoff positions of space group {group} that do not add up to its {sum(counts.values())} atoms"
        )
    if any(n % int(space_groups.CENTERING_MULTIPLICITY[group]) for n in counts.values()):
        raise DataError(f"counts {counts} that the centering of space group {group} does not allow")
    a, b, c, alpha, beta, gamma = lattice_parameters(np.asarray(symmetry.std_cell.basis)).tolist()
    return ConventionalCell(group, counts, (a, b, c, alpha, beta, gamma), tuple(wyckoff))


@lru_cache(maxsize=230)
def _multiplicities(group: int) -> dict[str, int]:
    return {position.letter: position.multiplicity for position in WYCKOFF[group]}
