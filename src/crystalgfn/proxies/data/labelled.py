"""Labelled crystals: tables of real crystals or their strained copies, with the number that a network learns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.files.reading import sha256
from crystalgfn.proxies.data.labels import FORMATION_ENERGY, Label, check_label, label_column, label_values

BASE_ID, CHANGE, KIND = "material_id", "energy_change", "kind"
"""Columns of a table of strained copies: the unstrained crystal, change of energy (eV/atom), and kind of strain."""


@dataclass(frozen=True)
class LabelledCrystals:
    """Crystals with a label.

    Attributes:
        crystals: N crystals.
        target: (N,) float64 labels, eV/atom; eV for the band gap.
        sha256: hash of the file.
        name: name of the file.
    """

    crystals: Crystals
    target: npt.NDArray[np.float64]
    sha256: str
    name: str

    def __getitem__(self, rows: npt.NDArray[np.bool_]) -> LabelledCrystals:
        """Return the crystals that a mask (N,) marks."""
        return replace(self, crystals=self.crystals[rows], target=self.target[rows])

    @cached_property
    def systems(self) -> list[str]:
        """(N,) sets of elements, such as ``"Fe-Li-O"``."""
        symbols: list[list[str]] = [[] for _ in range(len(self.crystals))]
        for row, column in self.crystals.counts.nonzero().tolist():
            symbols[row].append(SYMBOLS[self.crystals.elements[column]])
        return ["-".join(sorted(row)) for row in symbols]

    @cached_property
    def sources(self) -> npt.NDArray[np.object_]:
        """(N,) source of each row: MP for the Materials Project's sets, else ``source`` in capitals, or "all"."""
        if "source" not in self.crystals.columns:
            return np.full(len(self.crystals), "all", dtype=object)
        names = [str(s) for s in self.crystals.columns["source"]]
        return np.array(["MP" if s.startswith("mp") else s.upper() for s in names], dtype=object)


def read_labelled(path: Path, label: Label = FORMATION_ENERGY, *, checked: bool = True) -> LabelledCrystals:
    """Read a crystals table with its labels.

    Args:
        path: the table.
        label: what to read.
        checked: refuse numbers that cannot be labels, see :func:`~.labels.check_label`.

    Raises:
        DataError: an unreadable table, no such column, a label that is not finite where every row needs one, one that
            cannot be right, or no row with a label.
    """
    crystals = Crystals.from_file(path)
    column = label_column(crystals, label, path.name)
    values = label_values(crystals, column, path.name)
    labelled = np.isfinite(values)
    if label.complete and not labelled.all():
        bad = int(np.flatnonzero(~labelled)[0])
        raise DataError(f"{path}: row {bad + 1} has {label.column} {values[bad]}, allowed: finite numbers")
    if checked:
        check_label(crystals, label, column, values, path.name)
    if not labelled.any():
        raise DataError(f"{path}: no rows with {label.column}, allowed: 1 or more")
    return LabelledCrystals(crystals, values, file_hash(path), path.name)[labelled]


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, as hexadecimal text."""
    return sha256(path)
