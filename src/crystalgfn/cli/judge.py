"""``crystalgfn judge``: a second potential's opinion of structures that are relaxed already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Trust
from crystalgfn.cli.phonons import (
    PHONON_POTENTIAL,
    PHONON_TIME_LIMIT_S,
    PhononPotential,
    Phonons,
    PhononTimeLimit,
    phonon_screen,
)
from crystalgfn.structures.relaxing.potentials.registry import ASE, POTENTIALS
from crystalgfn.terminal import echo

app = typer.Typer()


@app.command()
def judge(
    folder: Annotated[Path, typer.Argument(help="A folder of crystalgfn structures.", show_default=False)],
    second: Annotated[
        str, typer.Option("--second", help=f"Potential: {', '.join(POTENTIALS)}, {ASE}, or none.")
    ] = "7net-l3i5",
    second_references: Annotated[
        Path | None, typer.Option("--second-references", help="Its elemental energies (JSON).", show_default=False)
    ] = None,
    second_below: Annotated[
        float | None,
        typer.Option("--second-below", help="Ask only up to this energy above hull, eV/atom.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    phonons: Phonons = 0,
    phonon_potential: PhononPotential = PHONON_POTENTIAL,
    phonon_time_limit: PhononTimeLimit = PHONON_TIME_LIMIT_S,
    trust: Trust = False,
) -> None:
    """Ask a second potential about relaxed structures, and write its energies and flags into their folder.

    Structures stay as they are. A killed run goes on where it was.
    """
    screen = phonon_screen(phonons, phonon_potential, phonon_time_limit)
    if second != "none":
        _ask(folder, second, second_references, second_below, workers, trust=trust)
    screen(folder, trust)


def _ask(
    folder: Path, second: str, second_references: Path | None, second_below: float | None, workers: int, *, trust: bool
) -> None:
    """Ask the second potential, and print how many it was asked about and how many agree."""
    from crystalgfn.structures.candidates.judging import judge as ask
    from crystalgfn.structures.candidates.opinions import AGREES, has_opinion

    written = ask(folder, second, references=second_references, below=second_below, workers=workers, trust=trust)
    rows = list(written.rows())
    asked = [row for row in rows if has_opinion(row, second)]
    agreed = sum(row.second_opinion == AGREES for row in asked)
    echo(f"{second} on {len(asked)} of {len(rows)} crystals: {agreed} agree, {len(asked) - agreed} flagged")
