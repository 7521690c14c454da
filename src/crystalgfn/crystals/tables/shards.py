"""Tables that several machines sampled, each a shard of one run: what a table is a part of, and how parts are joined.

Samples are drawn in chunks, each with a seed of its own. A shard is a block of neighbouring chunks, and its table says
in the metadata of the parquet file which, and of what run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from crystalgfn import __version__
from crystalgfn.crystals.tables.files import read_footer, read_table
from crystalgfn.crystals.tables.writer import PartWriter
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.files.reading import parse_json, shaped
from crystalgfn.files.shards import Part, Shard, check_parts
from crystalgfn.progress import progress_bar

SHARD_KEY = b"crystalgfn.shard"
"""Key of a table's metadata that says, as JSON, which shard of what run it is."""


@dataclass(frozen=True)
class _Keys:
    """Keys by which the rows of a shard are known."""

    shard: str
    n: int
    chunk: int


@dataclass(frozen=True)
class _Table(Part):
    """The table of a shard.

    Attributes:
        n: rows of the whole table.
        chunk: rows of each chunk but the last.
        schema: columns, and the metadata that the whole table has as well.
    """

    n: int
    chunk: int
    schema: pa.Schema

    @classmethod
    def read(cls, path: Path) -> _Table:
        schema, rows = read_footer(path)
        metadata = dict(schema.metadata or {})
        text = metadata.pop(SHARD_KEY, None)
        if text is None:
            raise DataError(f"{path}: no shard, allowed: tables of crystalgfn sample --shard")
        about = parse_json(text, dict[str, Any], str(path))
        keys = shaped({key: about.get(key) for key in ("shard", "n", "chunk")}, _Keys, str(path))
        if min(keys.n, keys.chunk) < 1:
            raise DataError(f"{path}: {keys.n} crystals in chunks of {keys.chunk}, allowed: 1 or more")
        shard = Shard.written(keys.shard, str(path))
        table = cls(path, shard, about, keys.n, keys.chunk, schema.with_metadata(metadata))
        held = rows_of(shard, keys.n, keys.chunk)
        if rows != held.stop - held.start:
            raise DataError(f"{path}: {rows:,} rows, allowed: {held.stop - held.start:,}, all of shard {shard}")
        return table


def of_shard(manifest: Mapping[str, Any], shard: Shard) -> dict[str, Any]:
    """Return the manifest of a shard: that of its run, the version of this package, and which shard it is.

    Args:
        manifest: what the samples depend on, with their number ``n`` and that of a chunk, ``chunk``.
        shard: the shard.

    Raises:
        ConfigError: there are more shards than chunks.
    """
    chunks = -(-manifest["n"] // manifest["chunk"])
    if shard.of > chunks:
        raise ConfigError(f"--shard: found {shard}, allowed: up to {chunks:,}, of {manifest['chunk']:,} crystals each")
    return {**manifest, "version": __version__, "shard": str(shard)}


def metadata_of(manifest: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Return the metadata of a shard's table."""
    return {SHARD_KEY: json.dumps(manifest).encode()}


def rows_of(shard: Shard, n: int, chunk: int) -> range:
    """Return the rows of a shard in a table of ``n`` rows, in chunks of ``chunk``."""
    chunks = shard.block(-(-n // chunk))
    return range(chunks.start * chunk, min(n, chunks.stop * chunk))


def join(tables: Iterable[Path], output: Sequence[Path], *, restart: bool = False) -> int:
    """Join the tables of all shards of a run to the table that the run would have written by itself.

    Args:
        tables: those of all shards, in any order.
        output: files to write, ``.parquet`` or ``.csv``; joining that was stopped goes on.
        restart: throw away what joining that was stopped left.

    Returns:
        the number of rows.

    Raises:
        DataError: before anything is written: a table is no shard, they are of different runs or versions, one is
            missing or given twice, or lacks rows; or the rows of one are damaged, when those before it are kept.
    """
    parts = sorted(map(_Table.read, tables), key=lambda part: part.shard.number)
    check_parts(parts)
    n, chunk, schema = parts[0].n, parts[0].chunk, parts[0].schema
    for part in parts:
        if any(path.exists() and path.samefile(part.path) for path in output):
            raise DataError(f"{part.path}: a shard, allowed: another file to write")
        if not part.schema.equals(schema, check_metadata=True):
            raise DataError(f"{part.path}: other columns than {parts[0].path}, allowed: shards of one run")
    about = {key: value for key, value in parts[0].about.items() if key != "shard"}
    with ExitStack() as stack:
        writers = [stack.enter_context(PartWriter(path, manifest=about, restart=restart)) for path in output]
        bar = stack.enter_context(progress_bar(n, "joining", "crystals", done=min(w.rows for w in writers)))
        for part in parts:
            rows = rows_of(part.shard, n, chunk)
            if all(writer.rows >= rows.stop for writer in writers):
                continue
            table = read_table(part.path).replace_schema_metadata(schema.metadata)
            for row in rows[::chunk]:
                for writer in writers:
                    if writer.rows <= row:
                        writer.write(table.slice(row - rows.start, chunk))
                bar.advance(min(writer.rows for writer in writers) - bar.completed)
    return n
