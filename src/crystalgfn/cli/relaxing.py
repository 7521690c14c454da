"""Options of relaxing that ``structures`` and ``design`` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crystalgfn.structures.relaxing.potentials.registry import ASE, POTENTIALS

if TYPE_CHECKING:
    from crystalgfn.structures.candidates.workers import Tools

NONE = "none"
"""What says that something is not wanted."""

Relax = Annotated[str, typer.Option("--relax", help=f"Potential: {', '.join(POTENTIALS)}, {NONE}, or {ASE}.")]

References = Annotated[
    Path | None,
    typer.Option("--references", help="Elemental energies of another potential (JSON).", show_default=False),
]


def relaxing_tools(relax: str, references: Path | None, hull: str, **more: Any) -> Tools:
    """Return the tools that options name, and further ones; without a potential there is no hull to judge by."""
    from crystalgfn.structures.candidates.workers import Tools

    return Tools(
        potential="" if relax == NONE else relax,
        references=None if references is None else str(references),
        hull="" if NONE in (relax, hull) else hull,
        **more,
    )
