"""The column ``wyckoff`` of tables of crystals: occupied positions as JSON, read against group and counts of the row.

A cell is a list of [symbol, letter, multiplicity in the conventional cell], with one entry for each orbit, as importers
and the sampler write it: ``[["Mg", "a", 4], ["O", "b", 4]]`` is rock salt in Fm-3m.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystallography.operations import group_operations
from crystalgfn.crystallography.sites.assignments import Assignment, checked_counts
from crystalgfn.crystallography.sites.counting import Site
from crystalgfn.errors import DataError

COLUMN = "wyckoff"
"""Name of the column."""

FORM = 'a JSON list of [symbol, letter, multiplicity] such as [["Mg", "a", 4], ["O", "b", 4]]'


def read_sites(text: str, space_group: int, counts: Mapping[int, int]) -> Assignment:
    """Return the assignment that a cell of the column describes.

    Args:
        text: the cell.
        space_group: international number, 1..230.
        counts: atoms of each atomic number in the conventional cell; zeros are ignored.

    Raises:
        DataError: no such list, an element or letter that does not exist, a multiplicity that is not the letter's, a
            position without free coordinates that is taken twice, or sites that do not hold the counts.
    """
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"sites that are no JSON; allowed: {FORM}") from None
    if not isinstance(entries, list) or not entries:
        raise DataError(f"sites that are no list of orbits; allowed: {FORM}")
    assignment = Assignment(space_group, tuple(_site(entry, space_group) for entry in entries))
    wanted, held = dict(checked_counts(counts)), assignment.counts
    if held != wanted:
        raise DataError(f"sites that hold {_shown(held)}; allowed: the counts of the row, {_shown(wanted)}")
    return assignment


def write_sites(assignment: Assignment) -> str:
    """Return the cell of an assignment, which :func:`read_sites` reads back."""
    orbits = zip(assignment.sites, assignment.multiplicities, strict=True)
    return json.dumps([[SYMBOLS[z], letter, multiplicity] for (z, letter), multiplicity in orbits])


def _site(entry: Any, space_group: int) -> Site:
    """Return atomic number and letter of an entry.

    Raises:
        DataError: as for :func:`read_sites`.
    """
    if not (isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], str) and isinstance(entry[1], str)):
        raise DataError(f"an orbit {json.dumps(entry)[:60]}; allowed: {FORM}")
    symbol, letter, multiplicity = entry
    position = group_operations(space_group).position(letter)
    if isinstance(multiplicity, bool) or multiplicity != position.multiplicity:
        raise DataError(
            f"multiplicity {json.dumps(multiplicity)[:20]} of position {letter} of space group {space_group}; "
            f"allowed: {position.multiplicity}"
        )
    return atomic_number(symbol), letter


def _shown(counts: Mapping[int, int]) -> str:
    return ", ".join(f"{SYMBOLS[z]} {n}" for z, n in counts.items())
