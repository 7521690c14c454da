"""``crystalgfn config``: show or check a configuration."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Show or check a configuration.")
Where = Annotated[str, typer.Argument(help="A preset or a YAML file.", show_default=False)]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key.")]


@app.command()
def show(config: Where, overrides: Overrides = None) -> None:
    """Print the whole configuration, defaults included."""
    from crystalgfn.config import load_config

    typer.echo(load_config(config, overrides or ()).to_yaml(), nl=False)


@app.command()
def validate(config: Where, overrides: Overrides = None) -> None:
    """Check a configuration as training would find it: files, property models and their elements, space, weights."""
    from crystalgfn.config import load_config
    from crystalgfn.runs.rehearsal import rehearse

    loaded = load_config(config, overrides or ())
    space = rehearse(loaded)
    table = f"; training needs a table of crystals: crystalgfn train {config} DATA -o RUN"
    typer.echo(f"valid: {space!r}{table if loaded.is_prior and loaded.training.data is None else ''}")
