"""Some of many crystals: the first of each kind in an order, or of every chemical class in turn."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.chemical_classes import CLASSES
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.chemical_classes import classes_of
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.ranking import first_of_each, ranking
from crystalgfn.spaces.site_states import free_coordinates

PRIOR = "log_prior"
"""Column with the log-probability under the prior."""

REST = "others"
"""The class of all crystals that are in no other class, which are few and of many kinds."""


def best_of_each(keys: NDArray[Any], scores: NDArray[np.float64], wanted: NDArray[np.bool_]) -> list[int]:
    """Return the rows of wanted crystals, the highest score first, and of each key only the first.

    Args:
        keys: ``(B,)`` equal for crystals that count as one.
        scores: ``(B,)``; equal scores stay in the order of the rows.
        wanted: ``(B,)`` which crystals may be returned.
    """
    order = ranking(scores, descending=True)
    order = order[wanted[order]]
    rows: list[int] = order[first_of_each(keys[order].tolist())].tolist()
    return rows


def assorted(crystals: Crystals, n: int, *, max_atoms: int | None = None, max_free: int | None = None) -> Crystals:
    """Return up to ``n`` new crystals, a crystal of each chemical class in turn, the most probable under a prior first.

    Nothing about energies is asked: the order is that of the column ``log_prior``, or else of the rows. Known crystals,
    and crystals of site patterns that no real crystal has, are passed over where the columns ``known`` and
    ``known_pattern`` tell; so are further crystals of a formula. Those that are in none of the five
    large classes (:mod:`.chemical_classes`) come last.

    Args:
        crystals: samples of a model.
        n: number of crystals to return.
        max_atoms: most atoms in the primitive cell, since small crystals are relaxed sooner; None for any number.
        max_free: most free coordinates of the sites, where the crystals have sites: their atoms are found sooner.
    """
    wanted = np.ones(len(crystals), dtype=bool)
    for name, value in (("known", 0), ("known_pattern", 1)):
        if name in crystals.columns:
            wanted &= crystals.columns[name] == value
    if max_atoms is not None:
        cells = CENTERING_MULTIPLICITY[crystals.space_group.numpy()]
        wanted &= crystals.n_atoms.numpy() // cells <= max_atoms
    if max_free is not None and crystals.sites is not None:
        wanted &= free_coordinates(crystals.space_group, crystals.sites.letters).numpy() <= max_free
    queues: dict[str, list[int]] = defaultdict(list)
    kinds = classes_of(crystals)
    probable = crystals.columns.get(PRIOR, np.zeros(len(crystals))).astype(float)
    for row in best_of_each(np.array(crystals.formulas), probable, wanted):
        queues[kinds[row]].append(row)
    rest = queues.pop(REST, [])
    chosen: list[int] = []
    while len(chosen) < n and any(queues.values()):
        chosen += [queues[kind].pop(0) for kind in CLASSES if queues[kind]]
    return crystals[np.array([*chosen, *rest][:n], dtype=int)]
