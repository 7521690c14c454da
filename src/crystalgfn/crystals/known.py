"""Which crystals, site patterns and formulas are known: tables of keys, the one that ships and those of a user.

The builtin table holds the keys of the real crystals in ``data/known_crystals.safetensors``, which
``scripts/data/known_crystals.py`` writes: numbers alone, from which no crystal can be read. Keys do not depend on axes
or origin (:mod:`~crystalgfn.crystallography.sites.keys`), nor on lengths, angles and coordinates: crystals with equal
elements on equal sites are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import torch
from torch import Tensor

from crystalgfn.crystallography.formula_keys import formula_keys
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.sites.keys import pattern_keys, site_keys
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN, Sites, check_counts, is_missing, parse_sites
from crystalgfn.errors import DataError
from crystalgfn.files.tensors import read_tensors, write_tensors


@dataclass(frozen=True, eq=False)
class KnownCrystals:
    """Keys of known crystals.

    Example::

        known = KnownCrystals.builtin().with_table(Crystals.from_file("mine.parquet"))
        known.contains(site_keys(space_group, sites.elements, sites.letters))

    Attributes:
        sites: ``(N,)`` int64, rising, from :func:`~crystalgfn.crystallography.sites.keys.site_keys`.
        patterns: ``(M,)`` int64, rising, from :func:`~crystalgfn.crystallography.sites.keys.pattern_keys`.
        formulas: ``(F,)`` int64, rising, from :func:`~crystalgfn.crystallography.formula_keys.formula_keys`.
        without_sites: rows of tables that say nothing about their sites, and so are not in the keys.
    """

    sites: Tensor
    patterns: Tensor
    formulas: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    without_sites: int = 0

    @classmethod
    def builtin(cls) -> KnownCrystals:
        """The table that ships: 31,794 crystals and 48,354 formulas of the Materials Project and of WBM."""
        return _builtin()

    @classmethod
    def of(cls, crystals: Crystals) -> KnownCrystals:
        """The keys of crystals with sites, or of a table whose column ``wyckoff`` lists the occupied positions.

        Rows where that cell is missing are counted in ``without_sites``.

        Raises:
            DataError: neither sites nor such a column, no row with sites, or the first row whose sites contradict its
                group or counts; rows are counted from 1.
        """
        if crystals.sites is not None:
            space_group, sites, missing = crystals.space_group, crystals.sites, 0
        else:
            assignments = _assignments(crystals)
            space_group = torch.tensor([assignment.space_group for assignment in assignments], dtype=torch.int64)
            sites, missing = Sites.from_assignments(assignments), len(crystals) - len(assignments)
        crystal = site_keys(space_group, sites.elements, sites.letters)
        patterns = pattern_keys(space_group, sites.slots, sites.letters).unique()
        return cls(crystal.unique(), patterns, formula_keys_of(crystals).unique(), missing)

    def with_table(self, crystals: Crystals) -> KnownCrystals:
        """These crystals and those of a table; errors as for :meth:`of`."""
        added = self.of(crystals)
        return KnownCrystals(
            torch.cat((self.sites, added.sites)).unique(),
            torch.cat((self.patterns, added.patterns)).unique(),
            torch.cat((self.formulas, added.formulas)).unique(),
            self.without_sites + added.without_sites,
        )

    @classmethod
    def with_tables(cls, paths: Iterable[str]) -> KnownCrystals:
        """The table that ships and those of files; errors as for :meth:`of`, and of files that cannot be read."""
        known = cls.builtin()
        for path in paths:
            known = known.with_table(Crystals.from_file(path))
        return known

    def contains(self, keys: Tensor) -> Tensor:
        """Whether crystals are known: ``(B,)`` bool for site keys ``(B,)``."""
        return is_in(keys, self.sites)

    def knows_pattern(self, keys: Tensor) -> Tensor:
        """Whether some known crystal has a pattern: ``(B,)`` bool for pattern keys ``(B,)``."""
        return is_in(keys, self.patterns)

    def knows_formula(self, keys: Tensor) -> Tensor:
        """Whether something of a formula is known: ``(B,)`` bool for formula keys ``(B,)``."""
        return is_in(keys, self.formulas)

    def write(self, path: Path, *, source: str) -> None:
        """Write the keys into a file, atomically, with a line that says where they come from."""
        tensors = {"sites": self.sites, "patterns": self.patterns, "formulas": self.formulas}
        write_tensors(path, tensors, {"source": source})

    @classmethod
    def read(cls, path: Path) -> KnownCrystals:
        """Read what :meth:`write` wrote.

        Raises:
            CheckpointError: the file is missing, incomplete or of another kind.
        """
        tensors, _ = read_tensors(path)
        return cls(tensors["sites"], tensors["patterns"], tensors["formulas"])


def formula_keys_of(crystals: Crystals) -> Tensor:
    """Return the keys of the formulas of B crystals, ``(B,)`` int64."""
    elements = torch.tensor(crystals.elements, device=crystals.device).expand(len(crystals), -1)
    return formula_keys(elements, crystals.counts)


@cache
def _builtin() -> KnownCrystals:
    with as_file(files(__package__) / "data" / "known_crystals.safetensors") as path:
        return KnownCrystals.read(path)


def _assignments(crystals: Crystals) -> list[Assignment]:
    """The assignments of the rows that have sites."""
    allowed = f"allowed: a table whose column {COLUMN!r} lists the occupied positions, as crystalgfn data writes it"
    if COLUMN not in crystals.columns:
        raise DataError(f"known crystals: found no column {COLUMN!r}, {allowed}")
    rows = zip(crystals.columns[COLUMN], crystals.space_group.tolist(), crystals.counts.tolist(), strict=True)
    assignments = []
    for row, (text, group, counts) in enumerate(rows, 1):
        if is_missing(text):
            continue
        try:
            assignment = parse_sites(text, group)
            check_counts(assignment, {z: n for z, n in zip(crystals.elements, counts, strict=True) if n})
        except DataError as error:
            raise DataError(f"known crystals: row {row}: {error}") from None
        assignments.append(assignment)
    if not assignments:
        raise DataError(f"known crystals: found no sites in {len(crystals)} rows, {allowed}")
    return assignments


def is_in(keys: Tensor, table: Tensor) -> Tensor:
    """Whether keys of any shape stand in a rising table ``(N,)``: bool of that shape."""
    if not len(table):
        return torch.zeros_like(keys, dtype=torch.bool)
    table = table.to(keys.device)
    return table[torch.searchsorted(table, keys).clamp(max=len(table) - 1)] == keys
