"""A CSV file with one structure in each row, as CIF text in a column ``cif``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from crystalgfn.crystallography.cif.read import read_structure
from crystalgfn.crystals.energies import Energy
from crystalgfn.crystals.tables import cells, files
from crystalgfn.crystals.tables.rows import parse_elements
from crystalgfn.crystals.tables.schema import bare_name, unit_of
from crystalgfn.datasets.schema import LABELS, Entry
from crystalgfn.errors import DataError, nearest
from crystalgfn.files.reading import sha256
from crystalgfn.stability.plausibility import RANGES, Rows, check_energies

if TYPE_CHECKING:
    from pymatgen.core import Structure

KINDS = {"formation_energy_per_atom": Energy.FORMATION, "e_above_hull": Energy.ABOVE_HULL}
"""Labels that are energies."""

GAPS = (-0.05, 30.0)
"""eV; no band gap of a crystal lies outside."""


class CsvFile:
    """Rows of a CSV file.

    Args:
        path: the file; it needs a column ``cif`` and may have ``material_id``, ``source`` and labels.
        labels: the column of a label of :data:`~.schema.LABELS`, where it has another name.
        keep: further columns of numbers to copy into the table.
        limit: number of rows to read, from the first.

    Raises:
        DataError: the file is unreadable, a column is missing, or a label is no number.
    """

    def __init__(
        self,
        path: Path,
        *,
        labels: Mapping[str, str] | None = None,
        keep: Sequence[str] = (),
        limit: int | None = None,
    ) -> None:
        self.extra_labels = tuple(keep)
        if files.suffix_of(path) != ".csv":
            raise DataError(f"{path.name}: allowed: a .csv file with a column 'cif'")
        table = files.read_table(path).slice(0, limit)
        self._name = path.stem
        self._size = table.num_rows
        self._hash = sha256(path)
        columns = _choose_columns(path, table.column_names, labels or {}, self.extra_labels)
        self._columns = {**columns}
        texts = {
            name: table[name].to_pylist() for name in ("cif", "material_id", "source") if name in table.column_names
        }
        self._cif = [None if text is None else str(text) for text in texts["cif"]]
        self._ids = texts.get("material_id", [None] * self._size)
        self._sources = texts.get("source", [None] * self._size)
        self._labels: dict[str, np.ndarray] = {}
        self.notes: tuple[str, ...] = ()
        for label, column in columns.items():
            values = _numbers(path.name, column, table[column])
            self._labels[label] = self._without_infinities(column, values)
            if label in KINDS:
                _check_range(path.name, column, self._labels[label], *RANGES[KINDS[label]])
            if label == "band_gap":
                _check_range(path.name, column, self._labels[label], *GAPS)
        self.notes += _left_out(table.column_names, columns)

    def __len__(self) -> int:
        return self._size

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield the rows from position ``start`` on; rows without a name are called ``FILE-000001``."""
        for row in range(start, self._size):
            yield Entry(
                material_id=str(self._ids[row] or f"{self._name}-{row + 1:06d}"),
                source=str(self._sources[row] or self._name),
                load=partial(parse_cif, self._cif[row]),
                labels={label: float(values[row]) for label, values in self._labels.items()},
            )

    def check(self, table: pa.Table, numbers: Sequence[int]) -> None:
        """Refuse labels that cannot be energies of their crystals, in eV/atom.

        Args:
            table: imported rows, with their labels.
            numbers: (B,) numbers of the rows in the file, from 0.

        Raises:
            DataError: the first such row.
        """
        if not table.num_rows:
            return
        parts = [parse_elements(text) for text in table["elements"].to_pylist()]
        elements = sorted({z for part in parts for z in part})
        counts = np.array([[part.get(z, 0) for z in elements] for part in parts], dtype=float)
        for label, kind in KINDS.items():
            rows = Rows(f"{self._name}.csv", elements, counts, numbers)
            check_energies(rows, self._columns.get(label, label), np.asarray(table[label]), kind)

    def _without_infinities(self, column: str, values: np.ndarray) -> np.ndarray:
        infinite = np.isinf(values)
        if infinite.any():
            count, row = int(infinite.sum()), int(infinite.argmax())
            self.notes += (f"{count} of column {column!r} taken as missing: inf (row {row + 1})",)
        return np.where(infinite, np.nan, values)

    def identity(self) -> dict[str, Any]:
        """Return a hash of the file and the columns that are read from it."""
        return {"source": self._name, "sha256": self._hash, "columns": self._columns}


def parse_cif(text: str | None) -> Structure:
    """Return the one crystal of a CIF; see :func:`crystalgfn.crystallography.cif.read.read_structure`.

    Raises:
        DataError: an empty cell, or a CIF that cannot be read or contradicts itself.
    """
    if not text or not text.strip():
        raise DataError("no CIF: the cell is empty")
    return read_structure(text)


def _choose_columns(path: Path, names: Sequence[str], labels: Mapping[str, str], keep: Sequence[str]) -> dict[str, str]:
    """Return the column of each label: the one that the user named, or else one of the same name, if it exists."""
    for label in labels:
        if label not in LABELS:
            raise DataError(f"label {label!r}, allowed: {', '.join(LABELS)}{nearest(label, LABELS)}")
    for needed in ("cif", *labels.values(), *keep):
        if needed not in names:
            raise DataError(f"{path.name}: no column {needed!r}, found: {', '.join(names)}{nearest(needed, names)}")
    reserved = [name for name in keep if name in LABELS or name in ("cif", "material_id", "source")]
    if reserved:
        raise DataError(f"column {reserved[0]!r} is taken over anyway: do not ask to keep it")
    own: dict[str, str] = {}
    for label, unit in LABELS.items():
        found = [name for name in names if bare_name(name) == label]
        chosen = next((name for name in (label, f"{label} [{unit}]") if name in found), None)
        if chosen is None and found and label not in labels:
            raise DataError(f"{path.name}: column {found[0]!r}, allowed: {label} in {unit}")
        own |= {} if chosen is None else {label: chosen}
    for label, column in labels.items():
        if unit_of(column) not in ("", LABELS[label]):
            raise DataError(f"{path.name}: column {column!r}, allowed for {label}: {LABELS[label]}")
    return {**own, **labels, **{name: name for name in keep}}


def _numbers(source: str, column: str, values: pa.ChunkedArray) -> np.ndarray:
    """Return numbers (B,) as float64; true and false are 1 and 0."""
    free = cells.free_column(source, column, values)
    return free.astype(np.float64) if free.dtype.kind == "b" else cells.number_column(source, column, values)


def _check_range(source: str, column: str, values: np.ndarray, low: float, high: float) -> None:
    row = cells.first((values < low) | (values > high))
    if row is not None:
        unit = f"{max(low, 0) if low > -1 else low:g} to {high:g} eV{'' if (low, high) == GAPS else '/atom'}"
        cells.refuse(source, row, column, float(values[row]), f"a number from {unit}, or empty where it is missing")


def _left_out(names: Sequence[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return a note about the columns that are not imported."""
    lost = [name for name in names if name not in {*columns.values(), "cif", "material_id", "source"}]
    if not lost:
        return ()
    listed = ", ".join(lost[:10]) + (", ..." if len(lost) > 10 else "")
    return (f"not taken over: {listed} (--keep takes numbers over, --label {next(iter(LABELS))}=COLUMN a label)",)
