"""Importance weights: hand values, and statistics of what is drawn by them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crystalgfn.errors import DataError
from crystalgfn.gflownet.weights import (
    effective_sample_size,
    log_weights,
    normalised,
    resampled,
    share_error,
    truncated,
)

ONE_OF_NINE = np.log([1.0, 1.0, 1.0, 9.0])


def test_log_weights_are_double():
    parts = (torch.tensor([x], dtype=torch.float32) for x in (2.0, 3.0, 1.5))
    found = log_weights(*parts)
    assert found.dtype == torch.float64
    assert found.item() == 2.5


@pytest.mark.parametrize("shift", [0.0, 5e4, -5e4])
def test_hand_values_do_not_depend_on_the_normaliser(shift):
    assert normalised(ONE_OF_NINE + shift) == pytest.approx([1 / 12, 1 / 12, 1 / 12, 3 / 4])
    # the mean is 1/4, and sqrt(4) times that is 1/2
    assert np.exp(truncated(ONE_OF_NINE + shift)) == pytest.approx([1 / 12, 1 / 12, 1 / 12, 1 / 2])
    assert effective_sample_size(ONE_OF_NINE + shift) == pytest.approx(144 / 84)
    assert effective_sample_size(truncated(ONE_OF_NINE + shift)) == pytest.approx(
        (3 / 12 + 1 / 2) ** 2 / (3 / 144 + 1 / 4)
    )


def test_equal_weights_are_as_good_as_samples():
    assert effective_sample_size(np.full(50, -7.0)) == pytest.approx(50)
    assert np.exp(truncated(np.full(50, -7.0))) == pytest.approx(np.full(50, 1 / 50))
    assert sorted(resampled(np.full(50, -7.0), 50, np.random.default_rng(0))) == list(range(50))


def test_weights_far_below_the_others_are_small_but_numbers():
    found = truncated(np.array([0.0, 0.0, -2000.0]))
    assert np.isfinite(found).all()
    assert effective_sample_size(found) == pytest.approx(2)


@pytest.mark.parametrize("wrong", [[], [0.0, np.nan], [0.0, -np.inf], [np.inf, 0.0]])
@pytest.mark.parametrize("function", [normalised, truncated, effective_sample_size])
def test_what_is_no_weight_is_refused(wrong, function):
    with pytest.raises(DataError, match="allowed: finite"):
        function(np.array(wrong))


def test_rows_come_as_often_as_their_weight_says():
    weights = np.array([4.0, 3.0, 2.0, 2.0, 1.0, 0.5])
    wanted = 20 * weights / weights.sum()
    counts = []
    for seed in range(2000):
        rows = resampled(np.log(weights), 20, np.random.default_rng(seed))
        counts.append(np.bincount(rows, minlength=6))
    assert (np.array(counts) >= np.floor(wanted)).all()
    assert (np.array(counts) <= np.ceil(wanted)).all()
    error = np.std(counts, axis=0) / len(counts) ** 0.5
    assert (np.abs(np.mean(counts, axis=0) - wanted) <= 4 * error + 1e-9).all()


def test_resampled_rows_are_in_random_order_and_the_same_for_a_seed():
    weights = np.log(np.arange(1.0, 101.0))
    one, two = (resampled(weights, 200, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, two)
    assert (np.diff(one) < 0).mean() > 0.3


def test_resampling_follows_the_target():
    """Samples of a standard normal, weighted to a normal around 1: its mean and spread are found."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=40_000)
    log_w = -0.5 * (x - 1) ** 2 + 0.5 * x**2
    drawn = x[resampled(log_w, 4000, rng)]
    assert drawn.mean() == pytest.approx(1, abs=0.06)
    assert drawn.std() == pytest.approx(1, abs=0.05)


def test_error_of_shares_is_that_of_multinomial_counts():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(500, np.full(20, 1 / 20), size=4000)
    distance = 0.5 * np.abs(counts / 500 - 1 / 20).sum(1).mean()
    assert share_error(20, 500) * (1 - 1 / 20) ** 0.5 == pytest.approx(distance, rel=0.02)
    uneven = rng.multinomial(500, np.r_[0.8, np.full(19, 0.2 / 19)], size=4000) / 500
    assert 0.5 * np.abs(uneven - np.r_[0.8, np.full(19, 0.2 / 19)]).sum(1).mean() < share_error(20, 500)
    assert share_error(1000, 1) == 1.0
