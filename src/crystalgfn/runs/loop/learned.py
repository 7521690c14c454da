"""What the candidates of a round teach: energies for the property model, successes for the success probability."""

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
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import succeeded

CRYSTALS, ROWS = "crystals.parquet", "rows.parquet"
"""Files of a round: its samples, and the rows that its candidates make."""

STABLE = 0.1
"""eV/atom above hull that counts as success."""

CAP = 0.5
"""eV/atom above hull beyond which candidates are all alike."""


@dataclass(frozen=True)
class Learned:
    """What a round teaches.

    Attributes:
        outcomes: proposals with the energy (eV/atom) that they relaxed to, at most :data:`CAP` above the hull.
        rows: the candidates as ``crystalgfn data from-structures`` writes them.
        tried: all proposals.
        success: whether each came out stable within :data:`STABLE`, unique and (where that is known) novel.
    """

    outcomes: LabelledCrystals
    rows: LabelledCrystals
    tried: Crystals
    success: NDArray[np.bool_]


def learn(candidates: Path, where: Path) -> Learned:
    """Read what a round teaches; the rows are written beside it the first time.

    Args:
        candidates: folder of ``crystalgfn structures``.
        where: folder of the round, with its samples.

    Raises:
        DataError: not one candidate has an energy above hull.
    """
    if not (where / ROWS).is_file():
        import_source(CandidateFolder(candidates, flagged=True), where / ROWS)
    table = CandidateTable.read(candidates / "structures.parquet")
    formation, above = table.formation, table.above_hull
    usable = [r for r in table.rows if math.isfinite(r.energy(formation)) and math.isfinite(r.energy(above))]
    if not usable:
        raise DataError(f"{candidates}: no candidate with an energy above hull, allowed: 1 or more")
    energy = np.array([[row.energy(formation), row.energy(above)] for row in usable], dtype=float)
    sampled = replace(Crystals.from_file(where / CRYSTALS), columns={})
    crystals = sampled[[row.row for row in usable]]
    # whatever lies far above the hull is of no use, however far: how far is the luck of the search
    target = energy[:, 0] - np.maximum(energy[:, 1] - CAP, 0)
    outcomes = LabelledCrystals(crystals, target, file_hash(candidates / "structures.parquet"), candidates.name)
    success = np.array([succeeded(row, above, STABLE) for row in table.rows], dtype=bool)
    return Learned(outcomes, read_labelled(where / ROWS), sampled[[row.row for row in table.rows]], success)
