"""Metrics of a table of crystals: every number has a method, and those of a small table are worked out by hand."""

import json
import math

import pytest

from crystalgfn.evaluation.crystals import evaluate_crystals, weights
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
