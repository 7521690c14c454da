"""Tables of crystals: one row per crystal, as parquet or CSV; what is written is read back unchanged.

The columns are those of :mod:`.schema`, described in docs/data.md. Reading checks every row and raises
:class:`~crystalgfn.errors.DataError` with the number of a bad row; writing leaves a whole file or none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from crystalgfn.crystals.tables import files
from crystalgfn.crystals.tables.rows import Contents, from_table
from crystalgfn.crystals.tables.schema import METADATA_KEY, STANDARD, Batch, name_with_unit, to_table, unit_of
from crystalgfn.crystals.tables.writer import PartWriter, TableWriter
from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_atomically

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "STANDARD",
    "PartWriter",
    "TableWriter",
    "from_dataframe",
    "name_with_unit",
    "read",
    "to_dataframe",
    "unit_of",
    "write",
]


def read(path: str | Path, *, check_convention: bool = True) -> Contents:
    """Read a crystals table.

    Args:
        path: a ``.parquet`` or ``.csv`` file with at least elements, spacegroup, a, b, c, alpha, beta, gamma.
        check_convention: refuse rows that are not in the ITA conventional cell of their space group.

    Returns:
        the contents of B crystals, in the order of the rows; further columns are kept in ``columns``.

    Raises:
        DataError: an unreadable file, a wrong column, or the first impossible row.
    """
    path = Path(path)
    return from_table(files.read_table(path), path.name, check_convention=check_convention)


def write(crystals: Batch, path: str | Path, *, kind: Literal["parquet", "csv"] | None = None) -> None:
    """Write a crystals table, atomically; an existing file is replaced.

    Args:
        crystals: B crystals.
        path: the file.
        kind: the format; by default from the ending of the path.

    Raises:
        DataError: the file cannot be written; an earlier file of this name stays.
    """
    path = Path(path)
    suffix = files.suffix_of(path) if kind is None else f".{kind}"
    table = to_table(crystals)
    with write_atomically(path) as stream:
        files.WRITERS[suffix](iter([table]), stream)


def to_dataframe(crystals: Batch) -> pd.DataFrame:
    """Return the table as a pandas frame; its ``attrs`` keep the element list (D,) and the origins of columns."""
    table = to_table(crystals)
    frame = table.replace_schema_metadata(None).to_pandas()
    frame.attrs["elements"] = json.loads(table.schema.metadata[METADATA_KEY])["elements"]
    if crystals.origins:
        frame.attrs["origins"] = dict(crystals.origins)
    return frame


def from_dataframe(frame: pd.DataFrame, *, check_convention: bool = True) -> Contents:
    """Return the contents of a pandas frame; its ``elements`` may hold JSON or dictionaries.

    Raises:
        DataError: a wrong column, or the first impossible row.
    """
    if "elements" in frame and frame["elements"].map(lambda value: isinstance(value, dict)).any():
        frame = frame.assign(elements=[_as_json(value) for value in frame["elements"]])
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise DataError(f"data frame: {error}, allowed: columns of numbers or text") from None
    metadata = json.dumps({"elements": frame.attrs.get("elements")}, default=str)
    table = table.replace_schema_metadata({METADATA_KEY: metadata.encode()})
    contents = from_table(table, "data frame", check_convention=check_convention)
    stated = frame.attrs.get("origins") or {}
    return contents._replace(origins={name: str(stated[name]) for name in contents.columns if name in stated})


def _as_json(value: object) -> object:
    if not isinstance(value, dict):
        return value
    try:
        return json.dumps({str(symbol): float(count) for symbol, count in value.items()})
    except (TypeError, ValueError):
        return repr(value)
