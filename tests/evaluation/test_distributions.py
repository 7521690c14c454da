"""Distances to a reference: none to itself, known ones to others."""

import pytest

from crystalgfn.evaluation.distributions import against
from evaluation_data import CSCL_TYPE, MGO, crystals, samples


def test_distance_to_itself_is_zero_and_to_others_is_known():
    same = against(samples(), samples())
    assert all(number["value"] == 0 for name, number in same.items() if name.startswith(("wasserstein", "tv", "novel")))
    assert same["coverage_space_groups"]["value"] == 1
    shifted = against(crystals(MGO), crystals(MGO, CSCL_TYPE))
    assert shifted["coverage_space_groups"]["value"] == 0.5
    assert shifted["tv_space_groups"]["value"] == 0.5
    assert shifted["wasserstein_n_atoms"]["value"] == pytest.approx(3.0)  # half the reference is 6 atoms away
