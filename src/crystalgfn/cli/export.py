"""``crystalgfn export``: the structures of a folder of candidates in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Trust
from crystalgfn.structures.export.formats import FORMATS
from crystalgfn.terminal import echo

app = typer.Typer()


def _together() -> list[str]:
    return [name for name, form in FORMATS.items() if form.together]


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A folder of crystalgfn structures.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.", show_default=False)],
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(_together())}; genbench is LeMat-GenBench's CSV.")
    ] = "genbench",
    trust: Trust = False,
) -> None:
    """Write the relaxed structures of a folder into one file for other tools."""
    from crystalgfn.errors import DataError, nearest
    from crystalgfn.structures.candidates.folder import RunFolder

    if form not in _together():
        raise DataError(f"--format: found {form!r}, allowed: {', '.join(_together())}{nearest(form, _together())}")
    candidates = RunFolder.existing(folder, trust=trust)
    written = candidates.export(form, output)
    crystals = len(candidates.done())
    missing = f"; {crystals - written} of {crystals} crystals have none" if written < crystals else ""
    echo(f"{written} structures written to {output}{missing}")
