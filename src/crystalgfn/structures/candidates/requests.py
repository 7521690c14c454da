"""Requests for structures: the crystals of a table, and the settings of the search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN, check_counts, parse_sites
from crystalgfn.crystals.tables.cells import refuse
from crystalgfn.errors import DataError
from crystalgfn.rewards.asks import stated


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


def phase_steps(steps: int | None, free_steps: int | None) -> dict[str, int]:
    """Return the most steps of both phases of relaxation as keys of :class:`SearchSettings`.

    Args:
        steps: most steps of each phase; None for the default of each.
        free_steps: most steps without symmetry where they are not to be ``steps``; 0 for none.
    """
    both = {} if steps is None else {"steps": steps, "free_steps": steps}
    return both if free_steps is None else both | {"free_steps": free_steps}


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
        reward_for: what the reward among the inputs asks for (:mod:`crystalgfn.rewards.asks`); empty where the table
            does not say it. It makes no other crystal, and does not count in :func:`digests`.
    """

    row: int
    formula: str = ""
    space_group: int = 0
    counts: Mapping[int, int] = field(default_factory=dict)
    lattice: tuple[float, ...] = ()
    sites: Assignment | None = None
    inputs: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""
    reward_for: str = ""


def requests(crystals: Crystals, *, rows: Sequence[int] | None = None, source: str = "crystals") -> Iterator[Request]:
    """Yield the rows of a batch of crystals.

    Args:
        crystals: B crystals. Sites are read from the text column ``wyckoff``
            (:mod:`crystalgfn.crystals.sites`), where it exists and a row has a text in it.
        rows: number of each row, from 0; by default its position.
        source: name of the table, for messages.

    Raises:
        DataError: sites that contradict the space group or the counts of their row, or cannot be read.
    """
    rows = range(len(crystals)) if rows is None else rows
    symbols = list(crystals.elements)
    formulas, groups = crystals.formulas, crystals.space_group.tolist()
    counts, lattices = crystals.counts.tolist(), crystals.lattice.tolist()
    numeric = {name: values for name, values in crystals.columns.items() if values.dtype.kind == "f"}
    texts, asks = _texts_of_sites(crystals, rows, source), stated(crystals.origins)
    for i in range(len(crystals)):
        held = {z: n for z, n in zip(symbols, counts[i], strict=True) if n}
        yield Request(
            row=rows[i],
            formula=formulas[i],
            space_group=groups[i],
            counts=held,
            lattice=tuple(lattices[i]),
            sites=_sites(texts[i], groups[i], held, row=rows[i], source=source),
            inputs={name: float(values[i]) for name, values in numeric.items()},
            reward_for=asks,
        )


def _texts_of_sites(crystals: Crystals, rows: Sequence[int], source: str) -> list[str | None]:
    """Cells (B,) of the column of sites; None where there is none."""
    values = crystals.columns.get(COLUMN)
    if values is None or (values.dtype.kind == "f" and np.isnan(values).all()):
        return [None] * len(crystals)
    if values.dtype != object:
        refuse(source, rows[0], COLUMN, values.tolist()[0], "text, or an empty cell")
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


def digests(tasks: Iterable[Request], first: int = 0) -> tuple[str, str]:
    """Return the SHA-256 of crystals, which is the same for a table in any format and for crystals in memory.

    Args:
        tasks: crystals, in order.
        first: number of crystals.

    Returns:
        the digest of all crystals, and that of the first so many, which ``tasks`` of these alone would have.
    """
    sha = hashlib.sha256()
    before = sha.hexdigest()
    for number, request in enumerate(tasks, 1):
        content = asdict(request)
        del content["reward_for"]  # which tables in CSV cannot say
        sha.update(json.dumps(content, sort_keys=True).encode())
        if number == first:
            before = sha.hexdigest()
    return sha.hexdigest(), before
