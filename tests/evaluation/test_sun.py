"""S.U.N. and its corrections on candidates whose numbers can be worked out by hand."""

import math
from dataclasses import replace

import pytest

from candidate_setup import candidate, candidates_of, failure, salt
from crystalgfn.errors import DataError
from crystalgfn.evaluation.sun import CORRECTIONS, Known, counts_of, sun_numbers, with_hull
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import tally

HULL = Hull(
    [
        ({"Mg": 1, "O": 1}, -3.0),
        ({"Na": 1, "Cl": 1}, -2.0),
        ({"K": 1, "Br": 1}, -0.03),
        ({"Li": 1, "F": 1}, -0.02),
    ],
    name="four salts",
)
"""Four compounds, each alone in its system: left out, the hull rises by 3, 2, 0.03 and 0.02 eV/atom."""

STRUCTURES = {
    0: salt("K", "Cl"),
    1: salt("Na", "Cl"),
    2: salt("Na", "Cl", "caesium"),
    3: salt("Li", "Br"),
    4: salt("Li", "Cl"),
    5: salt("Na", "Br"),
    6: salt("Mg", "F"),
    7: salt("K", "Cl"),
    8: salt("Li", "F"),
    9: salt("K", "F"),
}
ROWS = [
    candidate(0, STRUCTURES[0], 0.02),  # 0.02 above a system without phases: nothing against it but the hull's error
    candidate(1, STRUCTURES[1], -1.97),  # 0.03 from the phase of its formula
    candidate(2, STRUCTURES[2], -1.93),  # 0.07 from it
    candidate(3, STRUCTURES[3], -0.3),  # far below the hull
    candidate(4, STRUCTURES[4], 0.02, space_group=1),
    candidate(5, STRUCTURES[5], 0.02, flags="not converged"),
    candidate(6, STRUCTURES[6], 0.02),  # of a formula that the reference knows
    candidate(7, STRUCTURES[7], 0.02, match_group=0),  # not unique
    candidate(8, STRUCTURES[8], -0.02, novel=False),  # not novel
    candidate(9, STRUCTURES[9], 0.09),
    failure(10),
    failure(11),
]
KNOWN = Known(HULL, frozenset({((9, 1), (12, 1))}))


def measured(known=KNOWN, rows=ROWS):
    candidates = with_hull(candidates_of(rows, STRUCTURES), HULL)
    return sun_numbers(candidates, known, against="among two", matcher="a matcher")


def values(threshold, numbers=None):
    found = numbers or measured()
    return {name: found[f"sun_{name}_{threshold}"]["value"] for name in CORRECTIONS}


def test_all_rows_count_in_the_denominator():
    found = measured()
    assert found["stable_0.08"]["value"] == pytest.approx(9 / 12)
    assert [found[f"sun_{t}"]["value"] for t in ("0", "0.08", "0.1")] == pytest.approx([0, 6 / 12, 7 / 12])  # not row 3
    assert found["sun_0.08"]["standard_error"] == pytest.approx(math.sqrt(6 / 12 * 6 / 12 / 12))
    assert all(number["n"] == 12 for name, number in found.items() if name.startswith("sun"))


def test_each_correction_takes_away_what_it_says():
    assert values("0.08") == pytest.approx(
        {
            "known_formula_excluded": 5 / 12,  # row 1
            "unknown_formula_only": 3 / 12,  # rows 1 and 2 stand in the hull, 6 in the reference
            # the rises 0.02 and 0.03 of four leave those at 0.02 stable; formulas of the hull are known
            "hull_error_weighted": (4 * 2 / 4 + 2) / 12,
            "far_below_hull_excluded": 6 / 12,  # as S.U.N. itself: not row 3
            "far_below_hull_counted": 7 / 12,  # row 3 too
            "group_kept": 5 / 12,  # row 4
            "flagged_excluded": 5 / 12,  # row 5
        }
    )


def test_thresholds_have_corrections_of_their_own():
    assert values("0")["far_below_hull_excluded"] == 0
    assert values("0")["far_below_hull_counted"] == pytest.approx(1 / 12)
    assert values("0.1")["group_kept"] == pytest.approx(6 / 12)
    assert values("0.1")["hull_error_weighted"] == pytest.approx((4 * 2 / 4 + 2 + 0) / 12)  # 0.09 + 0.02 > 0.1


def test_the_error_of_the_hull_stands_beside():
    found = measured()
    assert found["hull_error_mean"]["value"] == pytest.approx((3 + 2 + 0.03 + 0.02) / 4)
    assert found["hull_error_median"]["value"] == pytest.approx((2 + 0.03) / 2)


def test_it_agrees_with_the_tally():
    table = with_hull(candidates_of(ROWS, STRUCTURES), HULL).table
    summary, found = tally(table), measured()
    for name in ("stable_0", "stable_0.08", "stable_0.1", "sun_0", "sun_0.08", "sun_0.1"):
        assert found[name]["value"] == pytest.approx(summary[name])


def test_what_cannot_be_measured_says_why():
    without = measured(Known())
    assert without["sun_0.08"]["value"] == pytest.approx(6 / 12)
    assert without["sun_group_kept_0.08"]["value"] == pytest.approx(5 / 12)
    assert {without[f"sun_{name}_0.08"]["method"] for name in CORRECTIONS if CORRECTIONS[name].sources} == {
        "not measured: give the hull's table (--hull)"
    }
    assert "--reference" in measured(Known(HULL))["sun_unknown_formula_only_0.08"]["method"]
    unseen = measured(rows=[replace(row, novel=None) for row in ROWS])
    assert unseen["stable_0.08"]["value"] == pytest.approx(9 / 12)
    assert unseen["sun_0.08"]["value"] is None
    assert "--reference" in unseen["sun_group_kept_0.08"]["method"]


def test_energies_above_a_hull_replace_others():
    other = with_hull(candidates_of(ROWS, STRUCTURES), Hull([({"K": 1, "Cl": 1}, -1.0)], name="one salt"))
    found = with_hull(other, HULL).table
    assert found.above_hull.hull == "four salts"
    assert [round(found.rows[i].energy(found.above_hull), 9) for i in (0, 1, 3)] == [0.02, 0.03, -0.3]
    assert [found.rows[i].flags for i in (0, 1)] == ["", ""]
    assert found.rows[3].flags == "hull incomplete or artefact: 0.30 eV/atom below the hull, allowed: up to 0.1"
    assert (found.rows[1].hull_kind, found.rows[1].decomposition) == ("phases", "1 NaCl")
    again = with_hull(with_hull(other, HULL), Hull([({"Li": 1, "Br": 1}, -0.3)], name="closed")).table
    assert again.rows[3].flags == ""  # the hole is closed, and its flag gone
    assert again.rows[0].hull_kind is None
    assert math.isnan(other.table.rows[3].energy(other.table.above_hull))
    assert other.table.rows[3].hull_reason == "the hull 'one salt' has no entry with Li, Br"


def test_a_hull_of_another_potential_is_refused():
    with pytest.raises(DataError, match="its phases are by 7net-0, found energies by chgnet"):
        with_hull(candidates_of(ROWS, STRUCTURES), Hull([({"K": 1, "Cl": 1}, -1.0)], potential="7net-0"))


def test_candidates_without_formation_energies_are_refused():
    with pytest.raises(DataError, match="no formation energies to compare with the hull four salts"):
        with_hull(candidates_of([replace(ROWS[0], energies={})], STRUCTURES), HULL)


def test_atoms_of_a_candidate():
    candidates = candidates_of(ROWS, STRUCTURES)
    assert counts_of(ROWS[0], candidates) == {"K": 4, "Cl": 4}
    assert counts_of(ROWS[10], candidates) == {"Ag": 4, "Br": 4}
    assert CandidateTable(tuple(ROWS)).rows[11].energies == {}
