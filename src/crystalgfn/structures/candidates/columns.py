"""Columns of a table of candidates by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from crystalgfn.errors import DataError, nearest
from crystalgfn.structures.candidates.schema import Quantity, headers
from crystalgfn.structures.candidates.table import CandidateTable


def names(table: CandidateTable) -> list[str]:
    """Return the names of the columns in which at least one row has a cell, and the quantities that they hold."""
    quantities = [str(quantity) for quantity in Quantity if table.energy(quantity) is not None]
    return [*quantities, *(header.name for header in headers(table.rows))]


def column(table: CandidateTable, name: str) -> np.ndarray:
    """Return a column (B,) of a table; numbers are float64 with NaN where there is none, others objects with None.

    Args:
        table: B candidates.
        name: the name in files, with or without its unit, or a quantity: ``"e_above_hull"`` is the energy above hull
            by the relaxing potential, eV/atom.

    Raises:
        DataError: no such column.
    """
    found = {header.name: header for header in headers(table.rows)}
    if name not in found and name in list(Quantity) and (energies := table.energy(Quantity(name))) is not None:
        name = energies.name
    if name not in found:
        named = [header for header in found if header.split(" [")[0] == name]
        if len(named) != 1:
            allowed = names(table)
            raise DataError(f"no column {name!r}, allowed: {', '.join(allowed)}{nearest(name, allowed)}")
        (name,) = named
    kind = found[name].kind
    cells: list[Any] = [row.cells().get(name) for row in table.rows]
    if kind in (int, float) and (kind is float or None in cells):
        return np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
    if kind in (int, bool) and None not in cells:
        return np.array(cells, dtype=np.int64 if kind is int else np.bool_)
    return np.array(cells, dtype=object)
