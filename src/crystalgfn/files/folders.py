"""Folders: new ones, whole or not at all, and those of long runs, which are continued only with the same request."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from crystalgfn.errors import DataError
from crystalgfn.files.atomic import is_temporary, write_json
from crystalgfn.files.locks import LOCK
from crystalgfn.files.reading import read_json


def work_folder(path: Path) -> Path:
    """Make a folder that the package works in, or return it where it exists.

    Raises:
        DataError: a link or a file stands in its place, or it cannot be made. A link would lead what is written
            elsewhere.
    """
    if path.is_symlink():
        raise DataError(f"{path}: a link, allowed: a folder; nothing is written through links")
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be made ({error.strerror or error})") from None
    return path


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write into, which appears under its name only when the block has ended without an error.

    Raises:
        DataError: there are files under that name already, the folder that it shall lie in is missing, or it cannot
            be written.
    """
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise DataError(f"{path}: exists already, allowed: a new or empty folder")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {str(path.parent)!r}, allowed: an existing one")
    temporary = None
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        made = temporary / path.name  # a folder with the usual permissions
        made.mkdir()
        yield made
        made.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def open_folder(
    folder: Path, manifest: str, request: Mapping[str, Any], *, resume: bool, may_change: Collection[str] = ()
) -> None:
    """Make the folder of a run and write the request, or check that the folder was made for this request.

    A folder that holds nothing but a request, because its run ended before the first result, counts as empty; so does
    one with a lock (:mod:`.locks`), or with what killed writers left.

    Args:
        folder: new or empty, or the folder of a run to go on with.
        manifest: name of the file that holds the request.
        request: JSON values.
        resume: go on with what is there.
        may_change: keys that may differ when a run goes on; the new values are written.

    Raises:
        DataError: the folder holds a run (without ``resume``), a run with another request, or other files.
    """
    file = folder / manifest
    if file.is_file() and not _is_stub(folder, manifest):
        if not resume:
            raise DataError(f"{folder}: holds a run already; give --resume to go on with it, or another folder")
        try:
            before = read_json(file, dict[str, Any])
        except DataError as error:
            raise DataError(f"{error}; delete the folder to start again") from None
        check_same(folder, before, {key: request[key] for key in request.keys() - set(may_change)})
        if not any(before.get(key) != request[key] for key in may_change):
            return
    elif not file.is_file() and folder.exists() and (not folder.is_dir() or contents(folder)):
        raise DataError(f"{folder}: holds other files, allowed: a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(file, dict(request))


def check_same(place: Path, before: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Refuse a request that differs from that of the run to go on with.

    Args:
        place: what the run is named by in the message.
        before: the request of the run.
        request: the request of now, in the same JSON values; keys that it lacks may have been anything.

    Raises:
        DataError: names the first key that differs, dotted, with both values.
    """
    for key in sorted(request):
        changed = difference(before.get(key), request[key], key)
        if changed is not None:
            name, then, now = changed
            raise DataError(
                f"{place}: was started with {name} {then}, found {now}; allowed: the same settings, or another folder"
            )


def contents(folder: Path) -> set[str]:
    """Names of what a folder holds besides its lock and what killed writers left."""
    return {path.name for path in folder.iterdir() if path.name != LOCK and not is_temporary(path)}


def difference(before: Any, now: Any, key: str = "") -> tuple[str, str, str] | None:
    """The first key at which two contents differ, dotted, with both values as text; None if they are equal."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in [*before, *(name for name in now if name not in before)]:
            inner = difference(before.get(name), now.get(name), f"{key}.{name}" if key else str(name))
            if inner is not None:
                return inner
        return None
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return next((d for i, (a, b) in pairs if (d := difference(a, b, f"{key}[{i}]")) is not None), None)
    return None if before == now else (key, _short(before), _short(now))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


LONGEST = 80
"""Characters of a value in a message."""


def _is_stub(folder: Path, manifest: str) -> bool:
    """Whether a folder holds no result: no other file than the manifest and the lock, at any depth."""
    own = (folder / manifest, folder / LOCK)
    others = (path for path in folder.rglob("*") if path not in own)
    return all(is_temporary(path) or (path.is_dir() and not path.is_symlink()) for path in others)
