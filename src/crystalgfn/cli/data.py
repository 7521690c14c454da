"""``crystalgfn data``: tables of real crystals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Force, Trust, check_outputs
from crystalgfn.stability.load import BUILTIN, hull_choices
from crystalgfn.terminal import echo

app = typer.Typer(no_args_is_help=True, help="Tables to train property models on.")
importing = typer.Typer(
    no_args_is_help=True,
    help="Import crystals: conventional cells, space groups and Wyckoff positions are found with moyopy.",
)
app.add_typer(importing, name="import")

Output = Annotated[Path, typer.Option("--output", "-o", help="Table to write: .parquet or .csv.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Import the first so many crystals only.")]
Restart = Annotated[bool, typer.Option(help="Begin again where an interrupted import would go on.")]


@importing.command()
def matbench(
    output: Output,
    folder: Annotated[
        Path | None, typer.Option(help="Folder that keeps the download; by default matminer's own, or MATMINER_DATA.")
    ] = None,
    limit: Limit = None,
    restart: Restart = False,
    force: Force = False,
) -> None:
    """Import matbench_mp_e_form: 132,752 crystals with formation energies (needs crystalgfn[data])."""
    from crystalgfn.datasets import check_output, import_source
    from crystalgfn.datasets.matbench import MatBench

    check_output(output)
    check_outputs(output, force=force)
    echo(import_source(MatBench(folder=folder, limit=limit), output, restart=restart).summary())


@importing.command()
def mp(
    output: Output,
    api_key: Annotated[
        str | None, typer.Option(envvar="MP_API_KEY", help="Your key, from materialsproject.org/api.")
    ] = None,
    chemsys: Annotated[
        list[str] | None, typer.Option(help="Chemical system such as Li-Fe-O; may be given several times.")
    ] = None,
    max_e_above_hull: Annotated[
        float | None, typer.Option(min=0, help="Highest energy above the hull, eV/atom.")
    ] = None,
    gnome: Annotated[bool, typer.Option("--gnome", help="Take GNoME's structures too (CC BY-NC 4.0).")] = False,
    limit: Limit = None,
    restart: Restart = False,
    force: Force = False,
) -> None:
    """Import from the Materials Project with your own key (needs crystalgfn[data])."""
    from crystalgfn.datasets import check_output, import_source
    from crystalgfn.datasets.materials_project import MaterialsProject

    check_output(output)
    check_outputs(output, force=force)
    source = MaterialsProject(
        api_key=api_key,
        chemsys=chemsys or (),
        max_e_above_hull=max_e_above_hull,
        include_gnome=gnome,
        limit=limit,
    )
    echo(import_source(source, output, restart=restart).summary())


@importing.command("csv")
def csv_file(
    path: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A CSV file with a column 'cif'.")],
    output: Output,
    label: Annotated[
        list[str] | None,
        typer.Option(help="LABEL=COLUMN: take a label from a column of another name; may be given several times."),
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="A further column of numbers to keep; may be given several times.")
    ] = None,
    limit: Limit = None,
    restart: Restart = False,
    force: Force = False,
) -> None:
    """Import a CSV file that holds one CIF a row."""
    from crystalgfn.datasets import check_output, import_source
    from crystalgfn.datasets.csv import CsvFile

    check_output(output)
    check_outputs(output, force=force)
    source = CsvFile(path, labels=_pairs(label or []), keep=keep or (), limit=limit)
    echo(import_source(source, output, restart=restart).summary())


@app.command("from-structures")
def from_structures(
    folder: Annotated[Path, typer.Argument(help="A folder that crystalgfn structures wrote.", show_default=False)],
    output: Output,
    scaled: Annotated[bool, typer.Option(help="Add copies with other volumes, which are off the hull.")] = True,
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Take candidates that the sanity checks doubt as well.")
    ] = False,
    restart: Restart = False,
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Write relaxed candidates as rows to train a property model on, labelled by their potential."""
    from crystalgfn.datasets import check_output, import_source
    from crystalgfn.datasets.candidates import VOLUMES, CandidateFolder

    check_output(output)
    check_outputs(output, force=force)
    source = CandidateFolder(folder, volumes=VOLUMES if scaled else (), flagged=flagged, trust=trust)
    echo(import_source(source, output, restart=restart).summary())


@app.command("from-vasp")
def from_vasp(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders with finished runs, at any depth.", show_default=False)
    ],
    output: Output,
    hull: Annotated[str, typer.Option("--hull", help=f"{hull_choices('none')}.")] = BUILTIN,
    references: Annotated[
        Path | None,
        typer.Option(
            help='Energies of the elements as JSON, {"references": {"O": -4.95, ...}} in eV/atom; by default those '
            "that ship, on the Materials Project's scale.",
            show_default=False,
        ),
    ] = None,
    corrections: Annotated[
        bool, typer.Option(help="Apply the Materials Project's 2020 corrections (GGA and GGA+U).")
    ] = True,
    restart: Restart = False,
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Write converged VASP runs as rows with DFT labels; the others are listed with the reason.

    A folder that crystalgfn export --to vasp wrote is read by its index, so that the column row names the candidate.
    """
    from crystalgfn.datasets import check_output, import_source
    from crystalgfn.datasets.vasp import VaspRuns
    from crystalgfn.stability.load import load_hull
    from crystalgfn.structures.relaxing.potentials.references import References

    check_output(output)
    check_outputs(output, force=force)
    source = VaspRuns(
        folders,
        hull=None if hull == "none" else load_hull(hull),
        references=None if references is None else References.from_file(references),
        corrected=corrections,
        trust=trust,
    )
    echo(import_source(source, output, restart=restart).summary())


def _pairs(options: list[str]) -> dict[str, str]:
    from crystalgfn.cli.command import once

    pairs = []
    for option in options:
        label, equals, column = option.partition("=")
        if not (label and equals and column):
            raise typer.BadParameter(f"{option!r}, allowed: LABEL=COLUMN", param_hint="--label")
        pairs.append((label, column))
    return once(pairs, "--label")
