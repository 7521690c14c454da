"""``crystalgfn export``: the structures of a folder of candidates in one file, or a table for a spreadsheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Force, Trust, check_outputs
from crystalgfn.structures.export.formats import FORMATS
from crystalgfn.terminal import echo

app = typer.Typer()

SPREADSHEET = "spreadsheet"


def _together() -> list[str]:
    return [*(name for name, form in FORMATS.items() if form.together), SPREADSHEET]


@app.command()
def export(
    folder: Annotated[
        Path,
        typer.Argument(help="A folder of crystalgfn structures; for a spreadsheet also a table.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.", show_default=False)],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help=f"{', '.join(_together())}; genbench is LeMat-GenBench's CSV, spreadsheet a CSV whose text no "
            "spreadsheet runs as a formula.",
        ),
    ] = "genbench",
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Write the relaxed structures of a folder, or a table, into one file for other tools."""
    from crystalgfn.errors import DataError, nearest
    from crystalgfn.structures.candidates.folder import RunFolder

    check_outputs(output, force=force)
    if form not in _together():
        raise DataError(f"--format: found {form!r}, allowed: {', '.join(_together())}{nearest(form, _together())}")
    if form == SPREADSHEET:
        echo(f"{_spreadsheet(folder, output)} rows written to {output}")
        return
    candidates = RunFolder.existing(folder, trust=trust)
    written = candidates.export(form, output)
    crystals = len(candidates.done())
    missing = f"; {crystals - written} of {crystals} crystals have none" if written < crystals else ""
    echo(f"{written} structures written to {output}{missing}")


def _spreadsheet(path: Path, output: Path) -> int:
    """Write a table, or that of a folder of candidates, for a spreadsheet; return its number of rows."""
    from crystalgfn.crystals.tables.files import read_table, write_csv
    from crystalgfn.errors import DataError
    from crystalgfn.files.atomic import write_atomically
    from crystalgfn.structures.candidates.table import TABLE

    if output.suffix.lower() != ".csv":
        raise DataError(f"{output.name}: unknown kind of table {output.suffix!r}, allowed for a spreadsheet: .csv")
    table = read_table(path / TABLE if path.is_dir() else path)
    with write_atomically(output) as stream:
        write_csv(iter([table]), stream, spreadsheet=True)
    return int(table.num_rows)
