"""Streaming writers: a table grows part by part, survives a kill, and appears under its name when it is complete.

While ``crystals.parquet`` is written, the folder ``crystals.parquet.partial`` holds a manifest and a small parquet
file per call of ``write``, each put in place atomically. A run with the same manifest goes on after the last part.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from crystalgfn.crystals.tables import files
from crystalgfn.crystals.tables.schema import Batch, to_table
from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_atomically, write_json
from crystalgfn.files.folders import work_folder
from crystalgfn.files.locks import Lock
from crystalgfn.files.reading import parse_json, read_json

ROW_GROUP = 65_536
"""Rows of the final file's row groups, at least."""

_PART = "part-{:06d}.parquet"
_NOTES = b"crystalgfn.notes"


class PartWriter:
    """Writes arrow tables of one schema, in parts that survive a kill; use it as a context manager.

    Example::

        with PartWriter(Path("crystals.parquet"), manifest={"n": 10_000, "seed": 0}) as writer:
            for chunk in range(writer.parts, 10):     # parts that exist are not written again
                writer.write(make(chunk))

    Leaving the block merges the parts into the file; leaving it by an exception keeps them for the next run.

    Args:
        path: the final file, ``.parquet`` or ``.csv``.
        manifest: what the content depends on, as JSON values: a run that goes on must have the same manifest.
        restart: throw away what an earlier run left instead of going on.
        metadata: of the parquet file's schema, beside that of the tables.

    Raises:
        DataError: wrong ending, missing folder, a full disk, another manifest, another process at work on the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        manifest: Mapping[str, Any] | None = None,
        restart: bool = False,
        metadata: Mapping[bytes, bytes] | None = None,
    ) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self._manifest = self.partial / "manifest.json"
        self._metadata = dict(metadata or {})
        self.rows = 0
        self.parts = 0
        self._suffix = files.suffix_of(self.path)
        self._schema: pa.Schema | None = None
        if self.path.is_dir():
            raise DataError(f"{self.path}: a folder, allowed: the name of a file")
        content: dict[str, Any] = json.loads(json.dumps(dict(manifest or {})))
        with _disk_errors(self.path):
            if not self.path.parent.is_dir():
                raise DataError(f"{self.path}: there is no folder {str(self.path.parent)!r}, allowed: an existing one")
            work_folder(self.partial)
            self._lock = Lock(self.partial, "lock")
        try:
            if restart:
                self._remove_parts()
            self._resume(content)
        except BaseException:
            self._close(discard=not self._manifest.exists())
            raise

    def write(self, table: pa.Table, *, notes: Any = None) -> None:
        """Add rows as one part; when this returns, they survive a kill.

        Args:
            table: the rows.
            notes: JSON values kept with the part until the end, such as counters; see :meth:`notes`.

        Raises:
            DataError: other columns than the parts before, or a full disk (the parts before stay).
        """
        if self._schema is not None and not table.schema.equals(self._schema, check_metadata=False):
            raise DataError(f"{self.path.name}: a part with columns {table.column_names}, allowed: those before")
        self._schema = self._schema or table.schema
        part = table.replace_schema_metadata({**(table.schema.metadata or {}), _NOTES: json.dumps(notes).encode()})
        with self._errors_with_place(), write_atomically(self._part(self.parts)) as stream:
            pq.write_table(part, stream, **files.PARQUET)
        self.parts += 1
        self.rows += table.num_rows

    def notes(self) -> list[Any]:
        """Return the notes of each part, in order, also those of earlier runs."""
        return [self._notes_of(self._part(n)) for n in range(self.parts)]

    def _notes_of(self, part: Path) -> Any:
        notes = (_read_footer(part)[0].metadata or {}).get(_NOTES)
        try:
            if notes is None:
                raise DataError("no notes")
            return parse_json(notes, Any, "notes")
        except DataError as error:
            raise DataError(f"{part} cannot be read ({error}): delete the folder to start again") from None

    def finish(self) -> None:
        """Merge the parts into the final file and remove them. Nothing is written if there is no part.

        Raises:
            DataError: a full disk; the parts stay.
        """
        if self.parts:
            merged = self.partial / f"merged{self._suffix}"
            with self._errors_with_place(), write_atomically(merged) as stream:
                files.WRITERS[self._suffix](self._row_groups(), stream)
            with _disk_errors(self.path):
                merged.replace(self.path)
        self._close(discard=True)

    def discard(self) -> None:
        """Throw the parts away; nothing more can be written."""
        self.parts = self.rows = 0
        self._close(discard=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._close(discard=not self.parts)

    @contextlib.contextmanager
    def _errors_with_place(self) -> Iterator[None]:
        """Say in errors of the disk where the rows so far are kept."""
        try:
            yield
        except DataError as error:
            place = f"; {self.rows:,} rows are kept in {self.partial}: make room and run the same again to go on"
            raise DataError(f"{error}{place if self.parts else ''}") from error

    def _part(self, number: int) -> Path:
        return self.partial / _PART.format(number)

    def _resume(self, manifest: dict[str, Any]) -> None:
        with _disk_errors(self.path):
            earlier = _read_manifest(self._manifest) if self._manifest.exists() else None
            if earlier is not None and earlier != manifest:
                differing = sorted(key for key in {*earlier, *manifest} if earlier.get(key) != manifest.get(key))
                pairs = ", ".join(f"{k}: {earlier.get(k)!r} then, {manifest.get(k)!r} now" for k in differing)
                raise DataError(
                    f"{self.partial} was left by a run that differs ({pairs}): "
                    f"give the same to go on, or delete the folder to start again"
                )
            if earlier is None:
                self._remove_parts()
                write_json(self._manifest, manifest)
            while (part := self._part(self.parts)).exists():
                self._schema, rows = _read_footer(part)
                self.rows += rows
                self.parts += 1

    def _row_groups(self) -> Iterator[pa.Table]:
        """Yield the parts, joined to at least ROW_GROUP rows."""
        waiting: list[pa.Table] = []
        for number in range(self.parts):
            part = pq.read_table(self._part(number), use_threads=False, memory_map=False)
            metadata = {key: value for key, value in (part.schema.metadata or {}).items() if key != _NOTES}
            waiting.append(part.replace_schema_metadata(metadata | self._metadata))
            if sum(len(table) for table in waiting) >= ROW_GROUP or number == self.parts - 1:
                yield pa.concat_tables(waiting)
                waiting = []

    def _remove_parts(self) -> None:
        """Remove the files a writer makes, and no others."""
        for pattern in ("part-*.parquet", "merged.*", "manifest.json", ".*.tmp"):
            for path in self.partial.glob(pattern):
                path.unlink(missing_ok=True)

    def _close(self, *, discard: bool = False) -> None:
        if self._lock.released:
            return
        if discard:
            with contextlib.suppress(OSError):
                self._remove_parts()
        self._lock.release()
        if discard:
            with contextlib.suppress(OSError):
                self.partial.rmdir()


class TableWriter(PartWriter):
    """A :class:`PartWriter` that takes crystals: each call of ``write_crystals`` is one part of B rows.

    Example::

        with TableWriter(Path("crystals.parquet"), manifest={"n": n, "seed": seed, "model": model_hash}) as writer:
            for chunk in range(writer.parts, n_chunks):
                writer.write_crystals(sample(chunk))
    """

    def write_crystals(self, crystals: Batch, *, notes: Any = None) -> None:
        """Add B crystals as one part, with notes; 10,000 or more a part keep the number of files small.

        Raises:
            DataError: crystals that cannot be written, other columns than before, or a full disk.
        """
        self.write(to_table(crystals), notes=notes)


def _read_manifest(path: Path) -> Any:
    try:
        return read_json(path, dict[str, Any])
    except DataError as error:
        raise DataError(f"{error}: delete the folder to start again") from None


def _read_footer(part: Path) -> tuple[pa.Schema, int]:
    try:
        return files.read_footer(part)
    except DataError as error:
        raise DataError(f"{part} cannot be read ({error}): delete the folder to start again") from None


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
