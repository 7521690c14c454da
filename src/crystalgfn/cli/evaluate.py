"""``crystalgfn evaluate``: metrics of crystals or structures, each with its method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer()


@app.command()
def evaluate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="CRYSTALS|STRUCTURES",
            help="A crystals table, a folder of crystalgfn structures, or one of CIF files.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON file to write.")] = Path("metrics.json"),
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            help="Known crystals: a table of crystals or of structures, or a folder of CIF files; may be given twice.",
            show_default=False,
        ),
    ] = None,
    smact: Annotated[bool, typer.Option("--smact/--no-smact", help="Test charges with SMACT.")] = True,
) -> None:
    """Measure validity, uniqueness, novelty, stability, diversity and weights; every number names its method."""
    import json

    from rich.console import Console

    from crystalgfn.evaluation.inputs import evaluate as measure
    from crystalgfn.evaluation.inputs import read_data, read_references
    from crystalgfn.tables.files import write_atomically

    found = measure(read_data(data), read_references(reference or []), smact=smact)
    with write_atomically(output) as stream:
        stream.write(json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False).encode())
    Console().print(_table(found))
    for file, reason in found["broken"].items():
        typer.echo(f"left out: {file}: {reason}", err=True)
    typer.echo(f"written to {output}")


def _table(found: dict[str, Any]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(found["input"]["name"]), title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading, justify in (("number", "left"), ("value", "right"), ("method", "left")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for group, numbers in found["metrics"].items():
        for name, number in numbers.items():
            value = number["value"]
            text = "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
            table.add_row(f"{group}.{name}", text, escape(number["method"]))
    return table
