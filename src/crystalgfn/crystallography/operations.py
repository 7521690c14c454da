"""Symmetry operations of the 230 space groups, coordinates of their Wyckoff positions, and their normalizers.

Fractional coordinates of the ITA conventional cell, in the setting of the letters of
:data:`~crystalgfn.crystallography.wyckoff.WYCKOFF`: monoclinic unique axis b and cell choice 1, hexagonal axes for the
rhombohedral groups, origin choice 2. ``scripts/data/build_tables.py`` derives the tables from pyxtal.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError, nearest

_TERM = re.compile(r"([+-]?)(\d*)([xyz]|/\d+|)")
_GENERIC = np.array([0.137_129, 0.271_907, 0.418_313])
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Position:
    """The points of one Wyckoff position as affine maps of its F free coordinates.

    The M points of the orbit with free coordinates u (F,) are ``linear @ u + shift`` modulo 1; the first
    M / C points, with C centering translations, are one point of each set that these translations connect. Uniform u in
    [0, 1)^F cover the position evenly; some u give a more symmetric point, where points of the orbit coincide.

    Attributes:
        letter: Wyckoff letter.
        linear: (M, 3, F) float64.
        shift: (M, 3) float64, in [0, 1).
    """

    letter: str
    linear: NDArray[np.float64]
    shift: NDArray[np.float64]

    @property
    def multiplicity(self) -> int:
        """Points in the conventional cell, M."""
        return len(self.shift)

    @property
    def degrees_of_freedom(self) -> int:
        """Free coordinates, F in 0..3."""
        return int(self.linear.shape[2])

    def coordinates(self, free: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractional coordinates (..., M, 3), not wrapped into the cell, of orbits with free coordinates (..., F)."""
        return np.einsum("mcf,...f->...mc", self.linear, free) + self.shift


@dataclass(frozen=True, eq=False)
class GroupOperations:
    """Operations of a space group: x -> ``rotations[i] @ x + translations[i]``, followed by a centering translation.

    Attributes:
        number: international number.
        centering: (C, 3) float64, the translations of the lattice within the conventional cell, 0 first.
        rotations: (N, 3, 3) int64, the identity first.
        translations: (N, 3) float64.
        positions: Wyckoff positions by letter, in the order of the letters.
    """

    number: int
    centering: NDArray[np.float64]
    rotations: NDArray[np.int64]
    translations: NDArray[np.float64]
    positions: dict[str, Position]

    def position(self, letter: str) -> Position:
        """Return the Wyckoff position with this letter.

        Raises:
            DataError: the group has no such letter.
        """
        try:
            return self.positions[letter]
        except KeyError:
            allowed = "".join(self.positions)
            near = nearest(letter, self.positions)
            raise DataError(
                f"space group {self.number} has no Wyckoff position {letter!r}{near}; allowed are the letters {allowed}"
            ) from None


@cache
def group_operations(space_group: int) -> GroupOperations:
    """Return the operations and positions of a space group: read once and cached, with read-only arrays.

    Args:
        space_group: international number, 1..230.

    Raises:
        DataError: there is no such space group.
    """
    row = _row(space_group)
    centering = _parse_all(row["centering"])[1]
    rotations, translations = _parse_all(row["operations"])
    positions = {
        wyckoff.letter: _position(wyckoff.letter, text, rotations, translations, centering)
        for wyckoff, text in zip(WYCKOFF[space_group], row["positions"], strict=True)
    }
    for array in (centering, rotations, translations):
        array.setflags(write=False)
    return GroupOperations(space_group, centering, rotations.astype(np.int64), translations, positions)


@cache
def letter_permutations(space_group: int) -> tuple[dict[str, str], ...]:
    """How the Euclidean normalizer of a space group permutes its Wyckoff letters: letter -> image, the identity first.

    The normalizer is that of a lattice with no more symmetry than the group demands, so that each permutation takes a
    crystal to the same crystal (or its mirror image), described from another origin or other axes of the same lengths.

    Args:
        space_group: international number, 1..230.

    Raises:
        DataError: there is no such space group.
    """
    letters = [position.letter for position in WYCKOFF[_checked(space_group)]]
    return tuple(dict(zip(letters, images, strict=True)) for images in _row(space_group)["normalizer"])


@cache
def affine_permutations(space_group: int) -> tuple[dict[str, str], ...]:
    """How the affine normalizer of a space group permutes its Wyckoff letters: letter -> image, the identity first.

    Beside the maps of :func:`letter_permutations`, those that exchange or shear axes of different lengths, and so take
    a crystal to another choice of its conventional cell: the axes of Pmmm in any order, a and c of P2/m, any basis of
    P-1. Orientation may be reversed: mirror images are one crystal. Two assignments of letters are descriptions of the
    same kind of crystal if and only if some permutation connects them.

    Args:
        space_group: international number, 1..230.

    Raises:
        DataError: there is no such space group.
    """
    euclidean = letter_permutations(space_group)
    rows = _affine_normalizers().get(str(space_group))
    return tuple(dict(zip(euclidean[0], images, strict=True)) for images in rows) if rows else euclidean


def parse_xyz(text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read a map in ITA notation, such as ``"x,-y+1/2,2x"``: (3, 3) matrix and (3,) shift."""
    matrix, shift = np.zeros((3, 3)), np.zeros(3)
    for row, part in enumerate(text.split(",")):
        for sign, number, rest in _TERM.findall(part):
            factor = (-1.0 if sign == "-" else 1.0) * float(number or 1)
            if rest in ("x", "y", "z"):
                matrix[row, "xyz".index(rest)] = factor
            elif number:
                shift[row] = factor / float(rest[1:] or 1)
    return matrix, shift


def _parse_all(texts: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    matrices, shifts = zip(*map(parse_xyz, texts), strict=True)
    return np.array(matrices), np.array(shifts)


def _position(
    letter: str,
    text: str,
    rotations: NDArray[np.float64],
    translations: NDArray[np.float64],
    centering: NDArray[np.float64],
) -> Position:
    """Apply the operations to the representative of a position, and keep each point once."""
    matrix, start = parse_xyz(text)
    linear = rotations @ matrix[:, np.abs(matrix).any(axis=0)]
    shift = rotations @ start + translations
    points = linear @ _GENERIC[: linear.shape[2]] + shift
    distinct: list[int] = []
    for i, point in enumerate(points):
        offset = points[distinct] - point
        images = offset[:, None] - centering
        if not (np.abs(images - np.rint(images)).max(axis=-1) < _TOLERANCE).any():
            distinct.append(i)
    shift = (shift[distinct] + centering[:, None]).reshape(-1, 3) % 1.0
    shift[shift > 1 - _TOLERANCE] = 0.0
    linear = np.tile(linear[distinct], (len(centering), 1, 1))
    linear.setflags(write=False)
    shift.setflags(write=False)
    return Position(letter, linear, shift)


def _checked(space_group: int) -> int:
    if not 1 <= space_group <= 230:
        raise DataError(f"space group is {space_group}; allowed are 1 to 230")
    return space_group


def _row(space_group: int) -> dict[str, Any]:
    row: dict[str, Any] = _table()[str(_checked(space_group))]
    return row


@cache
def _table() -> dict[str, Any]:
    return _read("operations.json")


@cache
def _affine_normalizers() -> dict[str, list[str]]:
    return _read("affine_normalizers.json")


def _read(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((files(__package__) / "data" / name).read_text())
    return table
