"""Which candidates are the same crystal, and which are new: StructureMatcher, applied only within a formula.

Two crystals match with pymatgen's StructureMatcher (Ong et al., Comput. Mater. Sci. 68, 314 (2013)), by default with
its own tolerances, which published numbers of uniqueness and novelty use. The matcher scales both to one volume.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import DataError

if TYPE_CHECKING:
    from pymatgen.core import Structure

COLUMNS = ("material_id", "numbers", "cell", "fractional")
_CACHED_FORMULAS = 256

Formula = tuple[tuple[int, int], ...]
"""A reduced formula: atomic numbers in order, each with its count."""


@dataclass(frozen=True)
class Tolerances:
    """Tolerances of the matcher: pymatgen's own by default.

    Attributes:
        ltol: tolerance of lengths, relative.
        stol: tolerance of sites, over the cube root of the volume per atom.
        angle_tol: tolerance of angles, degree.
    """

    ltol: float = 0.2
    stol: float = 0.3
    angle_tol: float = 5.0

    def matcher(self) -> Any:
        """Return pymatgen's StructureMatcher."""
        from pymatgen.analysis.structure_matcher import StructureMatcher

        return StructureMatcher(ltol=self.ltol, stol=self.stol, angle_tol=self.angle_tol)


def reduced_formula(numbers: Sequence[int] | NDArray[np.int64]) -> Formula:
    """Return the reduced formula of atoms given by their atomic numbers (n,)."""
    return reduced_counts(Counter(np.asarray(numbers, dtype=np.int64).tolist()))


def reduced_counts(counts: Mapping[int, int]) -> Formula:
    """Return the reduced formula of numbers of atoms by atomic number; zeros are left out."""
    divisor = gcd(*counts.values()) or 1
    return tuple((z, n // divisor) for z, n in sorted(counts.items()) if n)


def duplicate_groups(structures: Sequence[Structure | None], *, tolerances: Tolerances | None = None) -> list[int]:
    """Return for every candidate the index of the first candidate that is the same crystal, which may be itself.

    Only candidates of one reduced formula are compared, each with the first candidate of every group, so that the
    order of the candidates matters: put the best first. A candidate without a structure (None) gets -1; one that the
    matcher cannot handle is a group of its own.

    Args:
        structures: candidates (B,).
        tolerances: tolerances of the matcher.
    """
    matcher = (tolerances or Tolerances()).matcher()
    firsts: dict[Formula, list[int]] = defaultdict(list)
    out: list[int] = []
    for index, structure in enumerate(structures):
        if structure is None:
            out.append(-1)
            continue
        group = firsts[reduced_formula(structure.atomic_numbers)]
        same = next((first for first in group if _fit(matcher, structures[first], structure)), index)
        if same == index:
            group.append(index)
        out.append(same)
    return out


class Reference:
    """Known crystals, whose structures are built when a candidate of their formula is compared.

    Args:
        path: table (.parquet) with material_id, numbers, cell (9 numbers, A, rows are vectors) and fractional (3n,) of
            a primitive cell. The table is kept in memory; structures are built formula by formula.
        tolerances: tolerances of the matcher.

    Raises:
        DataError: the file is unreadable or lacks a column.
    """

    def __init__(self, path: str | Path, *, tolerances: Tolerances | None = None) -> None:
        from crystalgfn.crystals.tables.files import read_table

        self.path = Path(path)
        table = read_table(self.path)
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            raise DataError(f"{self.path.name}: no column {missing[0]!r}, allowed: {', '.join(COLUMNS)}")
        self._table = table.select(COLUMNS).combine_chunks()
        self._rows: dict[Formula, list[int]] = defaultdict(list)
        lists = self._table["numbers"].combine_chunks()
        try:
            values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
            ends = np.cumsum(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
        except (AttributeError, TypeError, ValueError):
            raise DataError(f"{self.path.name}: column 'numbers', allowed: lists of atomic numbers") from None
        start = 0
        for row, end in enumerate(ends.tolist()):
            self._rows[reduced_formula(values[start:end])].append(row)
            start = end
        self._matcher = (tolerances or Tolerances()).matcher()
        self._structures = lru_cache(maxsize=_CACHED_FORMULAS)(self._build)

    def __len__(self) -> int:
        return self._table.num_rows

    def match(self, structure: Structure) -> str | None:
        """Return the material_id of the first known crystal that matches a candidate, or None: the candidate is new."""
        for name, known in self._structures(reduced_formula(structure.atomic_numbers)):
            if _fit(self._matcher, known, structure):
                return name
        return None

    @property
    def formulas(self) -> Mapping[Formula, int]:
        """Number of known crystals of each reduced formula."""
        return {formula: len(rows) for formula, rows in self._rows.items()}

    def has_formula(self, structure: Structure) -> bool:
        """Whether any known crystal has the candidate's reduced formula."""
        return reduced_formula(structure.atomic_numbers) in self._rows

    def _build(self, formula: Formula) -> list[tuple[str, Structure]]:
        from pymatgen.core import Structure

        out = []
        for row in self._rows.get(formula, ()):
            name, numbers, cell, fractional = (self._table[column][row].as_py() for column in COLUMNS)
            try:
                matrix, positions = np.reshape(cell, (3, 3)), np.reshape(fractional, (-1, 3))
                out.append((str(name), Structure(matrix, [SYMBOLS[z] for z in numbers], positions)))
            except (ValueError, TypeError, IndexError) as error:
                raise DataError(f"{self.path.name}: row {row}: not a structure ({error})") from None
        return out


def _fit(matcher: Any, first: Structure | None, second: Structure) -> bool:
    try:
        return bool(matcher.fit(_plain(first), _plain(second)))
    except Exception:  # a cell that the matcher cannot reduce: nothing shows that the two are one crystal
        return False


def _plain(structure: Structure | None) -> Structure | None:
    """The structure with elements alone: Na+ is Na to the matcher, whatever charge, isotope or spin a site carries."""
    from pymatgen.core import Element, Structure

    if structure is None or all(type(site.specie) is Element for site in structure):
        return structure
    symbols = [SYMBOLS[z] for z in structure.atomic_numbers]
    return Structure(structure.lattice, symbols, structure.frac_coords)
