"""Two potentials' verdicts on candidates whose energies can be worked out by hand."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from candidate_setup import FORMATION, candidate, candidates_of, failure, salt, write_candidates
from crystalgfn.cli.evaluate import app
from crystalgfn.evaluation.second_opinion import opinion_numbers
from crystalgfn.evaluation.sun import with_hull
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity

SECOND = PotentialColumn(Quantity.FORMATION, "told")
ELEMENTS = ("Mg", "Ca", "Na", "K", "Fe", "Al", "O", "Cl", "Br", "Ag")
EMPTY = Hull([({symbol: 1}, 0.0) for symbol in ELEMENTS], name="no compounds")
"""Without compounds, energies above hull are formation energies."""

STRUCTURES = {
    0: salt("Mg", "O"),
    1: salt("Ca", "O"),
    2: salt("Na", "Cl"),
    3: salt("Na", "Br"),
    4: salt("K", "Cl"),
    5: salt("Fe", "Al"),
}
ENERGIES = {  # by the first potential and by the second
    0: (0.02, 0.05),  # both: stable
    1: (0.02, 0.09),  # the first alone
    2: (0.09, 0.07),  # the second alone
    3: (0.2, 0.3),  # neither
    4: (0.05, None),  # not asked
    5: (0.01, 0.01),  # both, but known
}


def rows(**more):
    """The candidates, and one without a structure."""
    out = []
    for number, (first, second) in ENERGIES.items():
        energies = {FORMATION: first} | ({} if second is None else {SECOND: second})
        out.append(replace(candidate(number, STRUCTURES[number], first), energies=energies, novel=number != 5, **more))
    return [*out, failure(6)]


def measured(chosen=None, hull=EMPTY):
    candidates = candidates_of(rows() if chosen is None else chosen, STRUCTURES)
    return opinion_numbers(candidates if hull is None else with_hull(candidates, hull))


def value(numbers, name):
    return numbers[name]["value"]


def test_shares_are_of_all_crystals_handed_in():
    found = measured()
    assert value(found, "judged") == 5
    assert [value(found, f"sun_{who}_0.08") for who in ("first", "second", "both")] == pytest.approx(
        [3 / 7, 2 / 7, 1 / 7]
    )
    assert {found[f"sun_{who}_0.08"]["n"] for who in ("first", "second", "both")} == {7}
    assert value(found, "sun_second_0.1") == pytest.approx(3 / 7)
    assert "not asked about do not count" in found["sun_second_0.08"]["method"]


def test_agreement_and_differences_are_of_those_that_both_judged():
    found = measured()
    assert found["agreement_0.08"]["n"] == 5
    assert value(found, "agreement_0.08") == pytest.approx(3 / 5)
    assert value(found, "difference") == pytest.approx((0.03 + 0.07 - 0.02 + 0.1 + 0) / 5)
    assert value(found, "difference_absolute") == pytest.approx((0.03 + 0.07 + 0.02 + 0.1 + 0) / 5)


def test_chemical_classes_have_numbers_of_their_own():
    found = measured()
    assert (found["judged_halides"]["n"], value(found, "judged_halides")) == (4, 2)  # with the failure, AgBr
    assert value(found, "sun_both_0.08_oxides") == pytest.approx(1 / 2)
    assert value(found, "agreement_0.08_halides") == pytest.approx(1 / 2)
    assert value(found, "difference_halides") == pytest.approx(0.04)
    assert value(found, "sun_first_0.08_intermetallics") == 0
    assert not any(name.endswith("pnictides") for name in found)


def test_what_is_missing_says_so():
    assert measured([replace(row, energies={FORMATION: 0.0}) for row in rows()[:6]]) == {}
    without = measured(hull=None)
    assert value(without, "agreement_0.08") is None
    assert value(without, "difference") == pytest.approx(0.036)  # needs no hull
    unseen = measured([replace(row, novel=None) for row in rows()])
    assert "--reference" in unseen["sun_both_0.08"]["method"]
    assert value(unseen, "agreement_0.08") == pytest.approx(3 / 5)


def test_the_command_shows_a_table_by_class(tmp_path):
    folder = write_candidates(tmp_path / "made", with_hull(candidates_of(rows(), STRUCTURES), EMPTY).rows, STRUCTURES)
    ran = CliRunner().invoke(app, [str(folder), "-o", str(tmp_path / "m.json"), "--no-smact"], env={"COLUMNS": "200"})
    assert ran.exit_code == 0, ran.output
    assert "told minus chgnet" in ran.output
    line = next(line.split() for line in ran.output.splitlines() if line.startswith("oxides"))
    assert line[:3] == ["oxides", "2", "2"]
    saved = json.loads((tmp_path / "m.json").read_text())["metrics"]["second_opinion"]
    assert saved["sun_both_0.08"]["value"] == pytest.approx(1 / 7)
