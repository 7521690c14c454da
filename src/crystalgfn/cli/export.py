"""``crystalgfn export``: the structures of a folder of candidates for other programs, or a table for a spreadsheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crystalgfn.cli.options import Force, Trust, check_outputs
from crystalgfn.structures.export.input_folders import INDEX
from crystalgfn.structures.export.targets import targets
from crystalgfn.structures.export.vasp import DEFAULT, SETS
from crystalgfn.terminal import echo

app = typer.Typer()

SPREADSHEET = "spreadsheet"


def _allowed() -> list[str]:
    return [*targets(), SPREADSHEET]


def _help() -> str:
    about = [f"{name}: {target.about}" for name, target in targets().items()]
    return "; ".join([*about, f"{SPREADSHEET}: a CSV whose text no spreadsheet runs as a formula"]) + "."


@app.command()
def export(
    folder: Annotated[
        Path,
        typer.Argument(help="A folder of crystalgfn structures; for a spreadsheet also a table.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File or new folder to write.", show_default=False)],
    to: Annotated[str, typer.Option("--to", "--format", help=_help())] = "genbench",
    n: Annotated[int | None, typer.Option("-n", min=1, help="The best so many candidates.", show_default=False)] = None,
    e_above_hull: Annotated[
        float | None, typer.Option("--e-above-hull", help="Highest energy above hull, eV/atom.", show_default=False)
    ] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Take doubtful candidates too, after the others.")] = False,
    input_set: Annotated[
        str | None,
        typer.Option("--set", help=f"vasp: input set, {DEFAULT} by default; {', '.join(SETS)}.", show_default=False),
    ] = None,
    potcar: Annotated[
        bool, typer.Option("--potcar", help="vasp: write POTCAR, from the library that PMG_VASP_PSP_DIR names.")
    ] = False,
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Write relaxed structures for other programs: inputs of VASP and Quantum ESPRESSO, databases, tables.

    Inputs and databases hold the ranked candidates, without duplicates and doubtful ones; extxyz and genbench hold all
    structures unless -n or --e-above-hull is given.
    """
    from crystalgfn.errors import ConfigError, nearest
    from crystalgfn.structures.candidates.folder import RunFolder

    check_outputs(output, force=force)
    if to not in _allowed():
        raise ConfigError(f"--to: found {to!r}, allowed: {', '.join(_allowed())}{nearest(to, _allowed())}")
    options: dict[str, Any] = {
        **({"input_set": input_set} if input_set else {}),
        **({"potcar": True} if potcar else {}),
    }
    if to == SPREADSHEET:
        if options or flagged or n is not None or e_above_hull is not None:
            raise ConfigError("a spreadsheet holds the whole table, allowed: no choice of candidates")
        echo(f"{_spreadsheet(folder, output)} rows written to {output}")
        return
    candidates = RunFolder.existing(folder, trust=trust)
    written = candidates.export(to, output, n=n, e_above_hull=e_above_hull, flagged=flagged, **options)
    left_out = f"; {written.left_out} cannot be, {INDEX} says why" if written.left_out else ""
    echo(f"{written.structures} structures written to {output}, of {len(candidates.done())} crystals{left_out}")


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
