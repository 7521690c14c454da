"""Training reaches a target whose answers are known: gap, logZ and marginals, after seconds."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from crystalgfn.evaluation.analytic import AnalyticTarget
from crystalgfn.evaluation.estimates import (
    LogZEstimates,
    estimate_log_z,
    eubo,
    total_variation,
    total_variation_quantile,
)
from crystalgfn.evaluation.likelihood import correlation
from crystalgfn.gflownet.likelihood import log_likelihood
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.spaces.states import CrystalStates
from policy_setup import small_space

DRAWS, LOOKED_AT = 10_000, 500


class Judged(NamedTuple):
    """Estimates, and of exact samples log p with its error and log R."""

    found: LogZEstimates
    upper: float
    states: CrystalStates
    log_p: Tensor
    error: Tensor
    log_reward: Tensor


def judge(policy, space, target):
    """Estimates from forward trajectories, the upper bound from backward ones of exact samples, and the samples."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        forward = policy.sample(DRAWS, space, generator=generator)
        scores = policy.score(forward, space)
        found = estimate_log_z(scores.log_pf_sum, scores.log_pb_sum, target.log_reward(forward.states))
        exact = target.sample(DRAWS, generator=generator)
        back = policy.score(policy.sample_backward(exact, space, generator=generator), space)
        log_p, error = log_likelihood(policy, space, exact[:LOOKED_AT], trajectories=20, generator=generator)
    upper, _ = eubo(back.log_pf_sum, back.log_pb_sum, target.log_reward(exact))
    return Judged(found, upper, forward.states, log_p, error, target.log_reward(exact[:LOOKED_AT]))


@pytest.fixture(scope="module")
def trained():
    """Before and after 30,000 trajectories, and what was aimed at."""
    space = small_space(charge="per_element", n_atoms_primitive=(1, 8))
    target = AnalyticTarget(space, 0, balanced=True)
    torch.manual_seed(0)
    policy = policy_of(space, PolicyOptions(width=128))
    recipe = TrainingRecipe(iterations=500, batch_size=64, lr=3e-3, ema=0.98)
    trainer = Trainer(policy, space, target, recipe, seed=0)
    before = judge(trainer.sampling_policy, space, target)
    trainer.run(recipe.iterations)
    return before, judge(trainer.sampling_policy, space, target), target, space


def test_the_gap_closes(trained):
    before, after, upper, target = trained[0].found, trained[1].found, trained[1].upper, trained[2]
    assert target.log_z - before.elbo > 1
    assert target.log_z - after.elbo <= 0.1
    assert upper - target.log_z <= 0.3  # no mode is missed
    assert abs(after.log_z - target.log_z) <= 0.05
    assert after.ess > 0.5 > 0.1 > before.ess


def test_the_upper_bound_by_weight_is_that_of_exact_samples(trained):
    after, upper, target = trained[1].found, trained[1].upper, trained[2]
    assert after.eubo == pytest.approx(upper, abs=0.05)
    assert target.log_z < after.eubo
    assert trained[0].found.eubo < trained[0].upper  # an untrained sampler misses most of the target


def test_probabilities_become_those_of_the_rewards(trained):
    before, after, target, _ = trained
    for judged, low, high in ((before, -1.0, 0.85), (after, 0.95, 1.0)):
        found = correlation(judged.log_p.numpy(), judged.log_reward.numpy(), repeats=200)
        assert low < found.pearson < high
        assert low < found.spearman < high
        assert 0 < found.pearson_error < 0.1
    # log p is log R - log Z, but for what is not learned yet; in the mean it is the gap of the other direction
    off = after.log_reward - target.log_z - after.log_p
    assert off.mean().item() == pytest.approx(0, abs=0.15)
    assert off.std() < 0.6
    assert after.error.median() < 0.1


def test_marginals_are_those_of_exact_draws(trained):
    first, states, target = trained[0].states, trained[1].states, trained[2]
    bound = total_variation_quantile(
        target.space_group_marginal, DRAWS, quantile=0.95, generator=torch.Generator().manual_seed(2)
    )
    assert total_variation(first.space_group, target.space_group_marginal) > 10 * bound
    assert total_variation(states.space_group, target.space_group_marginal) < bound + 0.04
    present = torch.stack([(states.elements == d + 1).any(1) for d in range(len(target.element_marginal))], 1)
    assert (present.double().mean(0) - target.element_marginal).abs().max() < 0.03
    sizes = (states.elements > 0).sum(1).bincount(minlength=len(target.size_marginal)) / DRAWS
    assert (sizes - target.size_marginal).abs().max() < 0.03
