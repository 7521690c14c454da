"""Relative trajectory balance finds prior x reward: against enumeration, where both are known exactly."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.objectives.relative_trajectory_balance import RelativeTrajectoryBalance
from crystalgfn.gflownet.posterior import compare
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.trainer import Trainer
from exact_policy import all_compositions, log_probabilities
from policy_setup import random_policy, small_space

LIMITS = {"groups": (62, 166, 225), "elements": (3, 8, 9, 26), "n_atoms_primitive": (1, 6)}


class Reward:
    """log r = f(space group) + sum over elements of h(element, count), with random f and h."""

    def __init__(self, space):
        generator = torch.Generator().manual_seed(5)
        self.f = 2 * torch.randn(231, generator=generator)
        self.h = 2 * torch.randn(len(space.elements) + 1, space.max_count + 1, generator=generator)
        self.h[0] = 0.0

    def log_reward(self, states, condition=None):
        return self.f[states.space_group] + self.h[states.elements, states.counts].sum(1)


@pytest.fixture(scope="module")
def trained():
    """Space, prior, reward, trainer before and after, and its reports."""
    space = small_space(**LIMITS)
    prior = random_policy(space, 0).requires_grad_(False)
    reward = Reward(space)
    recipe = TrainingRecipe(
        iterations=300, batch_size=64, lr=3e-3, ema=0.98, replay_share=0.25, objective=RelativeTrajectoryBalance()
    )
    trainer = Trainer(
        copy.deepcopy(prior).requires_grad_(True),
        space,
        reward,
        recipe,
        seed=0,
        prior=FrozenPolicy(prior, space, same_steps=True),
    )
    reports = []
    trainer.run(recipe.iterations, reports.append)
    return trainer, reports


def exact(trainer):
    """All crystals but for their lattices, their log-probabilities under the prior, and under prior x reward / Z."""
    states = all_compositions(trainer.space)
    log_prior = log_probabilities(trainer.prior.policy, trainer.space, states)
    assert torch.logsumexp(log_prior, 0) == pytest.approx(0, abs=1e-5)
    joint = log_prior + trainer.target.log_reward(states)
    return states, log_prior, joint - torch.logsumexp(joint, 0), float(torch.logsumexp(joint, 0))


def test_the_posterior_over_crystals_is_that_of_enumeration(trained):
    trainer, _ = trained
    states, log_prior, log_posterior, _ = exact(trainer)
    found = log_probabilities(trainer.sampling_policy, trainer.space, states)
    far = (log_prior.exp() - log_posterior.exp()).abs().sum() / 2
    off = (found.exp() - log_posterior.exp()).abs().sum() / 2
    print(len(states), float(far), float(off))
    assert far > 0.5  # the prior is no answer
    assert off < 0.03


def test_what_a_run_reports_is_right(trained):
    trainer, reports = trained
    states, log_prior, log_posterior, log_z = exact(trainer)
    found = compare(trainer.sampling_policy, trainer.space, trainer.target, prior=trainer.prior, n=4_000)
    print(found, log_z, reports[-1])
    kl = float((log_posterior.exp() * (log_posterior - log_prior)).sum())
    assert found.log_z == pytest.approx(log_z, abs=0.03)
