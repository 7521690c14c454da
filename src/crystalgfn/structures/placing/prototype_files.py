"""Files of prototypes: parquet, with one row for each prototype; read, written, and made from structures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, FiniteFloat

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.errors import DataError, nearest
from crystalgfn.files.atomic import write_atomically
from crystalgfn.files.reading import shaped
from crystalgfn.progress import progress_bar
from crystalgfn.structures.placing.prototypes import Prototype, PrototypeLibrary
from crystalgfn.structures.placing.recognition import prototype_of

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("formula", pa.string()),
        ("space_group", pa.int16()),
        ("numbers", pa.list_(pa.int16())),
        ("letters", pa.string()),
        ("free", pa.list_(pa.float64())),
        ("lattice", pa.list_(pa.float64())),
    ]
)
"""Columns: ``numbers`` and ``letters`` have an entry for each orbit, ``lattice`` is in A and degree."""

STRUCTURE_COLUMNS = ("material_id", "numbers", "cell", "fractional")


@dataclass(frozen=True)
class _Row:
    id: str
    formula: str
    space_group: Annotated[int, Field(ge=1, le=230)]
    numbers: list[Annotated[int, Field(ge=1, lt=len(SYMBOLS))]]
    letters: str
    free: list[FiniteFloat]
    lattice: Annotated[list[Annotated[FiniteFloat, Field(gt=0)]], Field(min_length=6, max_length=6)]


BUILTIN = "builtin"
NONE = "none"

BUILTIN_FILE = Path(str(files(__package__) / "data" / "prototypes.parquet"))
"""The shipped prototypes: AFLOW's, as pymatgen distributes them, and phases of the builtin hull.

AFLOW: Mehl et al., doi:10.1016/j.commatsci.2017.01.017; the phases are made by ``scripts/data/relax_prototypes.py``.
"""


def load_library(name: str | Path) -> PrototypeLibrary:
    """Return the shipped prototypes (``"builtin"``), or the prototypes of a file.

    Raises:
        DataError: the file is missing, unreadable, or no library of prototypes.
    """
    if str(name) == BUILTIN:
        return read(BUILTIN_FILE)
    if not Path(name).suffix:
        named = nearest(str(name), (BUILTIN, NONE))
        raise DataError(f"unknown prototypes {str(name)!r}{named}, allowed: builtin, none, or a file (.parquet)")
    return read(Path(name))


def write(library: PrototypeLibrary, path: str | Path, *, about: dict[str, str] | None = None) -> None:
    """Write a library, whole or not at all; ``about`` (source, licence and so on) goes into the metadata of the file.

    Raises:
        DataError: the file cannot be written.
    """
    rows = [
        {
            "id": p.id,
            "formula": p.formula,
            "space_group": p.space_group,
            "numbers": [z for z, _ in p.sites],
            "letters": "".join(letter for _, letter in p.sites),
            "free": list(p.free),
            "lattice": list(p.lattice),
        }
        for p in library.prototypes
    ]
    schema = SCHEMA.with_metadata({"about": json.dumps(about or {})})
    with write_atomically(Path(path)) as stream:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), stream, compression="zstd")


def read(path: Path) -> PrototypeLibrary:
    """Read a library that :func:`write` wrote.

    Raises:
        DataError: the file is missing, unreadable, or no library of prototypes.
    """
    rows = shaped(_table(path, SCHEMA.names).to_pylist(), list[_Row], path.name)
    try:
        prototypes = [
            Prototype(
                row.id,
                row.formula,
                row.space_group,
                tuple(zip(row.numbers, row.letters, strict=True)),
                tuple(row.free),
                tuple(row.lattice),
            )
            for row in rows
        ]
        return PrototypeLibrary(prototypes)
    except (TypeError, ValueError, LookupError, DataError) as error:
        raise DataError(f"{path}: a row is no prototype ({error})") from error


def about(path: Path) -> dict[str, str]:
    """Return the metadata that :func:`write` put into a file: source, licence, citation."""
    metadata = pq.read_schema(path).metadata or {}
    text: dict[str, str] = json.loads(metadata.get(b"about", b"{}"))
    return text


def from_structures(path: str | Path, *, symprec: float = 0.05) -> PrototypeLibrary:
    """Make prototypes from a table of crystal structures.

    Args:
        path: parquet with a row for each structure: ``material_id``, ``numbers`` (N,), ``cell`` (9,) in A, one vector
            after the other, and ``fractional`` (3 N,) coordinates. Rows in which no symmetry is found are left out.
        symprec: tolerance of the symmetry search in A.

    Raises:
        DataError: the file is missing or unreadable, or a column is missing.
    """
    rows = _table(Path(path), STRUCTURE_COLUMNS).to_pylist()
    prototypes = []
    with progress_bar(len(rows), "prototypes", "structures") as bar:
        for row in rows:
            try:
                cell, points = np.reshape(row["cell"], (3, 3)), np.reshape(row["fractional"], (-1, 3))
                prototypes.append(prototype_of(str(row["material_id"]), cell, row["numbers"], points, symprec=symprec))
            except (DataError, ValueError, TypeError):
                pass  # one odd row of a large table must not cost the others
            bar.advance(1)
    return PrototypeLibrary(prototypes)


def _table(path: Path, columns: tuple[str, ...] | list[str]) -> pa.Table:
    table = read_table(path)
    missing = sorted(set(columns) - set(table.column_names))
    if missing:
        raise DataError(f"{path}: has no column {', '.join(missing)}; needed are {', '.join(columns)}")
    return table.select(list(columns))
