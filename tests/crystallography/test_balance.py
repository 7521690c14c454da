"""Charges of many compositions at once, against the direct sums of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalgfn.crystallography.balance import neutral, ordered_by_electronegativity, salts
from crystalgfn.crystallography.charges import Neutrality, is_neutral

ELEMENTS = (19, 11, 3, 56, 26, 1, 16, 17, 8, 9)
RULES = [
    *(Neutrality(rule) for rule in ("per_element", "per_atom", "common", "common_strict", "none")),
    Neutrality("common", ((16, (-2,)), (26, (3,)))),
    Neutrality("per_element", ((8, (-2, -1)),)),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
@given(st.lists(st.lists(st.integers(0, 4), min_size=10, max_size=10), min_size=1, max_size=20))
def test_many_agree_with_each(rule, rows):
    counts = np.array(rows)
    expected = [is_neutral(dict(zip(ELEMENTS, row, strict=True)), rule) for row in rows]
    assert neutral(counts, ELEMENTS, rule).tolist() == expected


def test_salts_are_known_as_such():
    elements, rule = (19, 3, 26, 8), Neutrality("common")
    rows = {
        "K2O2": [2, 0, 0, 2],
        "KO2": [1, 0, 0, 2],
        "Li2O2": [0, 2, 0, 2],
        "LiO2": [0, 1, 0, 2],
        "FeO2": [0, 0, 1, 2],
    }
    found = dict(zip(rows, salts(np.array(list(rows.values())), elements, rule).tolist(), strict=True))
    assert found == {"K2O2": True, "KO2": True, "Li2O2": True, "LiO2": False, "FeO2": False}
    assert not salts(np.array([[2, 0, 0, 2]]), elements, Neutrality("common_strict")).any()


def test_salts_pass_the_test_of_electronegativity():
    counts = np.array([[1, 2], [2, 2], [2, 1], [3, 1]])  # KO2, K2O2, K2O, K3O
    assert ordered_by_electronegativity(counts, (19, 8)).tolist() == [False, False, True, False]
    assert ordered_by_electronegativity(counts, (19, 8), Neutrality("common")).tolist() == [True, True, True, False]
