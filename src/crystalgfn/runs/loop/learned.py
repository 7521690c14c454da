"""The lesson of a round: energies for the property model, outcomes for the success probability."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets import import_source
from crystalgfn.datasets.candidates import CandidateFolder
from crystalgfn.errors import DataError
from crystalgfn.proxies.data.labelled import LabelledCrystals, file_hash, read_labelled
from crystalgfn.structures.candidates.table import TABLE, CandidateTable
from crystalgfn.structures.candidates.tally import succeeded

CRYSTALS, ROWS = "crystals.parquet", "rows.parquet"
"""Files of a round: its samples, and the training rows made from its candidates."""

STABLE = 0.1
"""Greatest energy above hull, eV/atom, that counts as success."""

CAP = 0.5
"""Energy above hull, eV/atom, beyond which all candidates count as equally unstable."""


@dataclass(frozen=True)
class Lesson:
    """What the sampler and the property model learn from a round.

    Attributes:
        outcomes: proposals with the energy (eV/atom) of the relaxed structure, at most :data:`CAP` above the hull.
        rows: the candidates as ``crystalgfn data from-structures`` writes them.
        tried: all proposals that were relaxed.
        success: whether each proposal became stable within :data:`STABLE`, unique and (if known structures were given)
            novel.
    """

    outcomes: LabelledCrystals
    rows: LabelledCrystals
    tried: Crystals
    success: NDArray[np.bool_]


def learn(candidates: Path, where: Path) -> Lesson:
    """Read the lesson of a round; the first time, write the training rows into the folder of the round.

    Args:
        candidates: folder that ``crystalgfn structures`` wrote.
        where: folder of the round, with its samples.

    Raises:
        DataError: no candidate has an energy above hull.
    """
    if not (where / ROWS).is_file():
        import_source(CandidateFolder(candidates, flagged=True), where / ROWS)
    table = CandidateTable.read(candidates / TABLE)
    formation, above = table.formation, table.above_hull
    usable = [r for r in table.rows if math.isfinite(r.energy(formation)) and math.isfinite(r.energy(above))]
    if not usable:
        raise DataError(f"{candidates}: no candidate with an energy above hull, allowed: 1 or more")
    energy = np.array([[row.energy(formation), row.energy(above)] for row in usable], dtype=float)
    samples = replace(Crystals.from_file(where / CRYSTALS), columns={})
    crystals = samples[[row.row for row in usable]]
    # far above the hull, the distance depends on the luck of the search and teaches nothing
    target = energy[:, 0] - np.maximum(energy[:, 1] - CAP, 0)
    outcomes = LabelledCrystals(crystals, target, file_hash(candidates / TABLE), candidates.name)
    success = np.array([succeeded(row, above, STABLE) for row in table.rows], dtype=bool)
    return Lesson(outcomes, read_labelled(where / ROWS), samples[[row.row for row in table.rows]], success)
