"""A second potential's verdict as cells of a row."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from crystalgfn.stability.hull import Hull
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.second_opinion import THRESHOLD, opinion

if TYPE_CHECKING:
    from pymatgen.core import Structure

AGREES = f"agrees within {THRESHOLD:g} eV/atom"
"""Cell of ``second_opinion`` where the potentials agree."""


def with_opinion(
    row: Row, structure: Structure, second: Potential, *, hull: Hull | None = None, below: float | None = None
) -> Row:
    """Return a relaxed row with the opinion of a second potential, or with the reason why it was not asked.

    Added are its formation energy; its energy above its own hull, or above the same hull, which differs from the first
    by as much as the formation energies do; the cell ``second_opinion``; and a flag where the potentials disagree.

    Args:
        row: row with the formation energy of the potential that relaxed its structure.
        structure: the structure.
        second: another potential.
        hull: hull of the second potential, for rows with an energy above a hull of that name; None for the same hull.
        below: see :func:`unasked`.
    """
    if reason := unasked(row, second.name, below=below):
        return replace(row, second_opinion=reason)
    first, above = (_first(row, quantity, second.name) for quantity in (Quantity.FORMATION, Quantity.ABOVE_HULL))
    view = opinion(second, structure, row.energy(first))
    energies = {**row.energies, PotentialColumn(Quantity.FORMATION, second.name): view.formation_energy}
    if above is not None:
        energies[PotentialColumn(Quantity.ABOVE_HULL, second.name, above.hull)] = (
            row.energy(above) + view.difference
            if hull is None
            else hull.energy_above_hull(structure.composition.get_el_amt_dict(), view.formation_energy).value
        )
    flags = "; ".join(filter(None, (row.flags, view.reason if view.flagged else "")))
    return replace(row, energies=energies, second_opinion=view.reason or AGREES, flags=flags)


def unasked(row: Row, second: str, *, below: float | None) -> str:
    """Return why a second potential is not asked about a relaxed row; empty if it is.

    Args:
        row: the row.
        second: name of the potential.
        below: highest energy above hull (eV/atom), by the first potential, up to which it is asked; None for any.
    """
    above = row.energy(_first(row, Quantity.ABOVE_HULL, second))
    if below is None or above <= below:
        return ""
    found = "no energy above hull" if math.isnan(above) else f"{above:.3f} eV/atom above hull"
    return f"not asked: {found}, asked up to {below:g} eV/atom"


def has_opinion(row: Row, second: str) -> bool:
    """Whether a potential has been asked about the structure of a row, whatever it answered."""
    return PotentialColumn(Quantity.FORMATION, second) in row.energies


def _first(row: Row, quantity: Quantity, second: str) -> PotentialColumn | None:
    """The column of the potential that relaxed the structure."""
    return next((c for c in row.energies if c.quantity is quantity and c.potential != second), None)
