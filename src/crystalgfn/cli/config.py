"""``crystalgfn config``: show or check a configuration."""

from __future__ import annotations

from typing import Annotated

import typer

from crystalgfn.cli.options import Trust
from crystalgfn.terminal import echo

app = typer.Typer(no_args_is_help=True, help="Show or check a configuration.")
Where = Annotated[str, typer.Argument(help="A preset or a YAML file.", show_default=False)]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key.")]


@app.command()
def show(config: Where, overrides: Overrides = None, trust: Trust = False) -> None:
    """Print the whole configuration, defaults included."""
    from crystalgfn.config import load_config

    echo(load_config(config, overrides or (), trust=trust).to_yaml(), end="")


@app.command()
def validate(config: Where, overrides: Overrides = None, trust: Trust = False) -> None:
    """Check a configuration, and that its constraints leave something to sample."""
    from crystalgfn.config import load_config
    from crystalgfn.runs.build import build_space

    space = build_space(load_config(config, overrides or (), trust=trust).constraints)
    echo(f"valid: {space!r}")
