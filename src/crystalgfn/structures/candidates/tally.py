"""Summary numbers of a table of candidates, as shares of all crystals in it, failed ones too.

Stable: energy above hull of at most a threshold, by one potential and one hull, which the table names. Unique: the
first candidate of its StructureMatcher group. Novel: no match among the known structures that the candidate was
compared with; without a comparison there is no S.U.N.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from crystalgfn.structures.candidates.schema import PotentialColumn, Row, Status
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.sanity import FAR_BELOW_HULL

THRESHOLDS = (0.0, 0.08, 0.1)
"""Energies above hull (eV/atom) up to which a candidate counts as stable."""


def tally(table: CandidateTable) -> dict[str, float]:
    """Summarise a table of candidates.

    Returns:
        ``crystals``; shares of the crystals, 0..1: ``relaxed``, ``converged``, ``cdvae_valid``, ``lemat_valid``,
        ``unique``, ``novel``, ``symmetric`` (the result is not P1), ``group_kept``, and ``stable_*`` and ``sun_*`` at
        each of :data:`THRESHOLDS`; and medians ``e_above_hull`` (eV/atom), ``volume_change`` and ``seconds``. NaN where
        nothing was measured.
    """
    n = len(table)
    relaxed = [row for row in table.rows if row.status is Status.RELAXED]
    column = CandidateTable(tuple(relaxed)).above_hull
    above = np.array([row.energy(column) for row in relaxed])
    compared = any(row.novel is not None for row in relaxed)
    novel = np.array([bool(row.novel) for row in relaxed], dtype=bool)

    def share(flags: Any) -> float:
        return float(np.sum(flags)) / n if n else math.nan

    out = {"crystals": float(n), "relaxed": share(np.ones(len(relaxed)))}
    out["converged"] = share([bool(row.converged) for row in relaxed])
    out["cdvae_valid"] = share([bool(row.cdvae_valid) for row in relaxed])
    out["lemat_valid"] = share([bool(row.lemat_valid) for row in relaxed])
    out["symmetric"] = share([(row.space_group or 0) > 1 for row in relaxed])
    out["group_kept"] = share([row.space_group == row.space_group_asked for row in relaxed])
    out["unique"] = share([row.match_group == row.row for row in relaxed])
    out["novel"] = share(novel) if compared else math.nan
    for threshold in THRESHOLDS:
        stable = np.nan_to_num(above, nan=np.inf) <= threshold
        out[f"stable_{threshold:g}"] = share(stable) if column else math.nan
        success = np.array([succeeded(row, column, threshold) for row in relaxed], dtype=bool)
        out[f"sun_{threshold:g}"] = share(success & novel) if column and compared else math.nan
    out["e_above_hull"] = _median([row.energy(column) for row in relaxed])
    out["volume_change"] = _median([row.volume_change for row in relaxed])
    out["seconds"] = _median([row.seconds for row in table.rows])
    return out


def succeeded(row: Row, column: PotentialColumn | None, threshold: float, *, lowest: float = -FAR_BELOW_HULL) -> bool:
    """Whether a candidate is stable, unique and novel; novelty counts if it was compared with known structures.

    A candidate more than :data:`~crystalgfn.structures.sanity.FAR_BELOW_HULL` below the hull is no success, but a hole
    of the hull or an artefact of the potential.

    Args:
        row: row of a table of candidates.
        column: column of the energies above hull (eV/atom).
        threshold: highest energy above hull (eV/atom) of a stable candidate.
        lowest: lowest energy above hull (eV/atom) of a candidate that counts.
    """
    near = lowest <= row.energy(column) <= threshold  # False for NaN
    return near and row.match_group == row.row and row.novel is not False


def near_hull(table: CandidateTable, threshold: float) -> tuple[int, int]:
    """Return the number of candidates up to an energy (eV/atom) above hull: of those without doubts, and of all."""
    near = [row for row in table.rows if row.status is Status.RELAXED and row.energy(table.above_hull) <= threshold]
    return sum(not row.flags for row in near), len(near)


def _median(values: Iterable[float | None]) -> float:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan
