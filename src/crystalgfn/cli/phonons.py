"""Options of the screen for imaginary phonons, which ``structures`` and ``judge`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.terminal import echo

PHONON_POTENTIAL = "7net-l3i5"
PHONON_TIME_LIMIT_S = 600.0

Phonons = Annotated[
    int,
    typer.Option("--phonons", min=0, metavar="N", help="Look for imaginary phonons of the best N candidates."),
]

PhononPotential = Annotated[
    str, typer.Option("--phonon-potential", help="Potential of the phonons: any but chgnet, which is too soft.")
]

PhononTimeLimit = Annotated[
    float, typer.Option("--phonon-time-limit", min=1, help="Seconds for the phonons of each candidate.")
]


def phonon_screen(n: int, name: str, time_limit_s: float) -> Callable[[Path, bool], None]:
    """Return a function that screens a folder (and may be told to trust it) and prints what was found.

    Everything that it needs is loaded first, so that what is missing shows before other work begins.

    Args:
        n: number of candidates; 0 for no screen.
        name: name of the potential.
        time_limit_s: seconds for each candidate.

    Raises:
        PropertyError: the potential is refused or cannot be loaded.
    """
    if not n:
        return lambda folder, trust: None
    from crystalgfn.structures.candidates.phonons import load_for_phonons, screen_phonons, summary

    potential = load_for_phonons(name)

    def screen(folder: Path, trust: bool) -> None:
        rows = screen_phonons(folder, n, potential, time_limit_s=time_limit_s, trust=trust)
        echo(summary(rows, potential.name))

    return screen
