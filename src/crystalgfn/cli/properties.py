"""``crystalgfn properties``: list the properties that objectives and columns can be made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crystalgfn.errors import CrystalGFNError
from crystalgfn.terminal import console, echo, one_line

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer()

COLUMNS = ("name", "unit", "error", "elements", "source")


@app.command()
def properties(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names, model folders or module:function; by default all that are there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every element.")] = False,
) -> None:
    """List properties with unit, error on held-out data, the elements they know, and where they come from."""
    from crystalgfn.properties.registry import available

    descriptions = [_describe(name) for name in names] if names else [_describe_or_report(name) for name in available()]
    if as_json:
        echo(json.dumps(descriptions, indent=1, ensure_ascii=False))
        return
    _show(descriptions, console(highlight=False))


def _describe(name: str) -> dict[str, Any]:
    """Return name, unit, error, symbols of the elements (None for all) and source of a property.

    Raises:
        PropertyError: the property does not exist.
    """
    from crystalgfn.properties.registry import resolve

    checked = resolve(name)
    elements = None if checked.elements is None else list(checked.elements)
    return {"name": name, "unit": checked.unit, "error": checked.error, "elements": elements, "source": checked.source}


def _describe_or_report(name: str) -> dict[str, Any]:
    """Describe a property, or report that it is broken, as a property of another package may be."""
    try:
        return _describe(name)
    except CrystalGFNError as error:
        return {"name": name, "unit": "", "error": "", "elements": [], "source": f"broken: {error}"}


def _show(descriptions: list[dict[str, Any]], screen: Console) -> None:
    """Print a table on a terminal, and elsewhere lines of text with tabs between columns."""
    rows = [[_text(column, description[column]) for column in COLUMNS] for description in descriptions]
    if not screen.is_terminal:
        for row in [list(COLUMNS), *rows]:
            echo("\t".join(row))
        return
    from rich.table import Table

    table = Table()
    for column in COLUMNS:
        table.add_column(column, no_wrap=column in ("name", "unit"), overflow="fold")
    for row in rows:
        table.add_row(*row)
    screen.print(table)


def _text(column: str, value: Any) -> str:
    if column == "elements":
        return "all" if value is None else str(len(value))
    return one_line(value) or "-"
