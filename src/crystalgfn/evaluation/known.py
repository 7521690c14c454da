"""Known structures that candidates may match: a table of structures, or a folder of CIF files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.candidates import cif_files, read_cifs
from crystalgfn.files.trust import opened
from crystalgfn.structures.candidates.duplicates import (
    Formula,
    Reference,
    duplicate_groups,
    reduced_counts,
    reduced_formula,
)

if TYPE_CHECKING:
    from pymatgen.core import Structure


class KnownStructures:
    """Known structures that candidates may match.

    Args:
        path: a table with material_id, numbers, cell and fractional, or a folder of CIF files.
        trust: whether files of the folder may be links that lead out of it.

    Raises:
        DataError: the table is unreadable, or the folder holds no readable CIF file.
    """

    def __init__(self, path: str | Path, *, trust: bool = False) -> None:
        path = Path(path)
        self.name, self.broken = path.name, dict[str, str]()
        self._table = None if path.is_dir() else Reference(path)
        self._structures: list[tuple[str, Formula, Structure]] = []
        if self._table is None:
            with opened(path, trust=trust):
                self._structures = self._read(path)
            if not self._structures:
                raise DataError(f"{path}: no readable .cif file, allowed: a folder of CIF files, or a table")
        self.formulas: Mapping[Formula, int] = (
            Counter(formula for _, formula, _ in self._structures) if self._table is None else self._table.formulas
        )
        """Number of known structures of each reduced formula."""

    def __len__(self) -> int:
        return sum(self.formulas.values())

    @property
    def title(self) -> str:
        """Number and name of the structures, for methods."""
        return f"{len(self):,} structures of {self.name}"

    def _read(self, folder: Path) -> list[tuple[str, Formula, Structure]]:
        structures = []
        for file in cif_files(folder):
            for name, crystal in read_cifs(file).items():
                if crystal.structure is None:
                    self.broken[name] = crystal.reason
                else:
                    structures.append((name, reduced_formula(crystal.structure.atomic_numbers), crystal.structure))
        return structures

    def match(self, structure: Structure) -> str | None:
        """Return the name of the first known structure that matches, or None."""
        if self._table is not None:
            return self._table.match(structure)
        own = reduced_formula(structure.atomic_numbers)
        for name, formula, known in self._structures:
            if formula == own and duplicate_groups([known, structure])[1] == 0:
                return name
        return None


def formulas_of(crystals: Crystals) -> Counter[Formula]:
    """Return the number of crystals of each reduced formula."""
    elements = np.array(crystals.elements)
    rows = (
        zip(elements[row > 0].tolist(), row[row > 0].tolist(), strict=True) for row in crystals.counts.cpu().numpy()
    )
    return Counter(reduced_counts(dict(row)) for row in rows)
