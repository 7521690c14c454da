"""``crystalgfn structures merge``: the shards of a run become one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Trust
from crystalgfn.cli.structures import report

app = typer.Typer()


@app.command()
def merge(
    shards: Annotated[list[Path], typer.Argument(help="The folders of all shards.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)],
    compare: Annotated[
        Path | None,
        typer.Option("--compare", help="Known structures, for the column 'novel' (parquet).", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with joining that was stopped.")] = False,
    trust: Trust = False,
    best: Annotated[int, typer.Option("--best", min=0, help="Print a table of the best so many.")] = 10,
) -> None:
    """Join the shards of a run: the result is the folder that one run would have written.

    The shards must be of the same table, options and version, and hold every row once.
    """
    from crystalgfn.structures.candidates.merging import merge as join

    folder = join(shards, output, compare=compare, resume=resume, trust=trust)
    report(folder.path, best)
