"""``crystalgfn info``: what is installed, on what machine, and what ships."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def info() -> None:
    """Print versions, hardware, presets and property models."""
