"""The 32 crystallographic point groups: names, recognition by rotations, and the site symmetry of Wyckoff positions.

Names are Hermann-Mauguin symbols of the class, whatever its orientation: ``.3m``, ``3m1`` and ``31m`` are all ``3m``.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.operations import group_operations
from crystalgfn.errors import DataError, nearest

_KINDS = ("1", "2", "3", "4", "6", "-1", "m", "-3", "-4", "-6")
"""Kinds of rotations; below, how many of each a point group has."""

_NUMBERS = {
    "1": (1, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    "-1": (1, 0, 0, 0, 0, 1, 0, 0, 0, 0),
    "2": (1, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    "m": (1, 0, 0, 0, 0, 0, 1, 0, 0, 0),
    "2/m": (1, 1, 0, 0, 0, 1, 1, 0, 0, 0),
    "222": (1, 3, 0, 0, 0, 0, 0, 0, 0, 0),
    "mm2": (1, 1, 0, 0, 0, 0, 2, 0, 0, 0),
    "mmm": (1, 3, 0, 0, 0, 1, 3, 0, 0, 0),
    "4": (1, 1, 0, 2, 0, 0, 0, 0, 0, 0),
    "-4": (1, 1, 0, 0, 0, 0, 0, 0, 2, 0),
    "4/m": (1, 1, 0, 2, 0, 1, 1, 0, 2, 0),
    "422": (1, 5, 0, 2, 0, 0, 0, 0, 0, 0),
    "4mm": (1, 1, 0, 2, 0, 0, 4, 0, 0, 0),
    "-42m": (1, 3, 0, 0, 0, 0, 2, 0, 2, 0),
    "4/mmm": (1, 5, 0, 2, 0, 1, 5, 0, 2, 0),
    "3": (1, 0, 2, 0, 0, 0, 0, 0, 0, 0),
    "-3": (1, 0, 2, 0, 0, 1, 0, 2, 0, 0),
    "32": (1, 3, 2, 0, 0, 0, 0, 0, 0, 0),
    "3m": (1, 0, 2, 0, 0, 0, 3, 0, 0, 0),
    "-3m": (1, 3, 2, 0, 0, 1, 3, 2, 0, 0),
    "6": (1, 1, 2, 0, 2, 0, 0, 0, 0, 0),
    "-6": (1, 0, 2, 0, 0, 0, 1, 0, 0, 2),
    "6/m": (1, 1, 2, 0, 2, 1, 1, 2, 0, 2),
    "622": (1, 7, 2, 0, 2, 0, 0, 0, 0, 0),
    "6mm": (1, 1, 2, 0, 2, 0, 6, 0, 0, 0),
    "-6m2": (1, 3, 2, 0, 0, 0, 4, 0, 0, 2),
    "6/mmm": (1, 7, 2, 0, 2, 1, 7, 2, 0, 2),
    "23": (1, 3, 8, 0, 0, 0, 0, 0, 0, 0),
    "m-3": (1, 3, 8, 0, 0, 1, 3, 8, 0, 0),
    "432": (1, 9, 8, 6, 0, 0, 0, 0, 0, 0),
    "-43m": (1, 3, 8, 0, 0, 0, 6, 0, 6, 0),
    "m-3m": (1, 9, 8, 6, 0, 1, 9, 8, 6, 0),
}
_BY_NUMBERS: dict[tuple[int, ...], str] = {numbers: name for name, numbers in _NUMBERS.items()}

POINT_GROUPS: tuple[str, ...] = tuple(_NUMBERS)
"""Names of the 32 classes."""

_OTHER_SETTINGS = {
    "2mm": "mm2",
    "m2m": "mm2",
    "-4m2": "-42m",
    "-62m": "-6m2",
    "312": "32",
    "321": "32",
    "3m1": "3m",
    "31m": "3m",
    "-3m1": "-3m",
    "-31m": "-3m",
    "m3": "m-3",
    "m3m": "m-3m",
}

_KIND_OF = {
    (1, 3): "1",
    (1, -1): "2",
    (1, 0): "3",
    (1, 1): "4",
    (1, 2): "6",
    (-1, -3): "-1",
    (-1, 1): "m",
    (-1, 0): "-3",
    (-1, -1): "-4",
    (-1, -2): "-6",
}
"""Kind of a rotation by its determinant and trace."""

_GENERIC = np.array([0.137_129, 0.271_907, 0.418_313])
_TOLERANCE = 1e-6


def point_group_named(symbol: str) -> str:
    """The class that a symbol names, with or without the dots and spaces that say how it is oriented.

    Args:
        symbol: such as ``-43m``, ``.3m``, ``4/m m m`` or ``m.2m``.

    Raises:
        DataError: no such symbol; the message names the nearest.
    """
    bare = symbol.strip().replace(".", "").replace(" ", "")
    name = _OTHER_SETTINGS.get(bare, bare)
    if name not in _NUMBERS:
        raise DataError(
            f"site symmetry {symbol!r}: unknown, allowed: {' '.join(POINT_GROUPS)}{nearest(bare, _NUMBERS)}"
        )
    return name


def point_group_of(rotations: NDArray[np.int64]) -> str:
    """The class of a group of rotations ``(N, 3, 3)``: the numbers of rotations of each kind tell all classes apart."""
    kinds = Counter(_KIND_OF[round(float(np.linalg.det(r))), int(np.trace(r))] for r in rotations)
    return _BY_NUMBERS[tuple(kinds[kind] for kind in _KINDS)]


@cache
def site_point_group(space_group: int, letter: str) -> str:
    """Site symmetry of a Wyckoff position: the class of the rotations that leave a point of it where it is.

    Counted from the operations of the group, apart from the table behind :func:`site_symmetries`.

    Args:
        space_group: international number, 1..230.
        letter: Wyckoff letter.

    Raises:
        DataError: there is no such space group or letter.
    """
    group = group_operations(space_group)
    position = group.position(letter)
    point = position.linear[0] @ _GENERIC[: position.degrees_of_freedom] + position.shift[0]
    moved = (group.rotations @ point + group.translations - point)[:, None] + group.centering
    stays = (np.abs(moved - np.rint(moved)).max(axis=2) < _TOLERANCE).any(axis=1)
    return point_group_of(group.rotations[stays])


@cache
def _table() -> dict[str, list[str]]:
    table: dict[str, list[str]] = json.loads((files(__package__) / "data" / "site_symmetries.json").read_text())
    return table


def site_symmetries(space_group: int) -> tuple[str, ...]:
    """Site symmetry of each Wyckoff position of a group (1-230), in the order of the letters."""
    return tuple(_table()[str(space_group)])
