"""The 530 settings of the space groups by their names, and the space group of a list of operations.

Names are Hermann-Mauguin symbols, short or full, with or without blanks, with the suffixes of choices (``:1``, ``:2``,
``:H``, ``:R``; in the ICSD ``S``, ``Z``, ``H``, ``R``), and Hall symbols. Old symbols are known: Fm3m, Cmca.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

import moyopy
import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.symmetry.search import find_symmetry

SETTINGS = 530

_CHOICES = {"z": "2", "s": "1", "h": "H", "r": "R"}
_TWO_GLIDES = (67, 68)  # each symbol of today, with an e, had two older ones for two settings
_OLD_GLIDES = {"C": "ab", "A": "bc", "B": "ca"}
_FIRST = np.array([0.137_129, 0.271_907, 0.418_313])
_SECOND = np.array([0.061_453, 0.387_211, 0.209_817])
_METRIC = np.array([[420.0, 13.0, -17.0], [13.0, 510.0, 23.0], [-17.0, 23.0, 640.0]])


@dataclass(frozen=True)
class GroupSetting:
    """A setting of a space group.

    Attributes:
        number: international number.
        hall_number: position among the 530 settings, from 1.
        choice: axes, cell choice or origin, such as ``"b1"``, ``"cab"``, ``"2"`` or ``"R"``; may be empty.
        symbol: full Hermann-Mauguin symbol.
    """

    number: int
    hall_number: int
    choice: str
    symbol: str

    @property
    def title(self) -> str:
        """The symbol with its choice, for messages."""
        return f"{self.symbol}{f' :{self.choice}' if self.choice else ''} ({self.number})"

    @property
    def axis(self) -> str:
        """The unique axis of a monoclinic setting, ``"a"``, ``"b"`` or ``"c"``."""
        return self.choice.lstrip("-")[:1]

    @property
    def exchanged(self) -> bool:
        """Whether two axes of an orthorhombic group are exchanged, and one of them reversed."""
        return self.choice.endswith(("ba-c", "-cba", "a-cb"))

    def operations(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rotations (G, 3, 3) and translations (G, 3) in fractional coordinates, centring translations included."""
        return _operations(self.hall_number)


def named(symbol: str) -> list[GroupSetting]:
    """Return the settings that a Hermann-Mauguin symbol may mean, the most usual first; none for an unknown symbol."""
    text = _compact(symbol)
    choice = ""
    if match := re.fullmatch(r"(.+?)(?::([\w-]+)|([zshr]))", text):
        text, choice = match[1], _CHOICES.get(match[2] or match[3], match[2] or match[3])
    if text.startswith("h"):  # hexagonal axes, as protein crystallographers write them
        text, choice = f"r{text[1:]}", choice or "H"
    settings = _by_symbol().get(text, [])
    if choice:
        origin = choice in ("1", "2")  # there may be a choice of axes behind it
        settings = [s for s in settings if choice.lower() == (s.choice[:1] if origin else s.choice).lower()]
    return [s for s in settings if not s.exchanged] or settings


def hall(symbol: str) -> GroupSetting | None:
    """Return the setting with this Hall symbol, or None."""
    return _by_hall().get(_blanks(symbol))


def numbered(number: int) -> list[GroupSetting]:
    """Return the settings that a number alone may mean: unique axis b, and both origins or kinds of axes."""
    settings = [s for s in _all() if s.number == number]
    usual = [s for s in settings if s.choice in ("", "b", "b1", "1", "2", "H", "R")]
    return usual or settings[:1]


@lru_cache(maxsize=1024)
def group_of(rotations: tuple[int, ...], translations: tuple[float, ...]) -> int:
    """Return the number of the space group with these operations, flattened from (G, 3, 3) and (G, 3).

    It is the symmetry of a crystal of two elements at points without symmetry, in a cell without further symmetry.

    Raises:
        DataError: no symmetry is found.
    """
    turns = np.array(rotations, dtype=float).reshape(-1, 3, 3)
    shifts = np.array(translations).reshape(-1, 3)
    metric = np.einsum("gji,jk,gkl->il", turns, _METRIC, turns) / len(turns)
    cell = np.linalg.cholesky(metric)  # rows whose scalar products are the metric
    positions = np.concatenate([turns @ point + shifts for point in (_FIRST, _SECOND)]) % 1
    return int(find_symmetry(cell, positions, [1] * len(turns) + [2] * len(turns), symprec=1e-3).number)


@cache
def _all() -> tuple[GroupSetting, ...]:
    entries = [moyopy.HallSymbolEntry(number) for number in range(1, SETTINGS + 1)]
    return tuple(GroupSetting(int(e.number), int(e.hall_number), str(e.setting), str(e.hm_full)) for e in entries)


@cache
def _by_symbol() -> dict[str, list[GroupSetting]]:
    out: dict[str, list[GroupSetting]] = {}
    for setting in _all():
        short = str(moyopy.HallSymbolEntry(setting.hall_number).hm_short)
        for key in dict.fromkeys(_keys(setting, short)):
            out.setdefault(key, []).append(setting)
    for settings in out.values():  # unique axis b before c before a, as in the short symbols of the tables
        settings.sort(key=lambda s: ("bca".find(s.axis) if 3 <= s.number <= 15 else 0, s.hall_number))
    return out


def _keys(setting: GroupSetting, short: str) -> Iterable[str]:
    """Yield the ways to write the symbol of a setting."""
    yield _compact(setting.symbol)
    if 3 <= setting.number <= 15:  # the short symbol of the other settings: P 1 21/n 1 is P 21/n
        yield _compact(" ".join(part for part in setting.symbol.split() if part != "1"))
        return
    yield _compact(short)
    if setting.number >= 195:
        yield _compact(short).replace("-3", "3")
    if "e" in short:
        glides = _OLD_GLIDES[short[0]][setting.exchanged] if setting.number in _TWO_GLIDES else "abc"
        yield from (_compact(short).replace("e", glide) for glide in glides)


@cache
def _by_hall() -> dict[str, GroupSetting]:
    return {_blanks(str(moyopy.HallSymbolEntry(s.hall_number).hall_symbol)): s for s in _all()}


@lru_cache(maxsize=SETTINGS)
def _operations(hall_number: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    number = moyopy.HallSymbolEntry(hall_number).number
    found = moyopy.operations_from_number(number, setting=moyopy.Setting.hall_number(hall_number))
    return np.array(found.rotations, dtype=np.int64), np.array(found.translations, dtype=float) % 1


def _compact(symbol: str) -> str:
    return re.sub(r"[\s_()]", "", symbol).lower()


def _blanks(symbol: str) -> str:
    return " ".join(symbol.replace("_", " ").lower().split())
