"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.errors import ConfigError, DataError

Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Let folders name code to run, networks, and files outside of them: only if you trust whoever made them.",
    ),
]

Tables = Annotated[
    list[Path],
    typer.Option("-o", "--output", help="Table to write, .parquet or .csv; may be given twice.", show_default=False),
]

Force = Annotated[bool, typer.Option("--force", help="Replace what the files to write hold already.")]


def check_outputs(*paths: Path | None, force: bool) -> None:
    """Refuse to replace files, before any work: those that exist and hold something, unless ``force`` is given.

    Where an interrupted command left the rows so far beside one of the files, the next one goes on with them.

    Raises:
        ConfigError: the same file is given twice.
        DataError: names the file.
    """
    files = [path for path in paths if path is not None]
    if len({path.resolve() for path in files}) != len(files):
        raise ConfigError("--output: the same file is given twice, allowed: each once")
    if force or any(path.with_name(f"{path.name}.partial").is_dir() for path in files):
        return
    for path in files:
        if path.is_file() and path.stat().st_size:
            raise DataError(f"{path}: exists already, allowed: a new file, or --force to replace it")
