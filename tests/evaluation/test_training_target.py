"""Training reaches a target whose answers are known: gap, logZ and marginals, after seconds."""

from __future__ import annotations

import pytest
import torch

from crystalgfn.evaluation.analytic import AnalyticTarget
from crystalgfn.evaluation.estimates import (
    estimate_log_z,
    eubo,
    total_variation,
    total_variation_quantile,
)
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.policy import CrystalPolicy
from policy_setup import small_space

DRAWS = 10_000


def judge(policy, space, target):
    """Estimates from forward trajectories, the upper bound from backward ones of exact samples, and the samples."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        forward = policy.sample(DRAWS, space, generator=generator)
        scores = policy.score(forward, space)
        found = estimate_log_z(scores.log_pf_sum, scores.log_pb_sum, target.log_reward(forward.states))
        exact = target.sample(DRAWS, generator=generator)
        back = policy.score(policy.sample_backward(exact, space, generator=generator), space)
    upper, _ = eubo(back.log_pf_sum, back.log_pb_sum, target.log_reward(exact))
    return found, upper, forward.states


@pytest.fixture(scope="module")
def trained():
    """Before and after 30,000 trajectories, and what was aimed at."""
    space = small_space(neutrality="per_element", n_atoms_primitive=(1, 8))
    target = AnalyticTarget(space, 0, balanced=True)
    torch.manual_seed(0)
    policy = CrystalPolicy(len(space.elements), space.max_count, width=128)
    recipe = TrainingRecipe(iterations=500, batch_size=64, lr=3e-3, backward="tlm", ema=0.98)
    trainer = Trainer(policy, space, target, recipe, seed=0)
    before = judge(trainer.sampling_policy, space, target)
    trainer.run(recipe.iterations)
    return before, judge(trainer.sampling_policy, space, target), target, space


def test_the_gap_closes(trained):
    (before, _, _), (after, upper, _), target, _ = trained
    assert target.log_z - before.elbo > 1
    assert target.log_z - after.elbo <= 0.1
    assert upper - target.log_z <= 0.3  # no mode is missed
    assert abs(after.log_z - target.log_z) <= 0.05
    assert after.ess > 0.5 > 0.1 > before.ess


def test_marginals_are_those_of_exact_draws(trained):
    (_, _, first), (_, _, states), target, _ = trained
    bound = total_variation_quantile(
        target.space_group_marginal, DRAWS, quantile=0.95, generator=torch.Generator().manual_seed(2)
    )
    assert total_variation(first.space_group, target.space_group_marginal) > 10 * bound
    assert total_variation(states.space_group, target.space_group_marginal) < bound + 0.04
    present = torch.stack([(states.elements == d + 1).any(1) for d in range(len(target.element_marginal))], 1)
    assert (present.double().mean(0) - target.element_marginal).abs().max() < 0.03
    sizes = (states.elements > 0).sum(1).bincount(minlength=len(target.size_marginal)) / DRAWS
    assert (sizes - target.size_marginal).abs().max() < 0.03
