"""The table of candidates: columns of values in order of rank, for the page and its CSV download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crystalgfn.crystallography.lattices import LATTICE_PARAMETERS
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS, HM_SYMBOL
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import energies, find_energy
from crystalgfn.crystals.tables import unit_of
from crystalgfn.evaluation.inputs import Data
from crystalgfn.report.page.energies import hull_column
from crystalgfn.report.page.figure import Series, rounded

HIDDEN = ("log_pf", "log_pb", "log_prior", *LATTICE_PARAMETERS)
"""Columns that are in the download but not on the page."""

FROM_ROWS = (
    ("flags", "doubts"),
    ("phonons", "phonons"),
    ("matches", "known as"),
    ("source", "atoms placed by"),
    ("space_group_asked", "group asked for"),
    ("hull_kind", "hull rests on"),
    ("decomposition", "decomposes to"),
)
"""Fields of candidates' rows that become columns, with their headings."""


def table(data: Data) -> dict[str, Any]:
    """Return the table of the page.

    Returns:
        ``columns``, each with key, label, unit, method, kind (``formula``, ``group``, ``text`` or ``number``), digits,
        shown, and values, best crystal first; and ``n``, the number of crystals.
    """
    order = ranking(data)
    crystals = data.crystals[order]
    groups = crystals.space_group.tolist()
    systems = [CRYSTAL_LATTICE_SYSTEMS[CRYSTAL_LATTICE_SYSTEM[g] - 1] for g in groups]
    numbers = np.array(data.rows)[order] if data.candidates is not None else order
    columns = [
        _column("row", "row", [int(row) for row in numbers]),
        _column("formula", "formula", crystals.formulas, kind="formula"),
        _column("space_group", "space group", groups, kind="group", symbols=[HM_SYMBOL[g] for g in groups]),
        _column("system", "system", systems, kind="text"),
        *_numbers(crystals, data.methods),
        _column("volume_per_atom", "volume", rounded(crystals.volume_per_atom, 6), unit="Å³/atom", digits=2),
        _column("density", "density", rounded(crystals.density, 6), unit="g/cm³", digits=2),
        _column("n_atoms", "atoms in cell", crystals.n_atoms.tolist()),
    ]
    lattice = crystals.lattice.cpu().numpy()
    for position, name in enumerate(LATTICE_PARAMETERS):
        unit = "Å" if position < 3 else "°"
        columns.append(_column(name, name, rounded(lattice[:, position], 7), unit=unit, digits=3))
    columns += _texts(data, [int(row) for row in numbers])
    used: set[str] = set()
    for column in columns:  # a column of the input may have the name of one of ours
        while column["key"] in used:
            column["key"] += " (given)"
        used.add(column["key"])
    return {"columns": columns, "n": len(crystals)}


def ranking(data: Data) -> np.ndarray:
    """Return the positions of the crystals, best first.

    Structures are ranked as on a terminal (:meth:`.CandidateTable.score`), doubtful ones last; crystals by energy above
    hull, else formation energy, else log reward.
    """
    crystals = data.crystals
    by = hull_column(Series("", crystals)) or find_energy(crystals)
    if data.candidates is not None and data.candidates.table.ranked_by:
        scores = {row.row: data.candidates.table.score(row) for row in data.candidates.rows}
        values = np.array([scores[row] for row in data.rows], dtype=float)
    elif by is not None:
        values = energies(crystals, by)
    elif "log_reward" in crystals.columns:
        values = -crystals.numbers("log_reward")
    else:
        values = np.arange(len(crystals), dtype=float)
    doubtful = np.array([bool(doubt) for doubt in data.doubts], dtype=bool)
    return np.lexsort((np.arange(len(values)), np.where(np.isfinite(values), values, np.inf), doubtful))


def _numbers(crystals: Crystals, methods: Mapping[str, str]) -> list[dict[str, Any]]:
    columns = []
    for name, values in crystals.columns.items():
        if values.dtype.kind not in "fi" or not np.isfinite(values.astype(float)).any():
            continue
        label = name.split(" [")[0].strip().replace("_", " ")
        label = label.replace("e above hull", "above hull").replace("input formation energy", "predicted energy")
        columns.append(
            _column(name, label, rounded(values, 6), unit=unit_of(name), method=methods.get(name, ""), digits=3)
        )
    return columns


def _texts(data: Data, rows: list[int]) -> list[dict[str, Any]]:
    if data.candidates is None:
        return [
            _column(name, name, ["" if v is None else str(v) for v in values[ranking(data)]], kind="text")
            for name, values in data.crystals.columns.items()
            if values.dtype.kind == "O"
        ]
    by_row = {row.row: row for row in data.candidates.rows}
    columns = []
    for key, label in FROM_ROWS:
        values = [getattr(by_row[row], key) for row in rows]
        if any(value not in (None, "") for value in values):
            texts = ["" if value is None else str(value) for value in values]
            columns.append(_column(key, label, texts, kind="text"))
    return columns


def _column(
    key: str,
    label: str,
    values: list[Any],
    *,
    kind: str = "number",
    unit: str = "",
    method: str = "",
    digits: int = 0,
    symbols: list[str] | None = None,
) -> dict[str, Any]:
    column = {"key": key, "label": label, "unit": unit, "method": method, "kind": kind, "digits": digits}
    column |= {"values": values, "shown": key not in HIDDEN}
    return column | ({"symbols": symbols} if symbols else {})
