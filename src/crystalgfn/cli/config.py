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
    """Check a configuration as training would find it: files, property models and their elements, space, weights."""
    from crystalgfn.config import load_config
    from crystalgfn.runs.rehearsal import rehearse

    loaded = load_config(config, overrides or (), trust=trust)
    space = rehearse(loaded)
    table = f"; training needs a table of crystals: crystalgfn train {config} DATA -o RUN"
    echo(f"valid: {space!r}{table if loaded.is_prior and loaded.training.data is None else ''}")
