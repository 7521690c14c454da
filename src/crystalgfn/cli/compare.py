"""``crystalgfn compare``: one page that shows several sets of crystals side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Force, Trust, check_outputs
from crystalgfn.stability.load import hull_choices

app = typer.Typer()


@app.command()
def compare(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="A B [C ...]", help="Crystals tables, runs, presets or structures.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Page to write.")] = Path("compare.html"),
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
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for the figures as SVG and PNG.", show_default=False)
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Crystals to sample from each model.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of these samples.")] = 0,
    smact: Annotated[bool, typer.Option("--smact/--no-smact", help="Test charges with SMACT.")] = True,
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Write one page with the same numbers and figures for each, side by side."""
    from dataclasses import replace

    from crystalgfn.cli.models import is_model, sampled
    from crystalgfn.cli.report import write
    from crystalgfn.errors import DataError
    from crystalgfn.evaluation.inputs import read_data, read_references
    from crystalgfn.report.page.build import compare as build

    check_outputs(output, force=force)
    if len(sources) < 2:
        raise DataError(f"compare: found {len(sources)} input, allowed: two or more")
    items = [sampled(s, n, seed, trust=trust) if is_model(s) else read_data(s, trust=trust) for s in sources]
    names = [item.name for item in items]
    if len(set(names)) < len(names):  # files from several folders have one name
        items = [
            replace(item, name=f"{Path(s).resolve().parent.name}/{item.name}")
            for s, item in zip(sources, items, strict=True)
        ]
    write(build(items, read_references(reference or [], hull=hull, trust=trust), smact=smact), output, figures)
