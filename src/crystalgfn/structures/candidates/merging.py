"""Shards to one folder: that of a single run, apart from the seconds that each row took.

Duplicates, novelty and ranks compare rows with each other, and are worked out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crystalgfn.errors import ConfigError, DataError
from crystalgfn.files.reading import shaped
from crystalgfn.progress import progress_bar
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.manifest import MANIFEST, SHARD_KEYS, of_whole, read_earlier
from crystalgfn.structures.candidates.shard import Shard

NAMED = 5
"""Most rows, or shards, that a message names."""


@dataclass(frozen=True)
class _Keys:
    """The keys of a manifest that only a shard has."""

    shard: str
    version: str
    rows: list[int]


@dataclass(frozen=True)
class _Part:
    """The folder of a shard, and the rows that it is to hold."""

    path: Path
    shard: Shard
    rows: Sequence[int]
    manifest: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | Path, *, trust: bool) -> _Part:
        manifest = read_earlier(path, trust=trust)
        if not manifest.get("shard"):
            raise DataError(f"{path}: no shard, allowed: folders of crystalgfn structures --shard")
        source = str(Path(path) / MANIFEST)
        keys = shaped({key: manifest.get(key) for key in SHARD_KEYS}, _Keys, source)
        try:
            return cls(Path(path), Shard.parse(keys.shard), keys.rows, manifest)
        except ConfigError as error:
            raise DataError(f"{source}: {error}") from None


def merge(
    folders: Iterable[str | Path],
    output: str | Path,
    *,
    compare: str | Path | None = None,
    resume: bool = False,
    trust: bool = False,
) -> RunFolder:
    """Join the shards of a run into one folder.

    Args:
        folders: those of all shards, in any order.
        output: folder to write.
        compare: known structures for the column ``novel``, see :func:`~.pipeline.run`.
        resume: go on with joining that was stopped.
        trust: whether files in the folders may be links that lead out of them.

    Raises:
        DataError: the shards are of different runs or versions, one is missing or given twice, or lacks rows.
    """
    reference = Reference(compare) if compare is not None else None
    parts = sorted((_Part.read(path, trust=trust) for path in folders), key=lambda part: part.shard.number)
    _check_one_run(parts)
    _check_all_shards(parts)
    shards = [RunFolder(part.path, part.manifest, resume=True, trust=trust) for part in parts]
    _check_all_rows(parts, [shard.done() for shard in shards])
    whole = RunFolder(output, of_whole(parts[0].manifest, compare), resume=resume, trust=trust)
    done = whole.done()
    with progress_bar(parts[0].manifest["n"], "joining", "crystals", done=len(done)) as bar:
        for part, shard in zip(parts, shards, strict=True):
            for row in part.rows:
                if row not in done:
                    whole.write(shard.read(row))
                    bar.advance()
    whole.finish(reference)
    return whole


def _check_one_run(parts: Sequence[_Part]) -> None:
    if not parts:
        raise DataError("shards: found none, allowed: the folders of all shards of a run")
    first = parts[0]
    for part in parts[1:]:
        for key in sorted((first.manifest.keys() | part.manifest.keys()) - {"shard", "rows"}):
            _same(part, first, key, part.manifest.get(key), first.manifest.get(key))
        _same(part, first, "number of shards", part.shard.of, first.shard.of)


def _same(part: _Part, first: _Part, what: str, here: Any, there: Any) -> None:
    if here != there:
        raise DataError(f"{part.path}: {what} {here!r}, but {there!r} in {first.path}; allowed: shards of one run")


def _check_all_shards(parts: Sequence[_Part]) -> None:
    of = parts[0].shard.of
    given = Counter(part.shard for part in parts)
    for shard, times in given.items():
        if times > 1:
            where = ", ".join(str(part.path) for part in parts if part.shard == shard)
            raise DataError(f"shard {shard} is given {times} times ({where}), allowed: every row once")
    if missing := [shard for number in range(1, of + 1) if (shard := Shard(number, of)) not in given]:
        raise DataError(f"shards missing: {_named(missing)}, allowed: all {of}")


def _check_all_rows(parts: Sequence[_Part], done: Sequence[set[int]]) -> None:
    for part, found in zip(parts, done, strict=True):
        if missing := [row for row in part.rows if row not in found]:
            raise DataError(
                f"{part.path}: rows missing: {_named(missing)}, allowed: every row once; go on with it first (--resume)"
            )
        if others := sorted(found - set(part.rows)):
            raise DataError(f"{part.path}: rows of other shards: {_named(others)}, allowed: those of {part.shard}")
    times = Counter(row for part in parts for row in part.rows)
    if twice := [row for row, n in times.items() if n > 1]:
        raise DataError(f"rows in several shards: {_named(twice)}, allowed: every row once")
    if len(times) != (n := parts[0].manifest["n"]):
        raise DataError(f"shards: found {len(times):,} rows in all, allowed: {n:,} as in the table")


def _named(items: Sequence[Any]) -> str:
    more = f" and {len(items) - NAMED:,} more" if len(items) > NAMED else ""
    return ", ".join(map(str, items[:NAMED])) + more
