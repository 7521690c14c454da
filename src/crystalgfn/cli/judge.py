"""``crystalgfn judge``: a second potential's opinion of structures that are relaxed already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Trust
from crystalgfn.structures.relaxing.potentials.registry import ASE, POTENTIALS
from crystalgfn.terminal import echo

app = typer.Typer()


@app.command()
def judge(
    folder: Annotated[Path, typer.Argument(help="A folder of crystalgfn structures.", show_default=False)],
    second: Annotated[
        str, typer.Option("--second", help=f"Potential: {', '.join(POTENTIALS)}, or {ASE}.")
    ] = "7net-l3i5",
    second_references: Annotated[
        Path | None, typer.Option("--second-references", help="Its elemental energies (JSON).", show_default=False)
    ] = None,
    second_below: Annotated[
        float | None,
        typer.Option("--second-below", help="Ask only up to this energy above hull, eV/atom.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    trust: Trust = False,
) -> None:
    """Ask a second potential about relaxed structures, and write its energies and flags into their folder.

    Nothing is relaxed again. A killed run goes on where it was.
    """
    from crystalgfn.structures.candidates.judging import judge as ask
    from crystalgfn.structures.candidates.opinions import AGREES, has_opinion

    written = ask(folder, second, references=second_references, below=second_below, workers=workers, trust=trust)
    rows = list(written.rows())
    asked = [row for row in rows if has_opinion(row, second)]
    agreed = sum(row.second_opinion == AGREES for row in asked)
    echo(f"{second} on {len(asked)} of {len(rows)} crystals: {agreed} agree, {len(asked) - agreed} flagged")
