"""``crystalgfn sample merge``: the tables of all shards become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Force, Tables, check_outputs
from crystalgfn.terminal import echo

app = typer.Typer()


@app.command()
def merge(
    shards: Annotated[list[Path], typer.Argument(help="The tables of all shards, .parquet.", show_default=False)],
    output: Tables,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget joining that was stopped instead of going on.")
    ] = False,
    force: Force = False,
) -> None:
    """Join the shards of sampling: the result is the table that one run would have written.

    The shards must be of the same model, options and version, and hold every row once.
    Joining that was stopped goes on.
    """
    from crystalgfn.crystals.tables.shards import join

    check_outputs(*output, force=force)
    n = join(shards, output, restart=restart)
    echo(f"{n:,} crystals written to {', '.join(map(str, output))}")
