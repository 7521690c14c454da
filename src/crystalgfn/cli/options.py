"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crystalgfn.errors import ConfigError, DataError

if TYPE_CHECKING:
    from crystalgfn.runs.wanted import Bounds

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

Want = Annotated[
    list[str] | None,
    typer.Option(
        "--want",
        metavar="NAME=LEAST:MOST",
        help="Only predicted in this range, such as band_gap=1.4:1.8; may be repeated.",
        show_default=False,
        rich_help_panel="Nearer to the target",
    ),
]

Force = Annotated[bool, typer.Option("--force", help="Replace what the files to write hold already.")]


def wanted_ranges(want: list[str] | None, stable: float | None = None) -> dict[str, Bounds]:
    """Ranges of properties from ``--want`` and ``--stable``.

    Raises:
        ConfigError: an option says no range, or two speak of one property.
    """
    from crystalgfn.rewards.terms.stability import ABOVE_HULL
    from crystalgfn.runs.wanted import asked

    ranges = asked(want or [], "--want")
    if stable is None:
        return ranges
    if ABOVE_HULL.name in ranges:
        raise ConfigError(f"--stable: found beside --want {ABOVE_HULL.name}, which says the same, allowed: one of them")
    return {**ranges, ABOVE_HULL.name: (None, stable)}


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
