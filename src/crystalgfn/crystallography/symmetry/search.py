"""The symmetry of atoms in a cell, found with moyopy (https://spglib.github.io/moyo/), which only this module calls.

moyopy panics on a cell without atoms, with something that is no :class:`Exception`, and can search for ever in a cell
with a lattice vector of only a few tolerances. Both kinds of cells are refused beforehand, and whatever moyopy raises
becomes a :class:`~crystalgfn.errors.DataError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import moyopy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from crystalgfn.errors import DataError

if TYPE_CHECKING:
    from pymatgen.core import Structure

MIN_VECTOR = 15.0
"""Least length of a lattice vector, in tolerances of the search.

moyopy 0.21 did not return for rhombohedral cells of 4 A with a vector of 8 tolerances of 0.05 A or 12 of 0.01 A, and
returned with 9 of 0.05 A and 17 of 0.01 A. No crystal has a lattice vector below 2 A, 20 times the widest tolerance.
"""

VERSION = str(moyopy.__version__)
"""Version of moyopy."""


def find_symmetry(
    cell: ArrayLike, fractional: ArrayLike, numbers: Sequence[int] | NDArray[np.int64], *, symprec: float
) -> moyopy.MoyoDataset:
    """Find space group, standard cells (International Tables: hexagonal axes, second origin) and Wyckoff positions.

    Args:
        cell: (3, 3) lattice vectors in A, one per row.
        fractional: (N, 3) fractional coordinates.
        numbers: (N,) atomic numbers.
        symprec: tolerance, A.

    Raises:
        DataError: no atoms, shapes that do not fit, numbers that are not finite, a flat cell or one with a lattice
            vector below :data:`MIN_VECTOR` tolerances, or no symmetry found.
    """
    basis, positions = np.asarray(cell, dtype=float), np.asarray(fractional, dtype=float)
    kinds = [int(z) for z in numbers]
    if not kinds:
        raise DataError("no atoms; allowed: 1 or more")
    if basis.shape != (3, 3) or positions.shape != (len(kinds), 3):
        raise DataError(
            f"a lattice of shape {basis.shape} and positions of shape {positions.shape}; allowed: (3, 3) and "
            f"({len(kinds)}, 3), as there are {len(kinds)} atoms"
        )
    if not (np.isfinite(basis).all() and np.isfinite(positions).all()):
        raise DataError("lattice or positions that are not finite")
    shortest = float(np.linalg.norm(reduced_cell(basis), axis=1).min())
    if shortest < MIN_VECTOR * symprec:
        raise DataError(
            f"a flat cell: its shortest lattice vector is {shortest:.2g} A, allowed: {MIN_VECTOR * symprec:g} A or more"
        )
    try:
        crystal = moyopy.Cell(basis.tolist(), positions.tolist(), kinds)
        return moyopy.MoyoDataset(crystal, symprec=symprec, setting=moyopy.Setting.standard())
    except BaseException as error:
        raise _refusal(error) from None


def find_group(structure: Structure, symprec: float) -> int:
    """Return the number of the space group that a structure has within ``symprec`` (A); 0 where none is found."""
    lattice, fractional = structure.lattice.matrix, structure.frac_coords
    try:
        return int(find_symmetry(lattice, fractional, structure.atomic_numbers, symprec=symprec).number)
    except DataError:
        return 0


def reduced_cell(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Minkowski-reduced cell (3, 3) in A of a cell (3, 3) in A.

    Raises:
        DataError: the cell is flat, or not finite.
    """
    try:
        reduced, _ = moyopy.minkowski_reduce(cell.tolist())
    except BaseException as error:
        raise DataError(f"a flat cell: its lattice vectors enclose no volume ({_refusal(error)})") from None
    return np.array(reduced)


@lru_cache(maxsize=230)
def group_symbol(number: int) -> str:
    """Return the short Hermann-Mauguin symbol of a space group with blanks between directions, as CIF files have it."""
    return str(moyopy.SpaceGroupType(number).hm_short)


def _refusal(error: BaseException) -> DataError:
    """Return an error of moyopy as a DataError; raise any other again."""
    panic = type(error).__name__ == "PanicException"  # pyo3's, which no module exports
    if isinstance(error, MemoryError) or not (panic or isinstance(error, Exception)):
        raise error
    return DataError(f"moyopy: {' '.join(str(error).split())[:200]}")
