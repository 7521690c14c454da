"""Table files: reading that trusts nothing, writing that leaves a whole file or none."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from crystalgfn.crystals.tables import bounds, cells, schema
from crystalgfn.errors import DataError, nearest
from crystalgfn.files.reading import open_file

T = TypeVar("T")

SUFFIXES = (".parquet", ".csv")

PARQUET: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
"""Options for writing parquet: with checksums, so that a damaged file is noticed."""

MISSING_TEXT = ""
"""CSV cell of a missing value; empty text is written in quotation marks."""

_FORMULA = r"^[=+\-@\t\r\n]"
"""How text begins that a spreadsheet runs."""

_AS_NUMBER = r"(?i:[0-9.][0-9.e+\-]*|0x.*|inf(inity)?|nan|true|false|<?na>?|n/a|#n/a|null|none)"

# Reading takes an apostrophe from text that has one before a formula, blanks, nothing, or what reads as a number or a
# missing value. Writing puts one before text that would else come back as a number, or without its own apostrophe.
_MARKED = rf"^'+[=+\-@\s]|^'+$|^'(?s:.*)\s$|^'+{_AS_NUMBER}$"
_NUMBER = r"[+\-]?(\d+\.?\d*|\.\d+)([eE][+\-]?\d+)?"
_AMBIGUOUS = rf"^\s*({_NUMBER}|(?i:0x[0-9a-f]+|[+\-]?inf(inity)?|[+\-]?nan|true|false|<?na>?|n/a|#n/a|null|none))\s*$"


def suffix_of(path: Path) -> str:
    """Return ``.parquet`` or ``.csv``.

    Raises:
        DataError: any other ending.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        ending = f" {path.suffix!r}" if suffix else ", no ending"
        raise DataError(
            f"{path.name}: unknown kind of table{ending}, allowed: {', '.join(SUFFIXES)}{nearest(suffix, SUFFIXES)}"
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
    head = _head(path)
    if suffix_of(path) == ".csv":
        if head.startswith(b"PAR1"):
            raise DataError(f"{path.name}: a parquet file under a .csv name, allowed: text; rename it to .parquet")
        return _distinct(path, _guarded(path, "CSV", partial(_read_csv, n=n)))
    _check_parquet(path, head)
    return _distinct(path, _guarded(path, "parquet", partial(bounds.read_parquet, n=n)))


def read_footer(path: Path) -> tuple[pa.Schema, int]:
    """Return the schema of a parquet file, with its metadata, and the number of its rows, which are not read.

    Raises:
        DataError: missing, empty or unreadable file, or no parquet file.
    """
    _check_parquet(path, _head(path))
    footer = _guarded(path, "parquet", pq.read_metadata)
    return footer.schema.to_arrow_schema(), footer.num_rows


def write_parquet(tables: Iterator[pa.Table], stream: IO[bytes]) -> None:
    """Write tables of one schema as row groups."""
    first = next(tables)
    with pq.ParquetWriter(stream, first.schema, **PARQUET) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def write_csv(tables: Iterator[pa.Table], stream: IO[bytes], *, spreadsheet: bool = False) -> None:
    """Write tables of one schema as CSV, floats in their shortest exact form.

    Args:
        tables: the tables.
        stream: where to.
        spreadsheet: put an apostrophe before text that a spreadsheet would run as a formula, and a mark of UTF-8 first.
    """
    if spreadsheet:
        stream.write(codecs.BOM_UTF8)
    for number, table in enumerate(tables):
        header = _quoted(_written(pa.array(table.column_names), spreadsheet)).to_pylist()
        columns = [
            _cells(name, column, spreadsheet) for name, column in zip(table.column_names, table.columns, strict=True)
        ]
        lines = [] if number else [",".join(header)]
        lines += map(",".join, zip(*columns, strict=True))
        stream.write("".join(f"{line}\n" for line in lines).encode())


WRITERS: dict[str, Callable[[Iterator[pa.Table], IO[bytes]], None]] = {".parquet": write_parquet, ".csv": write_csv}


def _distinct(path: Path, table: pa.Table) -> pa.Table:
    cells.refuse_doubled(path.name, table.column_names)
    return table


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


def _check_parquet(path: Path, head: bytes) -> None:
    if not head.startswith(b"PAR1"):
        kind = "a pickle, which is never loaded" if head[:1] == b"\x80" else f"a file that starts with {head[:4]!r}"
        raise DataError(f"{path.name}: {kind}, allowed: a parquet file (starts with b'PAR1')")


def _guarded(path: Path, kind: str, read: Callable[[Path], T]) -> T:
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
        column_types=dict.fromkeys(header, pa.string()),
        null_values=[MISSING_TEXT],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    # one thread, so that messages about broken rows can name them
    reading = pa_csv.ReadOptions(use_threads=False, block_size=1 << 24)
    table = _csv_rows(path, n, read_options=reading, parse_options=parsing, convert_options=converting)
    names = _unescaped(pa.chunked_array([pa.array(table.column_names, pa.string())])).to_pylist()
    columns = [_typed(name, column) for name, column in zip(names, table.columns, strict=True)]
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


def _typed(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Return a column as numbers or truth values if every cell reads as one, and else as text without escapes."""
    if not cells.is_text(column.type):  # its header could not be read beforehand
        return column
    text = _unescaped(column)
    if name in schema.TEXT or name in schema.REQUIRED:
        return text
    values = cells.inferred(cells.plain(column))
    return text if cells.is_text(values.type) else values


def _cells(name: str, column: pa.ChunkedArray, spreadsheet: bool) -> list[str]:
    """Return the cells of a column as CSV has them; missing ones and NaN are empty."""
    if cells.is_text(column.type):
        text = _written(column, spreadsheet)
        if name not in schema.TEXT and name not in schema.REQUIRED:
            text = _prefixed(text, pc.match_substring_regex(text, _AMBIGUOUS))
        return [cell or MISSING_TEXT for cell in _quoted(text).to_pylist()]
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    values = [MISSING_TEXT if value is None else str(value) for value in column.to_pylist()]
    return values if pa.types.is_floating(column.type) else _quoted(pa.array(values, pa.string())).to_pylist()


def _written(column: pa.ChunkedArray | pa.Array, spreadsheet: bool) -> pa.ChunkedArray | pa.Array:
    """Return text with a further apostrophe where reading will take one away, and before what a spreadsheet runs."""
    column = _prefixed(column, pc.match_substring_regex(column, _MARKED))
    return _prefixed(column, pc.match_substring_regex(column, _FORMULA)) if spreadsheet else column


def _prefixed(column: pa.ChunkedArray | pa.Array, rows: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    return pc.if_else(rows, pc.binary_join_element_wise("'", column, ""), column)


def _quoted(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return text in quotation marks where CSV needs them: separators, quotation marks, ends of lines, and no text."""
    needed = pc.match_substring_regex(column, r"""[",\r\n]|^$""")
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(needed, pc.binary_join_element_wise('"', doubled, '"', ""), column)


def _unescaped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text without the apostrophes that writing put before it."""
    if not pc.any(pc.match_substring_regex(column, "^'")).as_py():
        return column
    array = cells.plain(column)
    marked = pc.match_substring_regex(array, _MARKED)
    return pa.chunked_array([pc.if_else(marked, pc.utf8_slice_codeunits(array, 1), array)])
