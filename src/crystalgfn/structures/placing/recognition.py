"""From a crystal structure to its prototype: the Wyckoff position of each orbit with its free coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from crystalgfn.crystallography.cells import Array, checked_lattice, lattice_parameters
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.operations import group_operations
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.symmetry.search import find_symmetry
from crystalgfn.errors import DataError
from crystalgfn.structures.placing.prototypes import Prototype

_SHIFTS = np.array(list(product((0.0, -1.0, 1.0), repeat=3)))


def prototype_of(name: str, cell: Array, numbers: Array, fractional: Array, *, symprec: float = 0.05) -> Prototype:
    """Describe a crystal structure by its Wyckoff positions.

    Args:
        name: id of the prototype.
        cell: (3, 3) vectors of the cell in A, one in each row.
        numbers: (N,) atomic numbers.
        fractional: (N, 3) fractional coordinates.
        symprec: tolerance of the symmetry search in A.

    Raises:
        DataError: no symmetry is found, or an atom is not on the Wyckoff position named for it.
    """
    kinds = [int(z) for z in numbers]
    try:
        dataset = find_symmetry(cell, fractional, kinds, symprec=symprec)
    except DataError as error:
        raise DataError(f"structure {name!r}: no symmetry found within {symprec} A ({error})") from None
    standard, primitive = np.array(dataset.std_cell.basis), np.array(dataset.prim_std_cell.basis)
    points = np.array(dataset.prim_std_cell.positions) @ primitive @ np.linalg.inv(standard)
    group = group_operations(int(dataset.number))
    letters = list(group.positions)
    orbits = []
    for i in sorted(set(dataset.orbits)):
        letter = dataset.wyckoffs[i]
        free = _free_coordinates(group.number, letter, points[dataset.mapping_std_prim[i]])
        if free is None:
            raise DataError(f"structure {name!r}: atom {i} is not on position {letter} of space group {group.number}")
        orbits.append((kinds[i], letters.index(letter), tuple(round(float(u), 6) for u in free)))
    orbits.sort()
    sites = tuple((z, letters[rank]) for z, rank, _ in orbits)
    assignment = Assignment(group.number, sites)
    if sum(assignment.multiplicities) != len(dataset.std_cell.numbers):
        raise DataError(
            f"structure {name!r}: orbits of {sum(assignment.multiplicities)} atoms, "
            f"but its conventional cell has {len(dataset.std_cell.numbers)}"
        )
    return Prototype(
        name,
        reduced_formula(assignment.counts),
        group.number,
        assignment.sites,
        tuple(u for _, _, free in orbits for u in free),
        tuple(round(float(x), 5) for x in checked_lattice(group.number, lattice_parameters(standard).tolist())),
    )


def reduced_formula(counts: Mapping[int, int]) -> str:
    """Reduced formula in pymatgen's spelling."""
    from pymatgen.core import Composition

    return str(Composition({SYMBOLS[z]: n for z, n in counts.items()}).reduced_formula)


def _free_coordinates(space_group: int, letter: str, point: Array) -> Array | None:
    """Free coordinates (F,) of the orbit of a point on a Wyckoff position; None if the point is not on it."""
    group = group_operations(space_group)
    position = group.position(letter)
    linear, start = position.linear[0], position.shift[0]
    images = (group.rotations @ point + group.translations)[:, None] + group.centering
    offset = images.reshape(-1, 3) - start
    offset -= np.rint(offset)
    offset = (offset[:, None] + _SHIFTS).reshape(-1, 3)
    free = offset @ np.linalg.pinv(linear).T
    residual = np.abs(offset - free @ linear.T).max(axis=1)
    best = int(residual.argmin())
    return free[best] % 1.0 if residual[best] < 1e-3 else None
