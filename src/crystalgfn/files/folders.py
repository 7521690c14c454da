"""Folders of long runs: made once, gone on with only for the same request."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_json


def open_folder(
    folder: Path, manifest: str, asked: Mapping[str, Any], *, resume: bool, may_change: Collection[str] = ()
) -> None:
    """Make the folder of a run and write what was asked for, or check that it is asked for again.

    Args:
        folder: new or empty, or one to go on with.
        manifest: name of the file that holds the request.
        asked: the request, JSON values.
        resume: go on with what is there.
        may_change: keys that may differ when a run goes on; the new values are written.

    Raises:
        DataError: the folder holds a run already (without ``resume``), one of something else, or other files.
    """
    file = folder / manifest
    if file.is_file():
        if not resume:
            raise DataError(f"{folder}: holds a run already; give --resume to go on with it, or another folder")
        try:
            before = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: cannot be read ({error}); delete the folder to start again") from None
        for key in asked.keys() - set(may_change):
            if before.get(key) != asked[key]:
                raise DataError(
                    f"{folder}: was started with {key} {before.get(key)!r}, found {asked[key]!r}; allowed: the same "
                    "settings, or another folder"
                )
        if not any(before.get(key) != asked[key] for key in may_change):
            return
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: holds other files, allowed: a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(file, dict(asked))
