"""What ``crystalgfn demo`` prints: a look at the samples, and what became of those that were relaxed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crystalgfn.crystallography.chemical_classes import CLASSES, class_of
from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.space_groups import HM_SYMBOL
from crystalgfn.crystals.chemical_classes import classes_of
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.report.candidates import by_kind, resting_on
from crystalgfn.report.fitting import Column, FittedTable
from crystalgfn.stability.answer import HullKind
from crystalgfn.structures.candidates.schema import Row, Status
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.sanity import FAR_BELOW_HULL

STABLE = 0.08
"""Energy above hull (eV/atom) up to which a candidate counts as stable."""

EXAMPLES = 3
"""Crystals that are shown of each class."""


def classes_table(crystals: Crystals) -> FittedTable:
    """Return the chemical classes of samples: share, and the first crystals of each."""
    groups, elements = len(np.unique(crystals.space_group.numpy())), int((crystals.counts > 0).any(0).sum())
    title = f"{len(crystals):,} crystals, {elements} elements, {groups} space groups"
    if "known" in crystals.columns:
        title += f", {float((crystals.columns['known'] == 0).mean()):.0%} not known"
    table = FittedTable(title, [Column("class"), Column("share", "right"), Column("for example", rank=1, prose=True)])
    kinds, formulas, number = np.array(classes_of(crystals)), crystals.formulas, crystals.space_group.tolist()
    for kind in CLASSES:
        rows = np.flatnonzero(kinds == kind)
        examples = ", ".join(f"{formulas[row]} ({HM_SYMBOL[number[row]]})" for row in rows[:EXAMPLES])
        table.add_row(kind, f"{len(rows) / len(crystals):.0%}", examples)
    return table


def judged_table(candidates: CandidateTable) -> FittedTable:
    """Return every candidate: those that the hull judges first, by energy; then the others, in their order."""
    column = candidates.above_hull
    potential, hull = ("", "no") if column is None else (column.potential, column.hull)
    table = FittedTable(
        f"{len(candidates)} candidates, relaxed by {potential or 'a potential'}, energies above the {hull} hull",
        [
            Column("crystal"),
            Column("class", rank=3),
            Column("space group", rank=2),
            Column("after\nrelaxing", rank=1),
            Column("free\ncoordinates", "right", rank=4),
            Column("above hull\neV/atom", "right"),
        ],
    )
    for row in sorted(candidates.rows, key=lambda row: (math.isnan(row.energy(column)), row.energy(column))):
        energy = row.energy(column)
        table.add_row(
            row.formula + ("*" if _doubtful(row) else ""),
            _class_of(row),
            _group(row.space_group_asked),
            "–" if row.space_group is None else "kept" if row.group_kept else _group(row.space_group),
            "–" if row.free_coordinates is None else str(row.free_coordinates),
            f"{'~' if row.hull_kind == HullKind.ESTIMATE else ''}{energy:.3f}"
            if math.isfinite(energy)
            else "not judged"
            if row.status is Status.RELAXED
            else "no structure",
        )
    notes = []
    if any(row.hull_kind == HullKind.ESTIMATE for row in candidates.rows):
        notes.append("~ above an estimate of the hull, where no phases reach as low")
    if any(_doubtful(row) for row in candidates.rows):
        notes.append("* without a structure, not converged or doubtful: see reason and flags in structures.csv")
    table.caption = "\n".join(notes)
    return table


def verdict(candidates: CandidateTable, elements: Sequence[str]) -> str:
    """Return what became of the candidates in a few lines, with how stability was judged.

    Args:
        candidates: the whole table.
        elements: symbols of the elements that the hull knows.
    """
    relaxed = [row for row in candidates.rows if row.status is Status.RELAXED]
    column = candidates.above_hull
    judged = sum(math.isfinite(row.energy(column)) for row in relaxed)
    good = [row for row in relaxed if not row.flags and (row.space_group or 0) > 1]
    stable = [row for row in good if -FAR_BELOW_HULL <= row.energy(column) <= STABLE]  # NaN is not
    kept = sum(bool(row.group_kept) for row in relaxed)
    converged, kinds = sum(bool(row.converged) for row in relaxed), len({_class_of(row) for row in relaxed})
    lines = [
        f"{len(relaxed)} of {len(candidates)} relaxed, of {kinds} chemical class{'es' * (kinds != 1)}: {converged} "
        f"converged, {kept} kept their space group, {len(good)} are symmetric (not P1) and without doubts",
        resting_on(candidates) or "no hull judged any",
        f"{len(stable)} are symmetric, without doubts and within {STABLE} eV/atom of the hull"
        + (f": {by_kind(CandidateTable(tuple(stable)))}" if stable else ""),
    ]
    if judged < len(relaxed):
        lines.append(
            f"{len(relaxed) - judged} not judged: the hull knows {len(elements)} elements ({' '.join(elements)}); "
            "--hull FILE with phases of others, or --hull mp with a key, judges all"
        )
    return "\n".join(lines)


def _class_of(row: Row) -> str:
    return class_of(atomic_number(symbol) for symbol in row.counts or {})


def _doubtful(row: Row) -> bool:
    return bool(row.flags) or not row.converged


def _group(number: int | None) -> str:
    return f"{number} {HM_SYMBOL[number]}" if number else "–"
