"""Candidates as files for other programs: which of them, and what is said about each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from crystalgfn.errors import DataError
from crystalgfn.progress import track
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.schema import INPUT, UNIT, Row
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.export.formats import Exported, Written
from crystalgfn.structures.export.targets import find_target, write


def export(
    table: CandidateTable,
    read: Callable[[int], Candidate],
    to: str,
    path: str | Path,
    *,
    n: int | None = None,
    e_above_hull: float | None = None,
    flagged: bool = False,
    **options: Any,
) -> Written:
    """Write candidates for another program.

    Inputs of calculations and databases hold the ranked candidates: best first, one of each group of duplicates, and
    none that the sanity checks doubt. Formats that hold all structures hold the ranked ones if ``n`` or
    ``e_above_hull`` is given.

    Args:
        table: what became of each crystal.
        read: returns the candidate of a row.
        to: one of :func:`~crystalgfn.structures.export.targets.targets`.
        path: file or new folder to write.
        n: most candidates; None for all.
        e_above_hull: highest energy above hull, eV/atom; None for any.
        flagged: include candidates that the sanity checks doubt, after all others.
        options: further arguments of the target; those of VASP are ``input_set`` and ``potcar``.

    Raises:
        ConfigError: an unknown target, or an option that it does not take or allow.
        DataError: no such candidates, or the path cannot be written.
    """
    if find_target(to).ranked or n is not None or e_above_hull is not None:
        rows = chosen(table, n=n, e_above_hull=e_above_hull, flagged=flagged)
    else:
        rows = list(table.rows)

    def items() -> Iterator[Exported]:
        for row in track(rows, len(rows), "writing", "structures"):
            candidate = read(row.row)
            if candidate.structure is not None:
                yield exported(candidate)

    return write(to, path, items(), **options)


def chosen(
    table: CandidateTable, *, n: int | None = None, e_above_hull: float | None = None, flagged: bool = False
) -> list[Row]:
    """Return the best rows of a table, best first; arguments as for :func:`export`.

    Raises:
        DataError: there is none, or no energy above a hull to choose by.
    """
    rows = table.ranked()
    if e_above_hull is not None and rows and table.above_hull is None:
        raise DataError("no energies above a hull, allowed: candidates that were relaxed with --hull")
    above = math.inf if e_above_hull is None else e_above_hull
    near = [row for row in rows if table.above_hull is None or row.energy(table.above_hull) <= above]
    clean = [row for row in near if flagged or not row.flags]
    if not clean:
        limits = f" up to {above:g} eV/atom above the hull" if near != rows or (not rows and above < math.inf) else ""
        doubt = f"; {len(near)} are flagged as doubtful" if near else ""
        raise DataError(f"no relaxed candidate{limits} among {len(table)}{doubt}")
    return clean[:n]


def exported(candidate: Candidate) -> Exported:
    """Return what formats write about a candidate that has a structure."""
    if candidate.structure is None:
        raise DataError(f"row {candidate.row.row} has no structure: {candidate.row.reason}")
    return Exported(candidate.structure, candidate.symprec, _info(candidate.row), candidate.point)


def _info(row: Row) -> dict[str, Any]:
    """Numbers and words about a structure for its frame; keys of an extXYZ comment line have no blanks or brackets."""
    suffix = f" [{UNIT}]"
    inputs = {f"{INPUT}{name}": value for name, value in row.inputs.items() if name.endswith(suffix)}
    energies = {column.name: value for column, value in row.energies.items()}
    info = {
        "row": row.row,
        "formula": row.formula,
        **inputs,
        "space_group": row.space_group,
        **energies,
        "flags": row.flags,
        "status": str(row.status),
    }
    named = {name.replace(suffix, "_per_atom").replace(" ", "_"): value for name, value in info.items()}
    return {
        name: value
        for name, value in named.items()
        if value not in ("", None) and not (isinstance(value, float) and math.isnan(value))
    }
