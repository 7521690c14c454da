"""The symmetry operations of a data block: those that it lists, or those of the space group that it names.

A list is taken as it stands if it is a group that the cell has. Without a list, the name may leave the axes or the
origin open: then there are several candidates, and the rest of the file has to decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.cif.blocks import Block
from crystalgfn.crystallography.symmetry import settings
from crystalgfn.crystallography.symmetry.settings import GroupSetting
from crystalgfn.errors import DataError

LISTS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_operation_xyz_",
    "_symmetry_equiv_pos_as_xyz_",
)
SYMBOLS = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m",
    "_space_group_name_h-m_ref",
    "_space_group_name_h-m_full",
    "_symmetry_space_group_name_h-m_full",
)
HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")

METRIC_TOLERANCE = 0.02
"""Largest change of the metric by an operation, relative to its largest component: relaxed cells are a little off."""

_NUMBER = "the number"
_TRANSLATION = 0.005  # rounded decimals of a translation that is a multiple of 1/24
_TERM = re.compile(r"([+-]?)(?:(\d+)/(\d+)|(\d*\.\d+|\d+\.?)|([xyz]))")


@dataclass(frozen=True, eq=False)
class Operations:
    """Symmetry operations x -> ``rotations[i] @ x + translations[i]``.

    Attributes:
        rotations: (G, 3, 3) int64.
        translations: (G, 3) float64, in [0, 1).
        number: international number of their space group.
        title: where they come from, for messages.
    """

    rotations: NDArray[np.int64]
    translations: NDArray[np.float64]
    number: int
    title: str


@dataclass(frozen=True)
class Group:
    """The symmetry of a data block.

    Attributes:
        candidates: operations that the block may mean, one or more.
        declared: number of the space group that the block names, or None.
        listed: whether the operations are listed.
    """

    candidates: tuple[Operations, ...]
    declared: int | None
    listed: bool


def read_group(block: Block, cell: NDArray[np.float64]) -> Group:
    """Return the symmetry operations of a block, P1 where it has neither operations nor a space group.

    Args:
        block: the data block.
        cell: (3, 3) lattice vectors as rows, A.

    Raises:
        DataError: operations that cannot be read or are no group, names that contradict each other, an unknown space
            group without a list, or a cell without the symmetry.
    """
    if any(name.startswith("_space_group_symop_magn") for name in block.values):
        raise DataError("a magnetic CIF, allowed: one with _space_group_symop_operation_xyz")
    if any(name.startswith(("_space_group_symop_ssg", "_cell_wave_vector")) for name in block.values):
        raise DataError("a modulated structure, allowed: three-dimensional ones")
    named, symbol, clash = _declared(block)
    numbers = {setting.number for setting in named}
    declared = numbers.pop() if len(numbers) == 1 else None
    texts = tuple(text for text in _listed(block) if text is not None)
    if texts:
        listed = _from_list(texts)
        if not _has_symmetry(cell, listed):
            raise DataError(f"the cell does not have the symmetry of the {len(texts)} operations that are listed")
        if symbol and not named and listed.number == 1:
            raise DataError(f"unknown space group {symbol!r} with the operation x,y,z alone")
        return Group((listed,), declared, listed=True)
    if not named:
        if symbol:
            raise DataError(f"unknown space group {symbol!r} and no list of operations, allowed: one of the two")
        return Group((_from_list(("x,y,z",)),), None, listed=False)
    if clash:
        raise DataError(clash)
    candidates = [_of_setting(setting) for setting in named]
    fitting = [(s, o) for s, o in zip(named, candidates, strict=True) if _has_symmetry(cell, o)]
    if not fitting:
        raise DataError(f"the cell does not have the symmetry of {' or '.join(s.title for s in named[:3])}")
    if 3 <= fitting[0][0].number <= 15:  # the unique axis that short symbols mean, where the cell leaves it open
        fitting = [(s, o) for s, o in fitting if s.axis == fitting[0][0].axis]
    return Group(tuple(operations for _, operations in fitting), declared, listed=False)


def _listed(block: Block) -> list[str | None]:
    """Return the listed operations; where two names hold a list, the longer one."""
    return max((block.values.get(name, []) for name in LISTS), key=len)


def _declared(block: Block) -> tuple[list[GroupSetting], str, str]:
    """Return the settings that the names of a block allow together, a symbol that stands there, and a contradiction.

    Raises:
        DataError: names of different space groups.
    """
    groups: list[tuple[str, list[GroupSetting]]] = []
    symbol = ""
    if text := block.value(*HALL):
        setting = settings.hall(text)
        if setting is not None:
            groups.append((text, [setting]))
    for name in SYMBOLS:
        if text := block.value(name):
            symbol = symbol or text
            if found := settings.named(text):
                groups.append((text, found))
    value = block.number(*NUMBERS)
    if value is not None:
        if value not in range(1, 231):
            raise DataError(f"space group number {value:g}, allowed: 1 to 230")
        if groups or not symbol:
            groups.append((_NUMBER, settings.numbered(int(value))))
    for text, found in groups[1:]:
        if found[0].number != groups[0][1][0].number:
            raise DataError(
                f"space groups that contradict each other: {groups[0][0]} is {groups[0][1][0].number}, "
                f"{text} is {found[0].number}"
            )
    common, clash = list(groups[0][1]) if groups else [], ""
    for text, found in groups[1:]:
        both = [setting for setting in common if setting in found]
        if not both and text != _NUMBER:  # a number alone says nothing of the setting
            clash = f"settings that contradict each other: {groups[0][0]} and {text}, allowed: one of them"
        common = both or common
    return common, symbol, clash


@lru_cache(maxsize=600)
def _of_setting(setting: GroupSetting) -> Operations:
    return Operations(*setting.operations(), setting.number, setting.title)


@lru_cache(maxsize=256)
def _from_list(texts: tuple[str, ...]) -> Operations:
    """Return listed operations, each once.

    Raises:
        DataError: text that is no operation, or operations that are no group.
    """
    found: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    for text in texts:
        rotation, translation = _operation(text)
        if not any((r == rotation).all() and _apart(t, translation) < _TRANSLATION for r, t in found):
            found.append((rotation, translation))
    rotations, translations = (np.array(part) for part in zip(*found, strict=True))
    _check_group(rotations, translations)
    number = settings.group_of(tuple(rotations.ravel().tolist()), tuple(translations.ravel().tolist()))
    return Operations(rotations, translations, number, f"the {len(rotations)} listed operations")


def _operation(text: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return rotation (3, 3) and translation (3,) of text such as ``-y,x-y,z+1/3``."""
    rotation, translation = np.zeros((3, 3), dtype=np.int64), np.zeros(3)
    rows = re.sub(r"\s", "", text).lower().split(",")
    for row, part in enumerate(rows if len(rows) == 3 else []):
        end = 0
        for match in _TERM.finditer(part):
            if match.start() != end or (end and not match[1]) or (match[3] and not int(match[3])):
                break
            end, sign = match.end(), -1 if match[1] == "-" else 1
            if match[5]:
                rotation[row, "xyz".index(match[5])] += sign
            elif match[2]:
                translation[row] += sign * int(match[2]) / int(match[3])
            elif match[4]:
                translation[row] += sign * float(match[4])
        if not part or end != len(part):
            break
    else:
        if len(rows) == 3 and round(float(np.linalg.det(rotation))) in (-1, 1):
            rounded = np.round(translation * 24) / 24
            close = np.abs(rounded - translation) < _TRANSLATION
            return rotation, np.where(close, rounded, translation) % 1
    raise DataError(f"symmetry operation {text[:60]!r}, allowed: text such as -y,x-y,z+1/3")


def _check_group(rotations: NDArray[np.int64], translations: NDArray[np.float64]) -> None:
    """Raise a DataError if a product of two operations is not in the list."""
    kinds: dict[bytes, list[int]] = {}
    for index, rotation in enumerate(rotations):
        kinds.setdefault(rotation.tobytes(), []).append(index)
    sizes = {len(members) for members in kinds.values()}
    products = np.einsum("aij,bjk->abik", rotations, rotations).reshape(-1, 3, 3)
    shifts = (np.einsum("aij,bj->abi", rotations, translations) + translations[:, None]).reshape(-1, 3)
    closed = len(sizes) == 1 and all(product.tobytes() in kinds for product in products)
    if closed:
        members = np.array([kinds[product.tobytes()] for product in products])
        difference = translations[members] - shifts[:, None]
        closed = bool(((np.abs(difference - np.round(difference)).max(-1) < 4 * _TRANSLATION).any(-1)).all())
    if not closed:
        raise DataError(
            f"the {len(rotations)} symmetry operations that are listed are no group: a product of two is missing"
        )


def _apart(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    difference = left - right
    return float(np.abs(difference - np.round(difference)).max())


def _has_symmetry(cell: NDArray[np.float64], operations: Operations) -> bool:
    """Whether every operation leaves the metric of the cell as it is."""
    metric = cell @ cell.T
    turned = np.einsum("gji,jk,gkl->gil", operations.rotations, metric, operations.rotations)
    return bool(np.abs(turned - metric).max() <= METRIC_TOLERANCE * np.abs(metric).max())
