"""The one reader of small files: of their size, their encoding, their depth, and their shape.

Every file that the package reads passes :func:`check_file`: it is a regular file, no device and no pipe, and lies where
the folder that names it may look (:mod:`.trust`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import stat
from functools import cache
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from crystalgfn.errors import DataError
from crystalgfn.files.trust import ask_for_file

T = TypeVar("T")

MOST_BYTES = 16 << 20
"""Largest size of the files that the package writes about its runs: cards, manifests, logs, structures."""


def check_file(path: str | Path, *, most: int | None = None) -> int:
    """Return the size of a regular file in bytes; nothing is read, so that no device or pipe can block.

    Args:
        path: the file.
        most: largest size, bytes; None for any.

    Raises:
        DataError: no such file, a folder, a device or a pipe, or a file that is too large.
        TrustError: the file lies outside of the folder that names it.
    """
    ask_for_file(path)
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return _checked(path, status, most)


def read_bytes(path: str | Path, *, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file; errors as for :func:`check_file`."""
    with open_file(path, most=most) as stream:
        return stream.read(most + 1)[:most]


def open_file(path: str | Path, *, most: int | None = None) -> BufferedReader:
    """Open a regular file for reading; errors as for :func:`check_file`."""
    check_file(path, most=most)
    try:
        # not blocking: what became a pipe since is refused below, not waited for
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    stream = os.fdopen(handle, "rb")
    try:
        _checked(path, os.fstat(handle), most)
    except DataError:
        stream.close()
        raise
    return stream


def read_text(path: str | Path, *, most: int = MOST_BYTES) -> str:
    """Return a text file, UTF-8.

    Raises:
        DataError: see :func:`check_file`; or the file is no UTF-8.
    """
    try:
        return read_bytes(path, most=most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no UTF-8 text (byte {error.start + 1}), allowed: UTF-8") from None


def read_json(path: str | Path, kind: type[T], *, most: int = MOST_BYTES) -> T:
    """Return the content of a JSON file of a certain shape.

    Args:
        path: the file.
        kind: shape of the content, as a type that pydantic knows: ``dict[str, float]``, a dataclass, a model.
        most: largest size, bytes.

    Raises:
        DataError: see :func:`read_text`; or the text is no JSON, is nested too deeply, or has another shape.
    """
    return parse_json(read_text(path, most=most), kind, str(path))


def parse_json(text: str | bytes, kind: type[T], source: str) -> T:
    """Return the content of JSON text; see :func:`read_json`."""
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise DataError(f"{source}: nested too deeply, allowed: what crystalgfn writes") from None
    except ValueError as error:
        raise DataError(f"{source}: not readable as JSON ({' '.join(str(error).split())[:150]})") from None
    return shaped(content, kind, source)


def shaped(content: Any, kind: type[T], source: str) -> T:
    """Return content that has a certain shape; see :func:`read_json`.

    Raises:
        DataError: it has another shape; names the first place that differs.
    """
    try:
        found: T = _adapter(cast(Any, kind)).validate_python(content)
        return found
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        value = first.get("input")
        shown = type(value).__name__ if isinstance(value, dict | list) else repr(value)[:60]
        message = first["msg"][0].lower() + first["msg"][1:]
        raise DataError(f"{source}: {where + ': ' if where else ''}found {shown}, {message}") from None
    except RecursionError:
        raise DataError(f"{source}: nested too deeply, allowed: what crystalgfn writes") from None


def read_numbers(path: str | Path, *, most: int = MOST_BYTES) -> dict[str, list[float]]:
    """Return the columns of a CSV file of numbers by name; NaN and infinities are numbers, an empty cell is NaN.

    Raises:
        DataError: see :func:`read_text`; or a row is longer or shorter than the header, or a cell is no number.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_text(path, most=most), newline="")))
    except csv.Error as error:
        raise DataError(f"{path}: not readable as CSV ({error})") from None
    header = rows[0] if rows else []
    if len(set(header)) < len(header):
        raise DataError(f"{path}: two columns of one name, allowed: each name once")
    columns: dict[str, list[float]] = {name: [] for name in header}
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(header):
            raise DataError(f"{path}: row {number} has {len(row)} cells, allowed: {len(header)}, as the header")
        for name, cell in zip(header, row, strict=True):
            try:
                columns[name].append(float(cell or "nan"))
            except ValueError:
                raise DataError(
                    f"{path}: row {number}, column {name!r}: found {cell[:60]!r}, allowed: a number"
                ) from None
    return columns


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal text; errors as for :func:`check_file`."""
    with open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _checked(path: str | Path, status: os.stat_result, most: int | None) -> int:
    if not stat.S_ISREG(status.st_mode):
        found = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise DataError(f"{path}: {found}, allowed: a regular file")
    if most is not None and status.st_size > most:
        raise DataError(f"{path}: {status.st_size:,} bytes, allowed: up to {most:,}")
    return status.st_size


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in pairs:
        if name in content:
            raise ValueError(f"key {name[:60]!r} stands twice")
        content[name] = value
    return content


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
