"""Bounds on what a table file may become in memory: what it declares is looked at before its content is read.

A small file can hold very many equal values, or declare rows that it does not have. Numbers are counted in the footer
of a parquet file, text is read with each different value once, and the header of a CSV file is read first.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crystalgfn.crystals.tables.footer import Footer

MOST_VALUES = 100_000_000
"""Most values of a table, in all its columns: some 5 million samples with all their columns."""

MOST_TEXT = 2_000_000_000
"""Most bytes of text of a table."""

MOST_COLUMNS = 10_000
"""Most columns of a table."""

MOST_HEADER = 1 << 20
"""Most bytes of the header of a CSV file."""

BATCH = 65_536
"""Rows that are read at a time where not all are asked for."""


def read_parquet(path: Path, n: int | None) -> pa.Table:
    """Return the first ``n`` rows of a parquet file, or all.

    Raises:
        ValueError: more values, text or columns than a table may have.
        pyarrow.ArrowException: the file is damaged.
    """
    # memory_map off: a file that shrinks while mapped would kill the process. A native stream, read in this thread:
    # a thread of arrow that lets go of a Python one while the interpreter ends aborts the process
    options: dict[str, Any] = {"page_checksum_verification": True, "pre_buffer": False}
    _check_footer(Footer.of_file(path), n)
    with pa.OSFile(str(path), "rb") as stream, pq.ParquetFile(stream, **options) as file:
        schema = file.schema_arrow
        if len(schema) > MOST_COLUMNS:
            raise ValueError(f"{len(schema):,} columns, allowed: up to {MOST_COLUMNS:,}")
        texts = [
            field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
    with (
        pa.OSFile(str(path), "rb") as stream,
        pq.ParquetFile(stream, read_dictionary=texts, **options) as file,
    ):
        table = file.read(use_threads=False) if n is None else _first_rows(file, n)
    _check_text(table)
    table = table.cast(schema)
    table.validate(full=True)  # parquet takes bytes for text unchecked, in cells
    if len(table.column_names) != table.num_columns:  # and in names, which are decoded here
        raise ValueError("its columns and their names differ in number")
    return table


def read_header(stream: IO[bytes]) -> list[str]:
    """Return the names in the first line of a CSV file.

    Raises:
        ValueError: a header that is too long, or has too many names.
    """
    line = stream.readline(MOST_HEADER + 1)
    if len(line) > MOST_HEADER:
        raise ValueError(f"a header of more than {MOST_HEADER:,} bytes, allowed: {MOST_HEADER:,}")
    names = next(csv.reader([line.decode("utf-8-sig")]), [])
    if len(names) > MOST_COLUMNS:
        raise ValueError(f"{len(names):,} columns, allowed: up to {MOST_COLUMNS:,}")
    return names


def check_cells(rows: int, columns: int) -> None:
    """Refuse a table with too many cells.

    Raises:
        ValueError: more than :data:`MOST_VALUES`.
    """
    if rows * columns > MOST_VALUES:
        raise ValueError(f"{rows:,} rows and {columns:,} columns, allowed: up to {MOST_VALUES:,} values in a table")


def _check_footer(footer: Footer, n: int | None) -> None:
    if footer.rows != sum(footer.rows_of_groups):
        raise ValueError(f"{footer.rows:,} rows in the footer, {sum(footer.rows_of_groups):,} in its parts")
    most = max((len(values) for values in footer.values_of_groups), default=0)
    check_cells(footer.rows if n is None else min(n, footer.rows), most)
    # lists have more values than rows; of the parts that are read, all are counted
    needed, rows = 0, 0
    for declared, values in zip(footer.rows_of_groups, footer.values_of_groups, strict=True):
        if n is not None and rows >= n:
            break
        share = 1.0 if n is None else min(1.0, (n - rows + BATCH) / max(declared, 1))
        needed += int(sum(values) * share)
        rows += declared
    if needed > MOST_VALUES:
        raise ValueError(f"{needed:,} values, allowed: up to {MOST_VALUES:,} in a table; split it")


def _first_rows(file: pq.ParquetFile, n: int) -> pa.Table:
    batches, rows = [], 0
    for batch in file.iter_batches(batch_size=min(max(n, 1), BATCH), use_threads=False):
        batches.append(batch)
        rows += batch.num_rows
        if rows >= n:
            break
    if not batches:
        return file.schema_arrow.empty_table()
    return pa.Table.from_batches(batches).slice(0, n)


def _check_text(table: pa.Table) -> None:
    size = 0
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            for chunk in column.chunks:
                lengths = pc.binary_length(chunk.dictionary).take(chunk.indices)
                size += pc.sum(pc.cast(lengths, pa.int64())).as_py() or 0
    if size > MOST_TEXT:
        raise ValueError(f"{size:,} bytes of text, allowed: up to {MOST_TEXT:,} in a table; split it")
