"""Requests for structures: the crystals of a table, and the settings of the search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN, check_counts, parse_sites
from crystalgfn.crystals.tables.cells import refuse
from crystalgfn.errors import DataError


@dataclass(frozen=True)
class SearchSettings:
    """Settings of the search for the structure of a crystal.

    Attributes:
        placements: most initial placements of its atoms; :func:`~.search.settings_for` says how many where the sites
            are known, as many as free coordinates are worth.
        tried: most placements that are relaxed for :data:`~.search.TRY_STEPS` steps.
        relaxed: most placements that are relaxed to the end; up to :data:`~.search.SPARE` more where some fail.
        steps, free_steps: most steps with the symmetry kept, and without.
        time_limit_s: wall seconds for each relaxation.
        seed: seed of all random numbers; each row of the table has a stream of its own, whatever else the table holds.
    """

    placements: int = 30
    tried: int = 8
    relaxed: int = 2
    steps: int = 100
    free_steps: int = 500
    time_limit_s: float = 300.0
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """One row of a crystals table.

    Attributes:
        row: number of the row.
        formula: reduced formula.
        space_group: international number.
        counts: atoms of each atomic number in the conventional cell.
        lattice: a, b, c in A, alpha, beta, gamma in degree.
        sites: occupied Wyckoff positions; None where any may be occupied.
        inputs: numbers in further columns, such as properties that a proxy predicted.
        failure: why the row cannot be used; empty otherwise.
    """

    row: int
    formula: str = ""
    space_group: int = 0
    counts: Mapping[int, int] = field(default_factory=dict)
    lattice: tuple[float, ...] = ()
    sites: Assignment | None = None
    inputs: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""


def requests(crystals: Crystals, *, first: int = 0, source: str = "crystals") -> Iterator[Request]:
    """Yield the rows of a batch of crystals.

    Args:
        crystals: B crystals. Sites are read from the text column ``wyckoff``
            (:mod:`crystalgfn.crystals.sites`), where it exists and a row has a text in it.
        first: number of the first row.
        source: name of the table, for messages.

    Raises:
        DataError: sites that contradict the space group or the counts of their row, or cannot be read.
    """
    symbols = list(crystals.elements)
    formulas, groups = crystals.formulas, crystals.space_group.tolist()
    counts, lattices = crystals.counts.tolist(), crystals.lattice.tolist()
    numeric = {name: values for name, values in crystals.columns.items() if values.dtype.kind == "f"}
    texts = _texts_of_sites(crystals, first, source)
    for i in range(len(crystals)):
        held = {z: n for z, n in zip(symbols, counts[i], strict=True) if n}
        yield Request(
            row=first + i,
            formula=formulas[i],
            space_group=groups[i],
            counts=held,
            lattice=tuple(lattices[i]),
            sites=_sites(texts[i], groups[i], held, row=first + i, source=source),
            inputs={name: float(values[i]) for name, values in numeric.items()},
        )


def _texts_of_sites(crystals: Crystals, first: int, source: str) -> list[str | None]:
    """Cells (B,) of the column of sites; None where there is none."""
    values = crystals.columns.get(COLUMN)
    if values is None or (values.dtype.kind == "f" and np.isnan(values).all()):
        return [None] * len(crystals)
    if values.dtype != object:
        refuse(source, first, COLUMN, values.tolist()[0], "text, or an empty cell")
    return list(values)


def _sites(text: str | None, space_group: int, counts: dict[int, int], *, row: int, source: str) -> Assignment | None:
    if not text:
        return None
    try:
        assignment = parse_sites(text, space_group)
        check_counts(assignment, counts)
    except DataError as error:
        raise DataError(f"{source}: row {row + 1}, column {COLUMN!r}: {error}") from None
    return assignment


def digest(tasks: Iterable[Request]) -> str:
    """Return the SHA-256 of crystals, which is the same for a table in any format and for crystals in memory."""
    sha = hashlib.sha256()
    for request in tasks:
        sha.update(json.dumps(asdict(request), sort_keys=True).encode())
    return sha.hexdigest()
