"""Tables of phases: the one that ships, and those of users."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from crystalgfn.crystals.tables.files import read_table
from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_atomically
from crystalgfn.stability.hull import Phase

SHIPPED = Path(str(files("crystalgfn.stability") / "data" / "phases.parquet"))
"""The phases that ship, made by ``scripts/data/build_phases.py``."""

COLUMNS = ("elements", "formation_energy_per_atom")
"""Columns that a table of phases needs: JSON counts, and eV/atom."""

PHASES = pa.schema(
    [
        ("elements", pa.string()),
        ("formation_energy_per_atom", pa.float64()),
        ("spacegroup", pa.int16()),
        ("protostructure", pa.string()),
        ("source", pa.string()),
    ]
)
"""Columns of the table that ships; ``source`` says what each phase came from."""

ABOUT = {
    "source": "samples of crystalgfn's presets prior and default, and prototypes (Mehl et al., "
    "doi:10.1016/j.commatsci.2017.01.017), relaxed with CHGNet 0.3.0; scripts/data/build_phases.py",
    "energies": "formation energies, eV/atom, relative to the elemental references of chgnet.json",
}


def read_phases(path: Path) -> list[Phase]:
    """Read a table (.parquet, .csv) with ``elements`` (JSON counts) and ``formation_energy_per_atom`` (eV/atom).

    Where there is a column ``e_above_hull`` (eV/atom), it is subtracted from the formation energy: the difference is
    the energy of the full hull, from which the rows may be a selection, at the row's composition. Such points are
    phases too.

    Raises:
        DataError: unreadable file, missing column, or an impossible row, by number.
    """
    table = read_table(path)
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"{path.name}: no column {missing[0]!r}, allowed: a table with {', '.join(COLUMNS)}")
    energies = _numbers(path, table, "formation_energy_per_atom")
    above = _numbers(path, table, "e_above_hull") if "e_above_hull" in table.column_names else 0 * energies
    # the implied point is never above the entry itself: both are kept, and the lower one makes the hull
    lowest = energies - np.maximum(np.nan_to_num(above), 0)
    phases: list[Phase] = []
    rows = zip(table["elements"].to_pylist(), energies.tolist(), lowest.tolist(), strict=True)
    for number, (text, energy, implied) in enumerate(rows):
        if not math.isfinite(energy):
            continue
        try:
            counts = {str(k): float(v) for k, v in json.loads(text).items()}
            phases += [(counts, each) for each in sorted({energy, implied})]
        except (TypeError, ValueError, AttributeError):
            raise DataError(f"{path.name}: row {number}: elements {text!r}, allowed: JSON counts") from None
    return phases


def write_phases(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table with the columns :data:`PHASES`, atomically."""
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=PHASES)
    with write_atomically(path) as stream:
        pq.write_table(table.replace_schema_metadata({"about": json.dumps(ABOUT)}), stream, compression="zstd")


def ground_states(phases: Iterable[Phase]) -> dict[str, float]:
    """Return the lowest energy (eV/atom) of each element that stands alone among the phases, by symbol."""
    found: dict[str, float] = {}
    for counts, energy in phases:
        if len(counts) == 1:
            symbol = next(iter(counts))
            found[symbol] = min(energy, found.get(symbol, math.inf))
    return found


def _numbers(path: Path, table: pa.Table, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(table[name].to_numpy(), dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{path.name}: column {name!r} holds text, allowed: numbers in eV/atom") from None
