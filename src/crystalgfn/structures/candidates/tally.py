"""What became of a table of candidates, in numbers whose denominators are the crystals that went in.

Stable: energy above hull at most a threshold, of one potential and one hull, which the table names. Unique: the first
of its StructureMatcher group. Novel: no match among the known structures it was compared with; where it was not
compared, there is no S.U.N.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crystalgfn.structures.candidates.candidate import RELAXED
from crystalgfn.structures.candidates.table import energy_column

THRESHOLDS = (0.0, 0.08, 0.1)
"""eV/atom above hull."""


def tally(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Count the rows of a table of candidates (:func:`~crystalgfn.structures.candidates.table.read_rows`).

    Returns:
        ``crystals``; shares of them, 0..1: ``relaxed``, ``converged``, ``cdvae_valid``, ``lemat_valid``, ``unique``,
        ``novel``, ``symmetric`` (the result is not P1), ``group_kept``, ``stable_*`` and ``sun_*`` at each of
        :data:`THRESHOLDS`; and medians ``e_above_hull`` (eV/atom), ``volume_change`` and ``seconds``. NaN where
        nothing was measured.
    """
    n = len(rows)
    relaxed = [row for row in rows if row["status"] == RELAXED]
    column = energy_column(relaxed, "e_above_hull_")
    above = np.array([_number(row, column) for row in relaxed])
    unique = np.array([row.get("match_group") == row["row"] for row in relaxed], dtype=bool)
    compared = any(row.get("novel") is not None for row in relaxed)
    novel = np.array([bool(row.get("novel")) for row in relaxed], dtype=bool)

    def share(flags: Any) -> float:
        return float(np.sum(flags)) / n if n else math.nan

    out = {"crystals": float(n), "relaxed": share(np.ones(len(relaxed)))}
    for name in ("converged", "cdvae_valid", "lemat_valid"):
        out[name] = share([bool(row.get(name)) for row in relaxed])
    out["symmetric"] = share([(row.get("space_group") or 0) > 1 for row in relaxed])
    out["group_kept"] = share([row.get("space_group") == row["space_group_asked"] for row in relaxed])
    out["unique"] = share(unique)
    out["novel"] = share(novel) if compared else math.nan
    for threshold in THRESHOLDS:
        stable = np.nan_to_num(above, nan=np.inf) <= threshold
        out[f"stable_{threshold:g}"] = share(stable) if column else math.nan
        success = np.array([succeeded(row, column, threshold) for row in relaxed], dtype=bool)
        out[f"sun_{threshold:g}"] = share(success & novel) if column and compared else math.nan
    out["e_above_hull"] = _median(above)
    out["volume_change"] = _median(np.array([_number(row, "volume_change") for row in relaxed]))
    out["seconds"] = _median(np.array([_number(row, "seconds") for row in rows]))
    return out


def succeeded(row: Mapping[str, Any], column: str | None, threshold: float) -> bool:
    """Whether a candidate is stable, unique and novel; the last counts where it was compared with known structures.

    Args:
        row: of a table of candidates.
        column: its energy above hull (eV/atom).
        threshold: eV/atom.
    """
    near = _number(row, column) <= threshold  # never for NaN
    return near and row.get("match_group") == row["row"] and row.get("novel") is not False


def _number(row: Mapping[str, Any], name: str | None) -> float:
    value = row.get(name) if name else None
    return math.nan if value is None else float(value)


def _median(values: Any) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan
