"""Estimates from samples against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crystalgfn.evaluation.analytic import AnalyticTarget
from crystalgfn.evaluation.estimates import (
    estimate_log_z,
    eubo,
    log_weights,
    total_variation,
    total_variation_floor,
    total_variation_quantile,
)
from policy_setup import random_policy, short_ways_back, small_space


def normal_weights(number, sigma, seed=0):
    """Weights of a one-dimensional sampler N(0, 1) of an unnormalised N(sigma, 1) with log Z = 3."""
    x = torch.randn(number, generator=torch.Generator().manual_seed(seed)).double()
    log_pf = -x.square() / 2 - math.log(2 * math.pi) / 2
    log_reward = -(x - sigma).square() / 2 - math.log(2 * math.pi) / 2 + 3
    return log_pf, torch.zeros_like(x), log_reward


def test_log_z_bounds_and_sample_size_of_a_known_sampler():
    found = estimate_log_z(*normal_weights(200_000, 0.5))
    assert found.n == 200_000
    assert found.elbo == pytest.approx(3 - 0.125, abs=4 * found.elbo_error)  # KL of two normals
    assert found.log_z == pytest.approx(3, abs=4 * found.log_z_error)
    assert found.log_z_error < 0.002
    assert found.ess == pytest.approx(math.exp(-0.25), abs=0.01)


def test_the_upper_bound_by_weight_is_that_of_a_known_sampler():
    found = estimate_log_z(*normal_weights(200_000, 0.5))
    assert found.eubo == pytest.approx(3 + 0.125, abs=4 * found.eubo_error)  # KL of the two normals the other way
    values = [estimate_log_z(*normal_weights(1000, 0.5, seed)).eubo for seed in range(300)]
    once = estimate_log_z(*normal_weights(1000, 0.5, 1)).eubo_error
    assert once == pytest.approx(torch.tensor(values).std().item(), rel=0.25)


def test_the_upper_bound_by_weight_does_not_see_what_no_trajectory_reached():
    # the target has a second mode, of the same weight, where the sampler never goes
    log_pf, log_pb, log_reward = normal_weights(5000, 0.0)
    found = estimate_log_z(log_pf, log_pb, log_reward)
    true = 3 + math.log(2)
    assert found.eubo == pytest.approx(3)
    assert found.eubo < true
    draws = torch.randn(5000, generator=torch.Generator().manual_seed(1)).double()
    away = torch.where(torch.arange(5000) % 2 == 0, draws, draws + 20)  # exact samples of both modes
    height = torch.logaddexp(-away.square() / 2, -(away - 20).square() / 2) + 3 - math.log(2 * math.pi) / 2
    upper, _ = eubo(-away.square() / 2 - math.log(2 * math.pi) / 2, torch.zeros(5000), height)
    assert upper > true + 50


def test_a_state_without_weight_adds_nothing_to_the_upper_bound():
    zero = torch.zeros(3)
    found = estimate_log_z(zero, zero, torch.tensor([1.0, 1.0, -math.inf]))
    assert found.eubo == pytest.approx(1)
    assert found.eubo_error == pytest.approx(0)


def test_a_perfect_sampler_has_no_gap_and_full_sample_size():
    log_pf = torch.randn(100)
    found = estimate_log_z(log_pf, torch.zeros(100), log_pf + 7)
    assert found.elbo == pytest.approx(7, abs=1e-6)
    assert found.log_z == pytest.approx(7, abs=1e-6)
    assert found.ess == pytest.approx(1)
    assert found.log_z_error == pytest.approx(0, abs=1e-5)


def test_large_logarithms_do_not_overflow():
    found = estimate_log_z(torch.full((10,), -2000.0), torch.zeros(10), torch.full((10,), 3000.0))
    assert found.log_z == pytest.approx(5000)
    assert found.ess == pytest.approx(1)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=30))
def test_the_lower_bound_is_below_the_estimate(log_w):
    zero = torch.zeros(len(log_w))
    found = estimate_log_z(zero, zero, torch.tensor(log_w))
    assert found.elbo <= found.log_z + 1e-9
    assert found.log_z - 1e-9 <= found.eubo <= found.log_z + math.log(found.n) + 1e-9
    assert 0 < found.ess <= 1 + 1e-9
    assert torch.equal(log_weights(zero, zero, torch.tensor(log_w)), torch.tensor(log_w).double())


def test_bounds_enclose_log_z_of_a_policy():
    space = small_space(groups=(2, 62, 225), n_atoms_primitive=(1, 5))
    target = AnalyticTarget(space, 0, group_scale=0.3, composition_scale=0.3, lattice_scale=0.3)
    policy = short_ways_back(random_policy(space, 0, scale=1.0))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        forward = policy.sample(5000, space, generator=generator)
        scores = policy.score(forward, space)
        found = estimate_log_z(scores.log_pf_sum, scores.log_pb_sum, target.log_reward(forward.states))
        exact = target.sample(5000, generator=generator)
        back = policy.score(policy.sample_backward(exact, space, generator=generator), space)
        upper, upper_error = eubo(back.log_pf_sum, back.log_pb_sum, target.log_reward(exact))
        # and 1 / Z without any draw of P_F, whose support must hold every exact sample; it is now P_F that has to be
        # rarely where its density is not bounded, below 1 minus the least increment
        short_ways_back(policy, back=1.0, out=4.0)
        back = policy.score(policy.sample_backward(exact, space, generator=generator), space)
        inverse = torch.exp(-log_weights(back.log_pf_sum, back.log_pb_sum, target.log_reward(exact)) + target.log_z)
    assert found.elbo + 4 * found.elbo_error < target.log_z < upper - 4 * upper_error
    assert found.log_z == pytest.approx(target.log_z, abs=4 * found.log_z_error)
    assert torch.isfinite(inverse).all()
    assert inverse.mean().item() == pytest.approx(1, abs=4 * inverse.std().item() / 5000**0.5)


def test_total_variation():
    p = torch.tensor([0.5, 0.5, 0.0])
    assert total_variation(torch.tensor([0, 1]), p) == 0
    assert total_variation(torch.tensor([0, 0]), p) == pytest.approx(0.5)
    assert total_variation(torch.tensor([2, 2]), p) == pytest.approx(1)


@pytest.mark.parametrize("number", [7, 100, 5000])
def test_the_floor_is_the_mean_over_exact_draws(number):
    p = torch.softmax(torch.randn(60, generator=torch.Generator().manual_seed(0)).double(), 0)
    p[7] = 0
    p = p / p.sum()
    generator = torch.Generator().manual_seed(1)
    values = torch.tensor(
        [total_variation(torch.multinomial(p, number, replacement=True, generator=generator), p) for _ in range(400)]
    )
    assert total_variation_floor(p, number) == pytest.approx(values.mean().item(), abs=4 * values.std().item() / 20)
    bound = total_variation_quantile(p, number, quantile=0.9, repeats=400, generator=generator)
    assert (values <= bound).double().mean().item() == pytest.approx(0.9, abs=0.06)


def test_a_certain_outcome_has_no_floor():
    assert total_variation_floor(torch.tensor([0.0, 1.0]), 50) == 0
