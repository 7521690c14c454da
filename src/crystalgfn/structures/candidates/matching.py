"""Fill the columns on duplicates and novelty of a whole table: which candidates match each other or known crystals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crystalgfn.structures.candidates.duplicates import Reference, duplicate_groups
from crystalgfn.structures.candidates.schema import Row

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Match:
    """The candidates and known crystals that a candidate's structure matches.

    Attributes:
        group: row of the first candidate that is the same crystal.
        known_crystal: name of the known crystal that it matches; empty if it matches none, None if it was not compared.
    """

    group: int
    known_crystal: str | None = None

    def fill(self, row: Row) -> Row:
        """Return the row with the columns ``match_group``, ``matches`` and ``novel``."""
        novel = None if self.known_crystal is None else not self.known_crystal
        return replace(row, match_group=self.group, matches=self.known_crystal, novel=novel)


def match_structures(
    formulas: Mapping[int, str], structure_of: Callable[[int], Structure], reference: Reference | None = None
) -> dict[int, Match]:
    """Compare candidates with each other and with known crystals, with structures of one formula in memory at a time.

    Args:
        formulas: reduced formula of every row with a structure; the first of several duplicates names their group.
        structure_of: returns the structure of a row.
        reference: known crystals, or None.
    """
    by_formula: dict[str, list[int]] = defaultdict(list)
    for row, formula in formulas.items():
        by_formula[formula].append(row)
    matches: dict[int, Match] = {}
    for rows in by_formula.values():
        structures = [structure_of(row) for row in rows]
        groups = duplicate_groups(structures)
        for row, group, structure in zip(rows, groups, structures, strict=True):
            known_crystal = None if reference is None else reference.match(structure) or ""
            matches[row] = Match(rows[group], known_crystal)
    return matches
