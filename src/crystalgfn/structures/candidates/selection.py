"""Choose the crystals of a table to work on first: those that a property model puts lowest above the hull."""

from __future__ import annotations

from collections import Counter

import numpy as np

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.stability.hull import Hull


def most_promising(
    crystals: Crystals,
    n: int,
    *,
    hull: Hull,
    energy: str = "formation_energy",
    each: int = 2,
    max_atoms: int | None = None,
) -> Crystals:
    """Return up to ``n`` crystals, lowest predicted energy above hull first, at most ``each`` of a formula.

    The prediction is a property model's, not a potential's: it says what to relax first, and is no result.

    Args:
        crystals: crystals with the predicted formation energy (eV/atom) in a column.
        n: number of crystals to return.
        hull: hull to measure energies from. Crystals that it does not cover come last, by formation energy.
        energy: name of the column, with or without unit.
        each: most crystals of one formula, all in different space groups.
        max_atoms: most atoms in the primitive cell, since small crystals are relaxed sooner; None for any number.

    Raises:
        DataError: the column does not exist, or there are no crystals.
    """
    if not len(crystals):
        raise DataError("no crystals: found 0 rows, allowed: 1 or more")
    predicted = crystals.column(energy).astype(float)
    above = np.array(
        [
            hull.energy_above_hull(composition.get_el_amt_dict(), value).value
            for composition, value in zip(crystals.compositions, predicted.tolist(), strict=True)
        ]
    )
    covered = np.isfinite(above)
    atoms = crystals.n_atoms.numpy() // CENTERING_MULTIPLICITY[crystals.space_group.numpy()]
    order = np.lexsort((np.where(covered, above, predicted), ~covered))
    if max_atoms is not None:
        order = order[atoms[order] <= max_atoms]
    formulas, groups = crystals.formulas, crystals.space_group.tolist()
    chosen: Counter[str] = Counter()
    seen, rows = set(), []
    for row in order.tolist():
        formula = formulas[row]
        if chosen[formula] < each and (formula, groups[row]) not in seen:
            chosen[formula] += 1
            seen.add((formula, groups[row]))
            rows.append(row)
        if len(rows) == n:
            break
    return crystals[rows]
