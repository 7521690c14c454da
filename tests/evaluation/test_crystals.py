"""Metrics of a table of crystals: every number has a method, and those of a small table are worked out by hand."""

import json
import math
from dataclasses import replace

import pytest

from crystalgfn.errors import DataError
from crystalgfn.evaluation.crystals import check_given_energies, evaluate_crystals, weights
from crystalgfn.evaluation.metrics import summarise
from evaluation_data import samples


def test_every_number_has_a_method_and_a_denominator():
    found = evaluate_crystals(samples(), samples(), smact=False)
    numbers = [number for group in found.values() for number in group.values()]
    assert len(numbers) > 40
    assert all(set(number) == {"value", "method", "n"} and number["method"] for number in numbers)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_numbers_of_a_small_table():
    found = evaluate_crystals(samples(), smact=False)
    assert found["uniqueness"]["modes"]["value"] == 2
    assert found["uniqueness"]["unique"]["value"] == pytest.approx(2 / 3)
    assert found["energy"]["below_minus_2"]["value"] == pytest.approx(2 / 3)
    assert "proxy" in found["energy"]["median"]["method"]
    log_w = [3.5, 3.5, 2.0]
    mean = math.log(sum(map(math.exp, log_w)) / 3)
    assert found["weights"]["log_z"]["value"] == pytest.approx(mean)
    assert found["weights"]["elbo"]["value"] == pytest.approx(3.0)


def test_samples_that_were_drawn_again_have_no_log_z():
    drawn = samples().with_columns(log_weight=[0.0, 0.0, 0.0])
    found = weights(drawn, summarise(drawn)["weights"])
    assert found["log_z"]["value"] is None
    assert "drawn again" in found["log_z"]["method"]


def with_energies(**columns):
    plain = samples()
    return replace(plain, columns=columns)


def test_infinite_energies_are_missing():
    found = evaluate_crystals(with_energies(formation_energy_per_atom=[-math.inf, -1.0, -3.0]), smact=False)
    assert found["energy"]["median"] == {
        "value": -2.0,
        "method": "median of formation_energy_per_atom by as given in the table, eV/atom",
        "n": 2,
    }
    assert found["top"]["median_energy"]["value"] == -2.0


def test_energies_of_another_unit_are_not_measured():
    found = evaluate_crystals(with_energies(**{"formation_energy [kJ/mol]": [-200.0, -290.0, -1.0]}), smact=False)
    assert found["energy"]["median"]["value"] is None
    assert found["energy"]["median"]["method"].startswith("not measured: column 'formation_energy [kJ/mol]'")


def test_spreads_are_no_energies_and_predictions_are_called_so():
    columns = {"formation_energy_std [eV/atom]": [0.1] * 3, "formation_energy_predicted [eV/atom]": [-1.0, -2.0, -3.0]}
    found = evaluate_crystals(with_energies(**columns), smact=False)
    assert found["energy"]["median"]["value"] == -2.0
    assert "property model" in found["energy"]["median"]["method"]
    given = evaluate_crystals(with_energies(**columns, formation_energy_per_atom=[-1.5, -1.5, -1.5]), smact=False)
    assert given["energy"]["median"]["value"] == -1.5
    assert "as given" in given["energy"]["median"]["method"]


def test_given_energies_are_checked_and_predictions_are_not():
    with pytest.raises(DataError, match=r"t.csv: row 2, column 'formation_energy_per_atom': found -999"):
        check_given_energies(with_energies(formation_energy_per_atom=[-1.0, -999.0, -1.5]), "t.csv")
    check_given_energies(with_energies(**{"formation_energy_predicted [eV/atom]": [-1.0, -999.0, -1.5]}), "t.csv")


def test_logarithms_that_are_text_or_missing():
    text = samples().with_columns(log_weight=["1", "5;6", "2"])
    with pytest.raises(DataError, match="row 2, column 'log_weight': found '5;6'"):
        weights(text, summarise(samples())["weights"])
    empty = samples().with_columns(log_reward=[math.nan] * 3)
    assert weights(empty, summarise(samples())["weights"])["log_z"]["value"] is None
