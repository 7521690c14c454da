"""Tables of phases: the one that ships, and those of users."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.energies import UNIT, Energy
from crystalgfn.crystals.tables import cells
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.crystals.tables.rows import parse_amounts
from crystalgfn.errors import DataError, nearest
from crystalgfn.files.atomic import write_atomically
from crystalgfn.stability.hull import Phase
from crystalgfn.stability.plausibility import Rows, check_energies, far_below

SHIPPED = {
    path.stem.removeprefix("phases-"): path
    for path in sorted(Path(str(files("crystalgfn.stability") / "data")).glob("phases-*.parquet"))
}
"""The phases that ship, by the potential that relaxed them; made by ``scripts/data/build_phases.py``."""

COLUMNS = ("elements", "formation_energy_per_atom")
"""Columns that a table of phases needs: JSON counts, and eV/atom."""

ABOVE_HULL = "e_above_hull"
"""A further column that it may have, eV/atom."""

PHASES = pa.schema(
    [
        ("elements", pa.string()),
        ("formation_energy_per_atom", pa.float64()),
        ("spacegroup", pa.int16()),
        ("protostructure", pa.string()),
        ("source", pa.string()),
    ]
)
"""Columns of the tables that ship; ``source`` says what each phase came from."""

ABOUT = {
    "source": "samples of crystalgfn's presets prior and default, and prototypes (Mehl et al., "
    "doi:10.1016/j.commatsci.2017.01.017), relaxed with the potential; scripts/data/build_phases.py",
    "energies": "formation energies, eV/atom, relative to the potential's elemental references that ship",
}
"""What the metadata of the tables that ship say."""

POTENTIAL = b"potential"
"""Key of the potential in the metadata of the column of formation energies."""


@dataclass(frozen=True)
class PhaseTable:
    """Entries of a table of phases that have an energy.

    Attributes:
        elements: D atomic numbers, rising.
        counts: (N, D) atoms of each element, or fractions.
        energies: (N,) formation energies, eV/atom.
        hull: (N,) energies of the full hull at the compositions, eV/atom: the formation energy less ``e_above_hull``;
            the formation energy itself where that is missing.
        potential: name of the potential that the energies are by; empty for density functional theory, or unsaid.
    """

    elements: tuple[int, ...]
    counts: NDArray[np.float64]
    energies: NDArray[np.float64]
    hull: NDArray[np.float64]
    potential: str = ""

    def phases(self) -> list[Phase]:
        """Return the entries as phases, and the points of the full hull below them as phases of their own."""
        # the implied point is never above the entry itself: both are kept, and the lower one makes the hull
        lowest = np.minimum(self.hull, self.energies)
        phases: list[Phase] = []
        symbols = [SYMBOLS[z] for z in self.elements]
        for row, energy, implied in zip(self.counts, self.energies.tolist(), lowest.tolist(), strict=True):
            counts = {symbols[column]: float(row[column]) for column in np.flatnonzero(row)}
            phases += [(counts, each) for each in sorted({energy, implied})]
        return phases


def read_phase_table(path: Path, *, checked: bool = True) -> PhaseTable:
    """Read a table (.parquet, .csv) with ``elements`` (JSON counts) and ``formation_energy_per_atom`` (eV/atom).

    Rows without an energy are left out. A column ``e_above_hull`` (eV/atom) may stand beside.

    Args:
        path: the file.
        checked: refuse numbers that cannot be energies in eV/atom, see :mod:`.plausibility`.

    Raises:
        DataError: unreadable file, missing column, no energies, a column in another unit, or an impossible row, by
            number.
    """
    table = read_table(path)
    names = [_column(path, table, name) for name in COLUMNS]
    above_name = _column(path, table, ABOVE_HULL, needed=False)
    energies = cells.number_column(path.name, names[1], table[names[1]], f"a number ({UNIT}), or empty")
    above = np.full(len(energies), np.nan)
    if above_name:
        above = cells.number_column(path.name, above_name, table[above_name], f"a number ({UNIT}), or empty")
    kept = np.flatnonzero(~np.isnan(energies))
    if not len(kept):
        raise DataError(f"{path.name}: no row of {len(energies)} has a {names[1]}, allowed: 1 or more")
    codes, distinct = cells.texts(path.name, names[0], table[names[0]])
    amounts: dict[int, dict[int, float]] = {}
    for row in kept.tolist():
        code = int(codes[row])
        if code not in amounts:
            try:
                amounts[code] = parse_amounts(distinct[code])
            except DataError as error:
                cells.refuse(path.name, row, names[0], distinct[code], str(error))
    elements = tuple(sorted({z for composition in amounts.values() for z in composition}))
    place = {z: column for column, z in enumerate(elements)}
    counts = np.zeros((len(kept), len(elements)))
    for position, row in enumerate(kept.tolist()):
        for z, n in amounts[int(codes[row])].items():
            counts[position, place[z]] = n
    energies, above = energies[kept], above[kept]
    if checked:
        rows = Rows(path.name, elements, counts, kept.tolist())
        check_energies(rows, names[1], energies, fewest=1)
        if above_name:
            check_energies(rows, above_name, above, Energy.ABOVE_HULL)
            _check_implied(rows, above_name, energies, above)
    metadata = table.schema.field(names[1]).metadata or {}
    potential = metadata.get(POTENTIAL, b"").decode("utf-8", errors="replace")
    return PhaseTable(elements, counts, energies, energies - np.nan_to_num(above), potential)


def read_phases(path: Path, *, checked: bool = True) -> list[Phase]:
    """Read the phases of a table; see :func:`read_phase_table`.

    Where there is a column ``e_above_hull`` (eV/atom), it is subtracted from the formation energy: the difference is
    the energy of the full hull, from which the rows may be a selection, at the row's composition. Such points are
    phases too.

    Raises:
        DataError: as for the table.
    """
    return read_phase_table(path, checked=checked).phases()


def _check_implied(rows: Rows, name: str, energies: NDArray[np.float64], above: NDArray[np.float64]) -> None:
    """Refuse energies above hull in another unit: the hull that they imply would lie far too low.

    A few wrong ones are let pass: two of 47,421 in the Materials Project are.
    """
    implied = np.where(above > 0, energies - above, np.nan)
    index, mean, below = far_below(rows, implied)
    if below.sum() > len(index) // 100:
        first = int(below.argmax())
        allowed = f"energy above hull in {UNIT}; the hull would lie at {implied[index[first]]:.2f}, far below "
        rows.refuse(int(index[first]), name, float(above[index[first]]), f"{allowed}{mean[first]:.2f} (meV/atom?)")


def _column(path: Path, table: pa.Table, name: str, *, needed: bool = True) -> str:
    """Return the column of a name, with or without the unit eV/atom; empty where there is none and none is needed."""
    names = table.column_names
    found = [column for column in names if column.rpartition(" [")[0] == name or column == name]
    column = name if name in found else f"{name} [{UNIT}]" if f"{name} [{UNIT}]" in found else ""
    if not column and found:
        raise DataError(f"{path.name}: column {found[0]!r}, allowed: {name} in {UNIT}")
    if not column and needed:
        near = nearest(name, names)
        raise DataError(f"{path.name}: no column {name!r}{near}, allowed: a table with {', '.join(COLUMNS)}")
    stated = (table.schema.field(column).metadata or {}).get(b"unit", b"").decode(errors="replace") if column else ""
    if stated and name != "elements" and stated != UNIT:
        raise DataError(f"{path.name}: column {column!r} is in {stated} by its metadata, allowed: {UNIT}")
    return column


def write_phases(path: Path, rows: Iterable[Mapping[str, Any]], potential: str) -> None:
    """Write a table with the columns :data:`PHASES`, and the potential of its energies in the metadata, atomically."""
    place = PHASES.get_field_index(COLUMNS[1])
    schema = PHASES.set(place, PHASES.field(place).with_metadata({"unit": UNIT, POTENTIAL: potential}))
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    with write_atomically(path) as stream:
        pq.write_table(
            table.replace_schema_metadata({"about": json.dumps(ABOUT)}),
            stream,
            compression="zstd",
        )


def ground_states(phases: Iterable[Phase]) -> dict[str, float]:
    """Return the lowest energy (eV/atom) of each element that stands alone among the phases, by symbol."""
    found: dict[str, float] = {}
    for counts, energy in phases:
        if len(counts) == 1:
            symbol = next(iter(counts))
            found[symbol] = min(energy, found.get(symbol, math.inf))
    return found
