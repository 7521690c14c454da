"""Counting what became of candidates: denominators are the crystals that went in."""

import math

import pytest

from crystalgfn.structures.candidates.schema import PotentialColumn, Row
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import tally

COLUMN = PotentialColumn.parse("e_above_hull_chgnet [eV/atom]", hull="builtin")


def table(rows):
    return CandidateTable(tuple(Row.from_cells(cells, {COLUMN.name: COLUMN}) for cells in rows))


def row(number, **more):
    base = {"row": number, "status": "relaxed", "space_group": 225, "space_group_asked": 225, "match_group": number}
    base |= {"novel": True, "converged": True, "cdvae_valid": True, "lemat_valid": True, "seconds": 2.0}
    return base | {"e_above_hull_chgnet [eV/atom]": 0.05} | more


def test_shares_of_what_went_in():
    rows = [
        row(0),
        row(1, match_group=0),
        row(2, novel=False),
        row(3, space_group=1, **{"e_above_hull_chgnet [eV/atom]": -0.01}),
        row(4, **{"e_above_hull_chgnet [eV/atom]": 0.09}),
        row(5, **{"e_above_hull_chgnet [eV/atom]": None}),
        {"row": 6, "status": "failed", "space_group_asked": 2, "seconds": 4.0},
        row(7, lemat_valid=False, **{"e_above_hull_chgnet [eV/atom]": 0.5}),
    ]
    found = tally(table(rows))
    assert found["crystals"] == 8
    assert found["relaxed"] == 7 / 8
    assert found["lemat_valid"] == 6 / 8
    assert found["symmetric"] == found["group_kept"] == 6 / 8
    assert (found["unique"], found["novel"]) == (6 / 8, 6 / 8)
    assert [found[f"stable_{t}"] for t in ("0", "0.08", "0.1")] == [1 / 8, 4 / 8, 5 / 8]
    assert [found[f"sun_{t}"] for t in ("0", "0.08", "0.1")] == [1 / 8, 2 / 8, 3 / 8]
    assert found["e_above_hull"] == pytest.approx(0.05)
    assert found["seconds"] == 2.0


def test_what_was_not_measured_is_not_a_zero():
    rows = [{k: v for k, v in row(i).items() if k != "novel"} for i in range(3)]
    found = tally(table(rows))
    assert found["stable_0.1"] == 1
    assert math.isnan(found["sun_0.1"])
    assert math.isnan(found["novel"])
    assert math.isnan(tally(table([{**r, "e_above_hull_chgnet [eV/atom]": math.nan} for r in rows]))["stable_0"])
    assert tally(table([]))["crystals"] == 0
