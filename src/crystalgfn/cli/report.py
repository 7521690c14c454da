"""``crystalgfn report``: one page about crystals, a model or structures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crystalgfn.cli.options import Force, Trust, check_outputs
from crystalgfn.errors import DataError
from crystalgfn.stability.load import hull_choices
from crystalgfn.terminal import echo

if TYPE_CHECKING:
    from crystalgfn.report.page.document import Page

app = typer.Typer()


@app.command()
def report(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CRYSTALS|MODEL|STRUCTURES",
            help="A crystals table, a run folder or preset, or a folder of structures (of crystalgfn, or CIF files).",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Page to write.")] = Path("report.html"),
    reference: Annotated[
        list[Path] | None,
        typer.Option("--reference", help="Known crystals or structures; may be given twice.", show_default=False),
    ] = None,
    hull: Annotated[
        str | None,
        typer.Option(
            "--hull",
            help=f"Hull to measure structures from: {hull_choices()}; shows what flatters S.U.N.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", help="Another table to draw beside, as of an untrained model.", show_default=False),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for the figures as SVG and PNG.", show_default=False)
    ] = None,
    constraints: Annotated[
        str | None,
        typer.Option(
            "--constraints",
            metavar="MODEL",
            help="Preset, run or configuration file that a table of samples comes from, to show what its constraints "
            "leave.",
            show_default=False,
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Crystals to sample from a model.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of these samples.")] = 0,
    smact: Annotated[bool, typer.Option("--smact/--no-smact", help="Test charges with SMACT.")] = True,
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Write one self-contained page: candidates, figures, numbers with methods, provenance."""
    from dataclasses import replace

    from crystalgfn.cli.models import is_model, sampled
    from crystalgfn.evaluation.inputs import read_data, read_references
    from crystalgfn.files.trust import opened
    from crystalgfn.report.page.build import read_metrics
    from crystalgfn.report.page.build import report as build
    from crystalgfn.runs.folder import METRICS

    check_outputs(output, force=force)
    model = is_model(source)
    curves = Path(source) / METRICS
    data = sampled(source, n, seed, trust=trust) if model else read_data(source, trust=trust)
    metrics = None
    if "run" in data.provenance and curves.is_file():
        with opened(source, trust=trust):
            metrics = read_metrics(curves)
    if constraints is not None:
        from crystalgfn.config import load_config

        if data.candidates is not None:
            raise DataError("--constraints: found structures, which relaxing may have changed, allowed: samples")
        data = replace(data, constraints=load_config(constraints, trust=trust).constraints.model_dump())
    page = build(
        data,
        read_references(reference or [], hull=hull, trust=trust),
        baseline=None if baseline is None else read_data(baseline, trust=trust),
        metrics=metrics,
        smact=smact,
    )
    write(page, output, figures)


def write(page: Page, output: Path, figures: Path | None = None) -> None:
    """Write a page, and its figures for papers if a folder for them is given."""
    from crystalgfn.files.atomic import write_text
    from crystalgfn.report.page.document import render

    text = render(page)
    write_text(output, text)
    echo(f"written to {output} ({len(text.encode()) / 1e6:.1f} MB)")
    if figures is not None:
        from crystalgfn.report.page.static import write_figures

        paths = write_figures([f for section in page.sections for f in section.figures], figures)
        echo(f"{len(paths)} figures written to {figures}")
