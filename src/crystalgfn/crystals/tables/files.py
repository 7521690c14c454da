"""Table files: reading that trusts nothing, writing that leaves a whole file or none."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from crystalgfn.crystals.tables import bounds, cells, schema
from crystalgfn.errors import DataError, nearest
from crystalgfn.files.reading import open_file

SUFFIXES = (".parquet", ".csv")

PARQUET: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
"""Options for writing parquet: with checksums, so that a damaged file is noticed."""

MISSING_TEXT = ""
"""CSV cell of a missing value; empty text is written as a lone apostrophe."""

# Text that a spreadsheet would run as a formula, or that would come back as a number or a missing value. It is
# written with an apostrophe before it, and text that already has one gets another, so that reading can undo it.
_ESCAPED = (
    r"^'*[=+\-@\s]|^'*$|\s$"
    r"|^'*(?i:[0-9.][0-9.e+\-]*|0x.*|inf(inity)?|nan|true|false|<?na>?|n/a|#n/a|null|none)$"
)


def suffix_of(path: Path) -> str:
    """Return ``.parquet`` or ``.csv``.

    Raises:
        DataError: any other ending.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"{path.name}: unknown kind of table {path.suffix!r}, allowed: {', '.join(SUFFIXES)}"
            f"{nearest(suffix, SUFFIXES)}"
        )
    return suffix


def read_table(path: Path, n: int | None = None) -> pa.Table:
    """Read a table file; CSV columns become numbers where every cell reads as one. Nothing is executed or unpickled.

    Args:
        path: ``.parquet`` or ``.csv``.
        n: number of rows to read, from the first; None for all.

    Raises:
        DataError: missing, empty, unreadable or hostile file, or more than memory should hold (:mod:`.bounds`).
        TrustError: the file lies outside of the folder that names it.
    """
    suffix = suffix_of(path)
    head = _head(path)
    if suffix == ".csv":
        if head.startswith(b"PAR1"):
            raise DataError(f"{path.name}: a parquet file under a .csv name, allowed: text; rename it to .parquet")
        return _guarded(path, "CSV", partial(_read_csv, n=n))
    if not head.startswith(b"PAR1"):
        kind = "a pickle, which is never loaded" if head[:1] == b"\x80" else f"a file that starts with {head[:4]!r}"
        raise DataError(f"{path.name}: {kind}, allowed: a parquet file (starts with b'PAR1')")
    return _guarded(path, "parquet", partial(bounds.read_parquet, n=n))


def write_parquet(tables: Iterator[pa.Table], stream: IO[bytes]) -> None:
    """Write tables of one schema as row groups."""
    first = next(tables)
    with pq.ParquetWriter(stream, first.schema, **PARQUET) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def write_csv(tables: Iterator[pa.Table], stream: IO[bytes]) -> None:
    """Write tables of one schema as CSV: floats in their shortest exact form, no cell a spreadsheet would run."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    try:
        for number, table in enumerate(tables):
            columns = [_for_csv(column) for column in table.columns]
            header = _escaped(pa.array(table.column_names))
            # csv of Python 3.11 leaves a carriage return unquoted: then quote all text
            texts = [column for column in (header, *columns) if cells.is_text(column.type)]
            quoted = any(pc.any(pc.match_substring(column, "\r")).as_py() for column in texts)
            writer = csv.writer(
                text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL
            )
            if number == 0:
                writer.writerow(header.to_pylist())
            writer.writerows(zip(*(column.to_pylist() for column in columns), strict=True))
    finally:
        text.detach()


WRITERS: dict[str, Callable[[Iterator[pa.Table], IO[bytes]], None]] = {".parquet": write_parquet, ".csv": write_csv}


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DataError(f"{path}: a folder, allowed: a table file ({', '.join(SUFFIXES)})")
        if not path.exists():
            beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(f"{path}: no such file{nearest(path.name, beside)}")
        if not path.is_file():
            raise DataError(f"{path}: not a regular file, allowed: a table file ({', '.join(SUFFIXES)})")
        with open_file(path) as stream:
            head = stream.read(8)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {str(path)!r}: {getattr(error, 'strerror', None) or error}") from None
    if not head:
        raise DataError(f"{path.name}: the file is empty, allowed: a table with a header")
    return head


def _guarded(path: Path, kind: str, read: Callable[[Path], pa.Table]) -> pa.Table:
    try:
        return read(path)
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        OverflowError,
        MemoryError,
        csv.Error,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path.name}: not a readable {kind} table: {reason}") from None


def _read_csv(path: Path, *, n: int | None) -> pa.Table:
    parsing = pa_csv.ParseOptions(newlines_in_values=True)
    with path.open("rb") as stream:
        header = bounds.read_header(stream)
    converting = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), null_values=[MISSING_TEXT], strings_can_be_null=True
    )
    # one thread, so that messages about broken rows can name them
    reading = pa_csv.ReadOptions(use_threads=False, block_size=1 << 24)
    table = _csv_rows(path, n, read_options=reading, parse_options=parsing, convert_options=converting)
    names = _unescaped(path.name, "header", pa.chunked_array([pa.array(table.column_names, pa.string())])).to_pylist()
    columns = [_typed(path.name, name, column) for name, column in zip(names, table.columns, strict=True)]
    return pa.table(columns, names=names)


def _csv_rows(path: Path, n: int | None, **options: Any) -> pa.Table:
    """Return the first rows as text; blocks after them are not read."""
    with pa_csv.open_csv(path, **options) as stream:
        batches, rows = [], 0
        for batch in stream:
            batches.append(batch)
            rows += batch.num_rows
            bounds.check_cells(rows if n is None else min(n, rows), len(stream.schema))
            if n is not None and rows >= n:
                break
        table = pa.Table.from_batches(batches, schema=stream.schema)
    return table if n is None else table.slice(0, n)


def _typed(source: str, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Return a column as numbers or truth values if every cell reads as one, and else as text without escapes."""
    if not cells.is_text(column.type):  # its header could not be read beforehand
        return column
    text = _unescaped(source, name, column)
    if name in schema.TEXT or name in schema.REQUIRED:
        return text
    values = cells.inferred(cells.plain(column))
    return text if cells.is_text(values.type) else values


def _for_csv(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with its text escaped, and null for NaN: an empty cell."""
    if cells.is_text(column.type):
        return _escaped(column)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _escaped(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    risky = pc.match_substring_regex(column, _ESCAPED)
    if not pc.any(risky).as_py():
        return column
    return pc.if_else(risky, pc.binary_join_element_wise("'", column, ""), column)


def _unescaped(source: str, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pc.any(pc.match_substring_regex(column, r"^['=+\-@\t\r\n]")).as_py():
        return column
    array = cells.plain(column)
    formulas = pc.match_substring_regex(array, r"(?s)^[=+\-@\t\r\n].")
    number = pc.match_substring_regex(array, r"^[+-](?i:[0-9.][0-9.e+\-]*|inf(inity)?|nan)\s*$")
    hostile = pc.and_not(formulas, number).fill_null(False)
    row = cells.first(hostile.to_numpy(zero_copy_only=False))
    if row is not None:
        allowed = "text that a spreadsheet does not run: put an apostrophe before it, or take it out"
        cells.refuse(source, row, name, array[row].as_py(), allowed)
    marked = pc.and_(pc.match_substring_regex(array, "^'"), pc.match_substring_regex(array, _ESCAPED))
    return pa.chunked_array([pc.if_else(marked, pc.utf8_slice_codeunits(array, 1), array)])
