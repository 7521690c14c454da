"""``crystalgfn report``: one page about crystals, a run or structures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from crystalgfn.evaluation.inputs import Data
    from crystalgfn.report.page.document import Page

app = typer.Typer()


@app.command()
def report(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CRYSTALS|RUN|STRUCTURES",
            help="A crystals table, a run folder, or a folder of structures (of crystalgfn, or any CIF files).",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Page to write.")] = Path("report.html"),
    reference: Annotated[
        list[Path] | None,
        typer.Option("--reference", help="Known crystals or structures; may be given twice.", show_default=False),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", help="Another table to draw beside, as of an untrained model.", show_default=False),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for the figures as SVG and PNG.", show_default=False)
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Crystals to sample from a run.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of these samples.")] = 0,
    smact: Annotated[bool, typer.Option("--smact/--no-smact", help="Test charges with SMACT.")] = True,
) -> None:
    """Write one self-contained page: candidates, figures, numbers with methods, provenance."""
    from crystalgfn.evaluation.inputs import read_data, read_references
    from crystalgfn.report.page.build import read_metrics
    from crystalgfn.report.page.build import report as build

    run = (source / "config.yaml").is_file()
    metrics = read_metrics(source / "metrics.csv") if run and (source / "metrics.csv").is_file() else None
    page = build(
        sampled(source, n, seed) if run else read_data(source),
        read_references(reference or []),
        baseline=None if baseline is None else read_data(baseline),
        metrics=metrics,
        smact=smact,
    )
    write(page, output, figures)


def sampled(run: Path, n: int, seed: int) -> Data:
    """Return samples of a run, with its configuration as provenance."""
    import json

    from crystalgfn.evaluation.inputs import Data, energy_methods
    from crystalgfn.model import load

    model = load(str(run))
    crystals = model.sample(n, seed=seed)
    provenance = {"run": run.name, "samples": n, "seed": seed, "weights": model.fingerprint}
    versions = run / "versions.json"
    if versions.is_file():
        provenance["trained with"] = ", ".join(f"{k} {v}" for k, v in json.loads(versions.read_text()).items())
    provenance["configuration"] = model.config.to_yaml()
    return Data(run.name, crystals, provenance=provenance, methods=energy_methods(crystals))


def write(page: Page, output: Path, figures: Path | None = None) -> None:
    """Write a page, and its figures for papers where a folder is given."""
    from crystalgfn.report.page.document import render
    from crystalgfn.tables.files import write_atomically

    text = render(page).encode()
    with write_atomically(output) as stream:
        stream.write(text)
    typer.echo(f"written to {output} ({len(text) / 1e6:.1f} MB)")
    if figures is not None:
        from crystalgfn.report.page.static import write_figures

        written = write_figures([f for section in page.sections for f in section.figures], figures)
        typer.echo(f"{len(written)} figures written to {figures}")
