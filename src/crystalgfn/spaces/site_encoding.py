"""From crystals with sites, sampled or read from a table, to their canonical writings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.sites.keys import site_keys
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN, Sites, check_counts, parse_sites
from crystalgfn.errors import DataError
from crystalgfn.spaces.writings import Writing, canonical_writing


def assignments_of(crystals: Crystals, *, numbers: Iterable[int] | None = None) -> list[Assignment]:
    """The Wyckoff assignment of every crystal.

    Args:
        crystals: B crystals.
        numbers: ``(B,)`` numbers of the rows in messages, where the crystals are some of the rows of a file; counted
            from 1 by default.

    Raises:
        DataError: the crystals have neither sites nor a column ``wyckoff``, or one that contradicts group or counts;
            names the row.
    """
    if crystals.sites is not None:
        sites = zip(
            crystals.space_group.tolist(),
            crystals.sites.letters.tolist(),
            crystals.sites.elements.tolist(),
            strict=True,
        )
        return [
            Assignment(
                group,
                tuple((z, WYCKOFF[group][letter].letter) for z, letter in zip(numbers, letters, strict=True) if z),
            )
            for group, letters, numbers in sites
        ]
    if COLUMN not in crystals.columns:
        raise DataError(
            f"no sites: found no column {COLUMN!r}, allowed: a table whose column {COLUMN!r} lists the occupied "
            "positions, as crystalgfn data writes it"
        )
    if numbers is None:
        numbers = range(1, len(crystals) + 1)
    assignments = []
    rows = zip(numbers, crystals.columns[COLUMN], crystals.space_group.tolist(), crystals.counts.tolist(), strict=True)
    for row, text, group, counts in rows:
        try:
            assignment = parse_sites(text, group)
            check_counts(assignment, {z: n for z, n in zip(crystals.elements, counts, strict=True) if n})
        except DataError as error:
            raise DataError(f"row {row}: {error}") from error
        assignments.append(assignment)
    return assignments


def with_sites(crystals: Crystals, *, numbers: Iterable[int] | None = None) -> Crystals:
    """The crystals with the sites of their column ``wyckoff``; arguments and errors as for :func:`assignments_of`."""
    if crystals.sites is not None:
        return crystals
    return replace(crystals, sites=Sites.from_assignments(assignments_of(crystals, numbers=numbers)))


def crystal_keys(crystals: Crystals) -> NDArray[np.int64]:
    """The key ``(B,)`` of each crystal: equal for the same group with the same elements on equivalent positions."""
    sites = with_sites(crystals).sites
    assert sites is not None
    return np.asarray(site_keys(crystals.space_group, sites.elements, sites.letters).cpu().numpy())


def writings_of(crystals: Crystals) -> list[Writing]:
    """The canonical writing of every crystal; errors as for :func:`assignments_of`."""
    return [canonical_writing(assignment) for assignment in assignments_of(crystals)]
