"""What a run depends on, as JSON values, and what of it may change when the run goes on.

The number of rows may grow. A file may lie elsewhere, but must hold the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crystalgfn import __version__
from crystalgfn.errors import DataError
from crystalgfn.files.reading import read_json, sha256, shaped
from crystalgfn.files.shards import Shard
from crystalgfn.files.trust import opened
from crystalgfn.stability.load import HULLS
from crystalgfn.structures.candidates.requests import Request, SearchSettings, digests
from crystalgfn.structures.candidates.sources import Choice
from crystalgfn.structures.candidates.workers import Tools
from crystalgfn.structures.placing.prototype_files import BUILTIN

MANIFEST = "manifest.json"

FILES = ("references", "hull", "library", "second_references", "compare")
"""Keys that may name a file, whose SHA-256 then stands beside."""

GROWING = ("table", "n", "rows")
"""Keys that change when a run goes on to more rows."""

CHOICE = ("order_by", "one_per_formula")

SHARD_KEYS = ("shard", "version", "rows")
"""Keys of a shard: which one, the version of this package, which other machines may not have, and its rows."""


@dataclass(frozen=True)
class _Rows:
    """The keys of a manifest by which a run may grow."""

    table: str
    n: int


def manifest(
    tasks: Iterable[Request],
    n: int,
    tools: Tools,
    settings: SearchSettings,
    *,
    choice: Choice | None = None,
    compare: str | Path | None = None,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return crystals, tools and settings of a run.

    Args:
        tasks: the crystals, in the order of work.
        n: number of crystals.
        tools: tools by name.
        settings: settings of the search.
        choice: how the crystals were chosen from their table.
        compare: file of known structures, or None.
        before: manifest of the run to go on with, whose rows must be the first of these.

    Raises:
        DataError: the run to go on with has more rows, or others.
    """
    before = before or {}
    if n < before.get("n", 0):
        raise DataError(f"-n: found {n}, but the run was started with {before['n']}; allowed: {before['n']} or more")
    chosen = {name: getattr(choice or Choice(), name) or None for name in CHOICE}
    table, first = digests(tasks, before.get("n", 0))
    if before and all(before.get(name) == value for name, value in chosen.items()) and first != before["table"]:
        raise DataError(
            f"the first {before['n']} crystals are not those that the run was started with; allowed: the same table, "
            "or another folder"
        )
    values = {**asdict(tools), "compare": None if compare is None else str(compare)}
    about = {"table": table, "n": n, **chosen, **values, **_contents(values), **asdict(settings), "shard": None}
    return dict(sorted(about.items()))


def of_shard(about: Mapping[str, Any], shard: Shard, rows: Sequence[int]) -> dict[str, Any]:
    """Return the manifest of a shard.

    Args:
        about: the manifest of the whole run.
        shard: the shard.
        rows: numbers of its rows.
    """
    return {**about, "shard": str(shard), "version": __version__, "rows": list(rows)}


def of_whole(about: Mapping[str, Any], compare: str | Path | None) -> dict[str, Any]:
    """Return the manifest of a whole run.

    Args:
        about: the manifest of one of its shards.
        compare: file of known structures, or None.
    """
    kept = {key: value for key, value in about.items() if key not in SHARD_KEYS}
    known = {"compare": None if compare is None else str(compare)}
    return dict(sorted({**kept, **known, **_contents(dict.fromkeys(FILES) | known), "shard": None}.items()))


def may_change(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """Return the keys in which the manifest of a run that goes on may differ from its manifest before."""
    hashed = {name for name in FILES if before.keys() & now.keys() & {f"{name}_sha256"}}
    return {*(now.keys() & GROWING), *hashed}


def read_earlier(path: str | Path, *, trust: bool = False) -> dict[str, Any]:
    """Return the manifest in the folder of a run; empty where there is none yet.

    Args:
        path: the folder.
        trust: whether the manifest may be a link that leads out of the folder.

    Raises:
        DataError: it cannot be read.
    """
    file = Path(path) / MANIFEST
    if not file.is_file():
        return {}
    with opened(path, trust=trust):
        before = read_json(file, dict[str, Any])
    shaped(before, _Rows, str(file))
    return before


def _contents(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of each value that is the path of a file, by the name of its key."""
    files = {name: values[name] for name in FILES if values[name] not in (None, "", BUILTIN, *HULLS)}
    return {f"{name}_sha256": sha256(path) for name, path in files.items() if Path(path).is_file()}
