"""Wyckoff positions of the 230 space groups, and which numbers of atoms they can hold.

Multiplicities are those of the ITA conventional cell (hexagonal axes for the seven rhombohedral groups). The positions
are pyxtal's, put in a table by ``scripts/data/build_tables.py``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystalgfn.errors import DataError


class WyckoffPosition(NamedTuple):
    """One Wyckoff position of a space group.

    Attributes:
        letter: Wyckoff letter; ``"A"`` follows ``"z"`` in group 47.
        multiplicity: atoms of one orbit in the conventional cell.
        degrees_of_freedom: free coordinates of the site, 0..3. A position with 0 holds one orbit in the whole crystal.
    """

    letter: str
    multiplicity: int
    degrees_of_freedom: int


def _load() -> tuple[tuple[WyckoffPosition, ...], ...]:
    table = json.loads((files(__package__) / "data" / "wyckoff.json").read_text())
    groups = (tuple(WyckoffPosition(*position) for position in table[str(n)]) for n in range(1, 231))
    return ((), *groups)


WYCKOFF: tuple[tuple[WyckoffPosition, ...], ...] = _load()
"""Wyckoff positions by international number, each in the order of the letters; row 0 is empty."""

MAX_LETTERS = max(map(len, WYCKOFF))
"""Most Wyckoff positions of a space group, 27."""


def is_compatible(space_group: int, counts: Iterable[int]) -> bool:
    """Say whether the Wyckoff positions of a space group can hold these numbers of atoms.

    Every count must be a sum of multiplicities, where a position without degrees of freedom is used at most once in
    the whole crystal. Direct search, for checks: the sampling masks have their own tables.

    Args:
        space_group: international number, 1..230.
        counts: atoms of each element in the conventional cell; zeros are ignored.

    Raises:
        DataError: the space group does not exist, or a count is negative.
    """
    if not 1 <= space_group <= 230:
        raise DataError(f"space group is {space_group}; allowed are 1 to 230")
    counts = [int(count) for count in counts]
    if any(count < 0 for count in counts):
        raise DataError(f"counts are {counts}; allowed are counts of 0 and more")

    positions = WYCKOFF[space_group]
    free = {p.multiplicity for p in positions if p.degrees_of_freedom > 0}
    fixed = Counter(p.multiplicity for p in positions if p.degrees_of_freedom == 0)
    holds = _sums(free, max(counts, default=0))

    # fixed positions that the elements so far have left, as numbers of places by multiplicity
    multiplicities = tuple(fixed)
    left = {tuple(fixed.values())}
    for count in counts:
        left = {
            tuple(n - u for n, u in zip(places, used, strict=True))
            for places in left
            for used in _choices(places)
            if count - sum(u * m for u, m in zip(used, multiplicities, strict=True)) in holds
        }
    return bool(left)


def are_compatible(space_groups: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Apply :func:`is_compatible` to B crystals.

    Args:
        space_groups: ``(B,)`` international numbers.
        counts: ``(B, D)`` atoms of each element in the conventional cell.

    Returns:
        ``(B,)`` bool.
    """
    # which element has which count does not matter: sorted counts leave fewer distinct rows
    rows = np.column_stack((space_groups, np.sort(counts, axis=1)))
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    verdicts = [is_compatible(group, [n for n in own if n]) for group, *own in distinct.tolist()]
    return np.array(verdicts, dtype=bool)[inverse.reshape(-1)]


def _choices(places: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All ways to occupy some of the places of each multiplicity."""
    return product(*(range(n + 1) for n in places))


def _sums(multiplicities: set[int], largest: int) -> set[int]:
    """Sums of the multiplicities, each used any number of times, from 0 to ``largest``."""
    sums = {0}
    for total in range(1, largest + 1):
        if any(total - m in sums for m in multiplicities):
            sums.add(total)
    return sums
