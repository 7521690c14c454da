"""What the demo prints: what was measured, and how stability was judged."""

import io

from rich.console import Console

from candidate_setup import FORMATION, failure
from crystalgfn.report.demo import classes_table, judged_table, verdict
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row, Status
from crystalgfn.structures.candidates.table import CandidateTable
from evaluation_data import samples

ABOVE = PotentialColumn(Quantity.ABOVE_HULL, "chgnet", "builtin")


def row(number, counts, above=None, **more) -> Row:
    """A relaxed candidate of space group 225."""
    cells = {"row": number, "formula": "".join(counts), "status": Status.RELAXED, "counts": counts, "hull": "builtin"}
    cells |= {"space_group": 225, "space_group_asked": 225, "group_kept": True, "converged": True, "flags": ""}
    energies = {FORMATION: -1.0} | ({} if above is None else {ABOVE: above})
    kind = {} if above is None else {"hull_kind": "estimate" if "Al" in counts else "phases"}
    return Row(**{**cells, "energies": energies, **kind, **more})


ROWS = (
    row(0, {"Sc": 1, "O": 1}),  # the hull does not know scandium
    row(1, {"Mg": 1, "O": 1}, 0.05, free_coordinates=2),
    row(2, {"Mg": 1, "F": 2}, -0.01),
    row(3, {"Li": 1, "F": 1}, 0.02, space_group=1, group_kept=False),
    row(4, {"Mg": 1, "Al": 1}, 0.01, flags="volume"),
    row(5, {"Li": 1, "S": 1}, 0.2, converged=False),
    row(7, {"Li": 1, "P": 1}, -0.4),  # a hole of the hull
    failure(6),
)
CANDIDATES = CandidateTable(ROWS)


def printed(table) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_classes_of_samples_are_shown_with_examples():
    crystals = samples()
    text = printed(classes_table(crystals))
    assert f"{len(crystals):,} crystals" in text
    assert crystals.formulas[0] in text


def test_judged_candidates_come_first_and_others_are_called_so():
    lines = [line.split() for line in printed(judged_table(CANDIDATES)).splitlines()]
    names = ["".join(each.counts) for each in ROWS]
    order = [cells[0].rstrip("*") for cells in lines if cells and cells[0].rstrip("*") in (*names, "AgBr")]
    assert order == ["LiP", "MgF", "MgAl", "LiF", "MgO", "LiS", "ScO", "AgBr"]
    text = printed(judged_table(CANDIDATES))
    for words in (
        "above the builtin hull",
        "not judged",
        "1 P1",
        "-0.010",
        "LiS*",
        "no structure",
        "* without a structure",
        "~0.010",
        "~ above an estimate",
    ):
        assert words in text


def test_the_verdict_counts_what_is_stable_symmetric_and_without_doubts():
    text = verdict(CANDIDATES, ("Li", "O"))
    assert "7 of 8 relaxed, of 5 chemical classes: 6 converged, 6 kept their space group, 5 are symmetric" in text
    assert "the builtin hull judged 6: 5 by phases, 1 by an estimate" in text
    assert "2 are symmetric, without doubts and within 0.08 eV/atom of the hull: 2 by phases" in text
    assert "1 more than 0.1 eV/atom below it, flagged as holes" in text
    assert "1 not judged: the hull knows 2 elements (Li O)" in text
    everything = CandidateTable(ROWS[1:5])
    assert "not judged" not in verdict(everything, ("Li", "O"))
    assert "holes" not in verdict(everything, ("Li", "O"))
