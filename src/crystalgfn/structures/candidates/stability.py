"""The energy of a candidate above a hull: the columns that say it, what it rests on, and the flag of holes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from crystalgfn.stability.hull import Hull
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row
from crystalgfn.structures.sanity import HOLE, check_above_hull


def judged(row: Row, counts: Mapping[str, float], formation_energy: float, *, potential: str, hull: Hull) -> Row:
    """Return the row with its energy above a hull in place of any other, or with the reason why there is none.

    Args:
        row: the row of a candidate.
        counts: its atoms by element symbol.
        formation_energy: eV/atom, by the potential.
        potential: name of the potential.
        hull: hull to measure from.
    """
    answer = hull.energy_above_hull(counts, formation_energy)
    others = {column: energy for column, energy in row.energies.items() if column.quantity is not Quantity.ABOVE_HULL}
    return replace(
        row,
        energies={**others, PotentialColumn(Quantity.ABOVE_HULL, potential, hull.name): answer.value},
        hull=hull.name,
        hull_kind=None if answer.kind is None else str(answer.kind),
        hull_deviation=answer.deviation if math.isfinite(answer.deviation) else None,
        hull_reason=answer.reason,
        decomposition=answer.products,
        flags=_flags(row, answer.value),
    )


def _flags(row: Row, above: float) -> str | None:
    """Return the flags with that of a hole added or taken away, as the energy above this hull (eV/atom) says."""
    flags = [flag for flag in (row.flags or "").split("; ") if flag and not flag.startswith(HOLE)]
    verdict = check_above_hull(above)
    if not verdict:
        flags.append(verdict.reason)
    return "; ".join(flags) or (None if row.flags is None else "")
