"""Samples with what relaxing them found, as rows that teach a model of the energy above the hull.

A sample stands in the table as it was drawn: its space group and its sites, with the energy of the best structure that
was found for it, whether or not that structure kept the group. What could not be placed or relaxed stands there too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.schema import PotentialColumn, Row
from crystalgfn.structures.candidates.table import CandidateTable

ABOVE_HULL, FORMATION, GROUP_KEPT, SOURCE = "e_above_hull", "formation_energy_per_atom", "group_kept", "source"
"""Columns of the table: eV/atom (NaN where there is no energy), 1 or 0, and where a row comes from."""


def relaxed_samples(samples: Crystals, candidates: CandidateTable, *, source: str) -> Crystals:
    """Return the samples that were tried, in the order of the candidates, with the columns of this module.

    Args:
        samples: the table that the candidates were made from, with sites.
        candidates: what became of them.
        source: name of the origin, for the column ``source``; the hull and the potential are added.

    Raises:
        DataError: the samples have no sites, are not those of the candidates, or no energies above a hull are known.
    """
    if COLUMN not in samples.columns:
        raise DataError(f"{source}: no column {COLUMN!r}, allowed: samples with sites")
    above, formation = candidates.above_hull, candidates.formation
    if above is None or formation is None:
        raise DataError(f"{source}: no energies above a hull, allowed: candidates that were relaxed with --hull")
    rows = [row.row for row in candidates.rows]
    if rows and max(rows) >= len(samples):
        raise DataError(
            f"{source}: a candidate of row {max(rows)}, allowed: 0 to {len(samples) - 1}, as in the samples"
        )
    tried = replace(samples, columns={COLUMN: samples.columns[COLUMN]})[rows]
    for row, formula in zip(candidates.rows, tried.formulas, strict=True):
        if row.formula != formula:
            raise DataError(f"{source}: row {row.row} is {formula}, its candidate {row.formula}: not these samples")
    name = f"{source}; {above.potential}, hull {candidates.hull}"
    return tried.with_columns(
        **{
            ABOVE_HULL: _energies(candidates.rows, above),
            FORMATION: _energies(candidates.rows, formation),
            GROUP_KEPT: np.array([float(bool(row.group_kept)) for row in candidates.rows]),
            SOURCE: np.array([name] * len(rows), dtype=object),
        }
    )


def _energies(rows: tuple[Row, ...], column: PotentialColumn) -> np.ndarray:
    return np.array([row.energy(column) for row in rows], dtype=float)
