"""A CSV file with one structure in each row, as CIF text in a column ``cif``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crystalgfn.crystals.tables import cells, files
from crystalgfn.datasets.schema import LABELS, Entry
from crystalgfn.errors import DataError, nearest
from crystalgfn.files.reading import sha256

if TYPE_CHECKING:
    from pymatgen.core import Structure

MAX_CIF = 1_000_000
"""Longest CIF text that is parsed, in characters."""


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
        for label, column in columns.items():
            values = cells.free_column(path.name, column, table[column])
            if values.dtype == object:
                row = next(row for row, value in enumerate(values) if value is not None)
                cells.refuse(path.name, row, column, values[row], "numbers, or empty")
            self._labels[label] = values.astype(np.float64)

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

    def identity(self) -> dict[str, Any]:
        """Return a hash of the file and the columns that are read from it."""
        return {"source": self._name, "sha256": self._hash, "columns": self._columns}


def parse_cif(text: str | None) -> Structure:
    """Return the structure of a CIF.

    Raises:
        DataError: empty or too long.
        ValueError: text that is no CIF; pymatgen may raise other exceptions as well.
    """
    from pymatgen.core import Structure

    if not text or not text.strip():
        raise DataError("no CIF: the cell is empty")
    if len(text) > MAX_CIF:
        raise DataError(f"CIF too long: {len(text)} characters, allowed: {MAX_CIF}")
    return Structure.from_str(text, fmt="cif")


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
    own = {label: label for label in LABELS if label in names}
    return {**own, **labels, **{name: name for name in keep}}
