"""The table of candidates: one row for each crystal that went in, also those that failed and why.

Energies are in eV/atom and carry their method in the name of the column: ``e_above_hull_chgnet [eV/atom]`` is CHGNet's
formation energy above the hull named in ``hull``. Columns that start with ``input`` are those of the crystals table,
such as what a proxy predicted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from crystalgfn.crystals.tables.files import WRITERS
from crystalgfn.files.atomic import write_atomically
from crystalgfn.structures.candidates.candidate import RELAXED
from crystalgfn.structures.candidates.duplicates import Reference, duplicate_groups
from crystalgfn.structures.candidates.folder import RunFolder

FIRST = (
    "row",
    "formula",
    "status",
    "reason",
    "space_group",
    "e_above_hull_* [eV/atom]",
    "formation_energy_* [eV/atom]",
    "hull",
    "flags",
    "match_group",
    "matches",
    "novel",
    "cif",
)
"""Columns that stand in front, in this order; the others follow as they come."""

CHUNK = 5_000


def write_tables(folder: RunFolder, reference: Reference | None = None) -> None:
    """Write ``structures.parquet`` and ``structures.csv``, atomically, a few thousand rows in memory at a time.

    Args:
        folder: the run, whose parts are all there.
        reference: known crystals that candidates are compared with, or None.
    """
    extra, types = _matches(folder, reference), dict[str, pa.DataType]()
    for row in _rows(folder, extra):
        for name, value in row.items():
            if (found := _type(value)) is not None and types.get(name) != pa.string():
                types[name] = pa.float64() if types.get(name, found) != found else found
            types.setdefault(name, pa.null())
    schema = pa.schema([(n, pa.string() if types[n] == pa.null() else types[n]) for n in _ordered(types)])
    for suffix in (".parquet", ".csv"):
        with write_atomically(folder.path / f"structures{suffix}") as stream:
            WRITERS[suffix](_tables(_rows(folder, extra), schema), stream)


def ranked(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the relaxed rows that have an energy above hull, lowest first; where rows are duplicates, the first."""
    rows = list(rows)
    column = energy_column(rows, "e_above_hull_") or energy_column(rows, "formation_energy_")
    if column is None:
        return []
    kept = [row for row in rows if row["status"] == RELAXED and row.get(column) == row.get(column)]
    best: dict[Any, Mapping[str, Any]] = {}
    for row in sorted(kept, key=lambda row: (bool(row.get("flags")), row[column], row["row"])):
        best.setdefault(row.get("match_group", row["row"]), row)
    return list(best.values())


def energy_column(rows: Iterable[Mapping[str, Any]], start: str) -> str | None:
    """Return the first column of energies whose name starts so and that holds a number anywhere."""
    for row in rows:
        for name, value in row.items():
            if name.startswith(start) and isinstance(value, float) and value == value:
                return name
    return None


def _matches(folder: RunFolder, reference: Reference | None) -> dict[int, dict[str, Any]]:
    """Group and known matches of every row with a structure; structures of one formula in memory at a time."""
    by_formula: dict[str, list[int]] = {}
    for candidate in folder.candidates():
        if candidate.structure is not None:
            by_formula.setdefault(candidate.structure.composition.reduced_formula, []).append(candidate.row["row"])
    found: dict[int, dict[str, Any]] = {}
    for rows in by_formula.values():
        structures = [s for row in rows if (s := folder.read(row).structure) is not None]
        groups = duplicate_groups(structures)
        for row, group, structure in zip(rows, groups, structures, strict=True):
            found[row] = {"match_group": rows[group]}
            if reference is not None:
                known = reference.match(structure)
                found[row] |= {"matches": known or "", "novel": known is None}
    return found


def _rows(folder: RunFolder, extra: Mapping[int, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for known in folder.rows():
        row = {**known, **extra.get(known["row"], {})}
        yield {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()}


def _tables(rows: Iterator[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    chunk: list[dict[str, Any]] = []
    empty = True
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield pa.Table.from_pylist(chunk, schema=schema)
            chunk, empty = [], False
    if chunk or empty:
        yield pa.Table.from_pylist(chunk, schema=schema)


def _ordered(names: Iterable[str]) -> list[str]:
    def place(name: str) -> int:
        for rank, wanted in enumerate(FIRST):
            start, star, end = wanted.partition("*")
            if name == wanted or (star and name.startswith(start) and name.endswith(end)):
                return rank
        return len(FIRST)

    return sorted(names, key=place)


def _type(value: Any) -> pa.DataType | None:
    if value is None:
        return None
    for kind, found in ((bool, pa.bool_()), (int, pa.int64()), (float, pa.float64())):
        if isinstance(value, kind):
            return found
    return pa.string()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a table of candidates.

    Raises:
        DataError: unreadable file.
    """
    from crystalgfn.crystals.tables.files import read_table

    rows: list[dict[str, Any]] = read_table(path).to_pylist()
    return rows
