"""Orders as users write them."""

import numpy as np
import pytest

from crystalgfn.crystals.ranking import first_of_each, parse_order, ranking


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("band_gap", ("band_gap", False)),
        ("band_gap:desc", ("band_gap", True)),
        ("band_gap [eV]:asc", ("band_gap [eV]", False)),
        ("my:column", ("my:column", False)),
    ],
)
def test_an_order_is_a_column_and_a_direction(text, wanted):
    assert parse_order(text) == wanted


def test_a_direction_overrides_the_usual_one():
    assert parse_order("log_reward", descending=True) == ("log_reward", True)
    assert parse_order("log_reward:asc", descending=True) == ("log_reward", False)


def test_nan_is_last_and_ties_keep_their_order():
    values = np.array([2.0, np.nan, 1.0, 2.0, -np.inf])
    assert ranking(values).tolist() == [4, 2, 0, 3, 1]
    assert ranking(values, descending=True).tolist() == [0, 3, 2, 4, 1]


def test_first_of_each():
    assert first_of_each("abacb").tolist() == [0, 1, 3]
