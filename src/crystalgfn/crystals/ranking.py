"""Ranking by a column, as users write it: ``band_gap`` (lowest first) or ``band_gap:desc`` (highest first)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = {"asc": False, "desc": True}
"""Endings of an order after a colon, and whether the highest number comes first."""


def parse_order(text: str, *, descending: bool = False) -> tuple[str, bool]:
    """Return the column that an order names, and whether its highest number comes first.

    Args:
        text: ``COLUMN``, ``COLUMN:asc`` or ``COLUMN:desc``.
        descending: the direction of an order that says none.
    """
    column, colon, ending = text.rpartition(":")
    return (column, DIRECTIONS[ending]) if colon and ending in DIRECTIONS else (text, descending)


def ranking(values: NDArray[np.float64], *, descending: bool = False) -> NDArray[np.int64]:
    """Return the positions (B,) of numbers (B,) in order, NaN last; of equal numbers the first comes first."""
    return np.argsort(-values if descending else values, kind="stable")


def first_of_each(keys: Iterable[Hashable]) -> NDArray[np.int64]:
    """Return the positions (K,) of the first of each of K keys, rising."""
    first: dict[Hashable, int] = {}
    for position, key in enumerate(keys):
        first.setdefault(key, position)
    return np.array(list(first.values()), dtype=np.int64)
