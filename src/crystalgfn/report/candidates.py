"""The table of the best candidates, for a terminal."""

from __future__ import annotations

from crystalgfn.crystallography.space_groups import HM_SYMBOL
from crystalgfn.report.fitting import Column, FittedTable
from crystalgfn.stability.answer import HullKind
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import near_hull
from crystalgfn.structures.sanity import FAR_BELOW_HULL, check_above_hull

NEAR = 0.1
"""Energy above hull (eV/atom) up to which a headline counts a candidate as near the hull."""


def candidates_table(candidates: CandidateTable, n: int) -> FittedTable | None:
    """Return the ``n`` best candidates, one of each duplicate group; None without energies.

    Args:
        candidates: the whole table.
        n: number of rows.
    """
    best = candidates.ranked()
    ranked = CandidateTable(tuple(best))
    above, formation = ranked.above_hull, ranked.formation
    if formation is None:
        return None
    measured = (
        f", above the {ranked.hull} hull\n(phases that it lacks would put them higher; an estimate errs to both sides)"
        if ranked.hull
        else ""
    )
    table = FittedTable(
        f"The best {min(n, len(best))} of {len(candidates)} crystals by {candidates.ranked_by}, "
        f"doubtful ones last: energies by {formation.potential}{measured}",
        [
            Column("row", "right", rank=1),
            Column("formula"),
            Column("asked", rank=3),
            Column("relaxed", rank=2),
            Column("above hull\neV/atom", "right"),
            Column("formation\neV/atom", "right", rank=4),
            Column("volume\nÅ³/atom", "right", rank=5),
            Column("atoms placed by", rank=6),
        ],
    )
    for row in best[:n]:
        group = row.space_group
        table.add_row(
            str(row.row),
            row.formula + ("*" if row.flags else ""),
            str(row.space_group_asked),
            f"{group} {HM_SYMBOL[group]}" if group else "-",
            _number(row.energy(above), 3),
            _number(row.energy(formation), 3),
            _number(row.volume_per_atom, 1),
            str(row.source).removeprefix("prototype "),
        )
    if any(row.flags for row in best[:n]):
        table.caption = "* doubtful: see the column 'flags' of structures.csv; CIF files begin with the row"
    return table


def headline(candidates: CandidateTable) -> str:
    """Return how many candidates lie on the hull and near it, in a line; empty where no hull judged any candidate.

    Doubtful candidates, which carry flags, do not count; how many there would be with them stands beside.
    """
    if candidates.above_hull is None:
        return ""
    n, parts = len(candidates), []
    for place, threshold in (("on the hull", 0.0), (f"within {NEAR:g} eV/atom of it", NEAR)):
        sure, all_of_them = near_hull(candidates, threshold)
        parts.append(f"{place} {sure} of {n}" + doubtful_too(sure, all_of_them))
    return ", ".join(parts)


def doubtful_too(sure: int, all_of_them: int) -> str:
    """Return what a number without doubtful candidates would be with them; empty where it is the same."""
    return f" ({all_of_them} with doubtful ones)" if all_of_them != sure else ""


def resting_on(candidates: CandidateTable) -> str:
    """Return what the energies above hull rest on, in a line; empty where no hull judged any candidate."""
    judged = sum(candidates.resting_on().values())
    if not judged:
        return ""
    holes = sum(not check_above_hull(row.energy(candidates.above_hull)) for row in candidates.rows)
    below = f"; {holes} more than {FAR_BELOW_HULL:g} eV/atom below it, flagged as holes or artefacts" if holes else ""
    return f"the {candidates.hull} hull judged {judged}: {by_kind(candidates)}{below}"


def by_kind(candidates: CandidateTable) -> str:
    """Return the numbers of candidates by what their hull rests on: ``"3 by phases, 17 by an estimate"``."""
    words = {HullKind.PHASES: "phases", HullKind.ESTIMATE: "an estimate"}
    return ", ".join(f"{n} by {words[HullKind(kind)]}" for kind, n in candidates.resting_on().items())


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or value != value else f"{value:.{digits}f}"
