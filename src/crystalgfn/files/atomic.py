"""Writing of files: whole, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from crystalgfn.errors import DataError


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name only when it is complete and on disk, and else not at all.

    Raises:
        DataError: the folder is missing, the disk is full, or permission is denied.
    """
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {str(path.parent)!r}, allowed: an existing one")
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all; see :func:`write_atomically`."""
    with write_atomically(path) as stream:
        stream.write(text.encode())


def write_json(path: Path, value: Any, *, indent: int | None = 1) -> None:
    """Write a value as JSON, whole or not at all; see :func:`write_atomically`."""
    write_text(path, json.dumps(value, indent=indent))


def write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files of a folder that belong together, in place of earlier ones, so that no mixture is taken for whole.

    All are on disk before the first gets its name. The first of ``contents``, without which the others are nothing, is
    removed before, and gets its name last.

    Raises:
        DataError: see :func:`write_atomically`; all files are then as they were.
    """
    with contextlib.ExitStack() as stack:  # which leaves the contexts in the opposite order
        for name, content in contents.items():
            stream = stack.enter_context(write_atomically(folder / name))
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        (folder / next(iter(contents))).unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Whether a file is what a killed :func:`write_atomically` leaves: nothing that was ever complete."""
    return _TEMPORARY.fullmatch(path.name) is not None and stat.S_ISREG(path.lstat().st_mode)


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder and in the folders in it; the caller holds its lock."""
    for path in (*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")):
        with contextlib.suppress(OSError):
            if is_temporary(path) and not path.parent.is_symlink():
                path.unlink()


_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp", re.DOTALL)


def _umask() -> int:
    # mkstemp makes private files; the only way to ask for the umask is to set it
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot; the rename is atomic all the same
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
