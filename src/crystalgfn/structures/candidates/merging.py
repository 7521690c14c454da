"""Shards to one folder: that of a single run, apart from the seconds that each row took.

Duplicates, novelty and ranks compare rows with each other, and are worked out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crystalgfn.errors import DataError
from crystalgfn.files.reading import shaped
from crystalgfn.files.shards import Part, Shard, check_parts, named
from crystalgfn.progress import progress_bar
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.manifest import MANIFEST, SHARD_KEYS, of_whole, read_earlier


@dataclass(frozen=True)
class _Keys:
    """The keys of a manifest that only a shard has."""

    shard: str
    version: str
    rows: list[int]


@dataclass(frozen=True)
class _Part(Part):
    """The folder of a shard, and the rows that it is to hold."""

    rows: Sequence[int]

    @classmethod
    def read(cls, path: str | Path, *, trust: bool) -> _Part:
        manifest = read_earlier(path, trust=trust)
        if not manifest.get("shard"):
            raise DataError(f"{path}: no shard, allowed: folders of crystalgfn structures --shard")
        source = str(Path(path) / MANIFEST)
        keys = shaped({key: manifest.get(key) for key in SHARD_KEYS}, _Keys, source)
        return cls(Path(path), Shard.written(keys.shard, source), manifest, keys.rows)


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
        DataError: the shards are of different runs or versions, one is missing or given twice, or lacks rows; or
            another process works in the folder to write.
    """
    reference = Reference(compare) if compare is not None else None
    parts = sorted((_Part.read(path, trust=trust) for path in folders), key=lambda part: part.shard.number)
    check_parts(parts, own=("shard", "rows"))
    shards = [RunFolder(part.path, part.about, resume=True, trust=trust) for part in parts]
    _check_all_rows(parts, [shard.done() for shard in shards])
    about = of_whole(parts[0].about, compare)
    with RunFolder.in_use(output, lambda: (about, ()), resume=resume, trust=trust) as whole:
        done = whole.done()
        with progress_bar(parts[0].about["n"], "joining", "crystals", done=len(done)) as bar:
            for part, shard in zip(parts, shards, strict=True):
                for row in part.rows:
                    if row not in done:
                        whole.write(shard.read(row))
                        bar.advance()
        whole.finish(reference)
    return whole


def _check_all_rows(parts: Sequence[_Part], done: Sequence[set[int]]) -> None:
    for part, found in zip(parts, done, strict=True):
        if missing := [row for row in part.rows if row not in found]:
            raise DataError(
                f"{part.path}: rows missing: {named(missing, len(missing))}, allowed: every row once; "
                "go on with it first (--resume)"
            )
        if others := sorted(found - set(part.rows)):
            raise DataError(
                f"{part.path}: rows of other shards: {named(others, len(others))}, allowed: those of {part.shard}"
            )
    times = Counter(row for part in parts for row in part.rows)
    if twice := [row for row, n in times.items() if n > 1]:
        raise DataError(f"rows in several shards: {named(twice, len(twice))}, allowed: every row once")
    if len(times) != (n := parts[0].about["n"]):
        raise DataError(f"shards: found {len(times):,} rows in all, allowed: {n:,} as in the table")
