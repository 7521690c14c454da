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
from crystalgfn.spaces.space_group import FIRST_GROUP_ACTION, SYSTEM_OF
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


@pytest.fixture(scope="module", params=[0.0, 0.5], ids=["plain", "towards the target"])
def trained(request):
    """A trainer after 13,000 trajectories, and its reports."""
    space = small_space(**LIMITS)
    policy = random_policy(space, 0)
    objective = RelativeTrajectoryBalance(towards_target=request.param)
    recipe = TrainingRecipe(iterations=250, batch_size=64, ema=0.98, replay_share=0.2, objective=objective)
    prior = FrozenPolicy(copy.deepcopy(policy).requires_grad_(False), space, same_steps=True)
    trainer, reports = Trainer(policy, space, Reward(space), recipe, seed=0, prior=prior), []
    trainer.run(recipe.iterations, reports.append, every=50)
    return trainer, reports


@pytest.fixture(scope="module")
def exact(trained):
    """All crystals but for their lattices, log p under prior and under prior x reward / Z, and log Z."""
    trainer, _ = trained
    states = all_compositions(trainer.space)
    log_prior = log_probabilities(trainer.prior.policy, trainer.space, states)
    joint = log_prior + trainer.target.log_reward(states)
    log_z = torch.logsumexp(joint, 0)
    return states, log_prior, joint - log_z, float(log_z)


def distance(log_p, log_q):
    """Total variation."""
    return float((log_p.exp() - log_q.exp()).abs().sum() / 2)


def test_the_posterior_over_crystals_is_that_of_enumeration(trained, exact):
    states, log_prior, log_posterior, _ = exact
    assert torch.logsumexp(log_prior, 0) == pytest.approx(0, abs=1e-5)
    assert distance(log_prior, log_posterior) > 0.6  # the prior alone is no answer
    found = log_probabilities(trained[0].sampling_policy, trained[0].space, states)
    assert distance(found, log_posterior) < 0.03


def test_what_a_run_reports_is_right(trained, exact):
    trainer, reports = trained
    _, log_prior, log_posterior, log_z = exact
    kl = float((log_posterior.exp() * (log_posterior - log_prior)).sum())
    found = compare(trainer.sampling_policy, trainer.space, trainer.target, prior=trainer.prior)
    assert found.log_z == pytest.approx(log_z, abs=0.03)
    assert found.log_z_of_prior == pytest.approx(log_z, abs=4 * found.log_z_of_prior_error)
    assert found.kl_to_prior == pytest.approx(kl, abs=0.15)  # and what the lattice does not know yet
    assert found.ess > 0.9
    assert found.coverage > 0.99
    assert reports[-1].log_z == pytest.approx(log_z, abs=0.1)
    assert reports[-1].kl_to_prior == pytest.approx(kl, abs=0.6)  # from one batch
    assert reports[0].kl_to_prior < reports[-1].kl_to_prior


def likeliest_group(exact):
    """The most probable space group of the target, and its probability."""
    states, _, log_posterior, _ = exact
    probabilities = torch.zeros(231).double().index_add(0, states.space_group, log_posterior.exp())
    return int(probabilities.argmax()), float(probabilities.max())


def test_coverage_sees_what_the_samples_of_a_policy_cannot(trained, exact):
    """A policy that never draws the likeliest group looks good by its own samples."""
    trainer, _ = trained
    missed, share = likeliest_group(exact)
    policy = copy.deepcopy(trainer.sampling_policy)
    with torch.no_grad():
        bias = policy.stages["space_group"].action.bias
        bias[[FIRST_GROUP_ACTION + missed - 1, int(SYSTEM_OF[missed]) - 1]] -= 30
    found = compare(policy, trainer.space, trainer.target, prior=trainer.prior)
    assert found.ess > 0.4
    assert found.log_z == pytest.approx(exact[3] + math.log(1 - share), abs=0.1)
    assert found.coverage == pytest.approx(1 - share, abs=0.1)


def test_a_narrower_space_has_the_share_of_the_prior_that_lies_in_it(trained, exact):
    """log Z is lower by the logarithm of the probability that the constraints hold, seen from both sides."""
    trainer, _ = trained
    group, share = likeliest_group(exact)
    narrow = small_space(**{**LIMITS, "groups": [g for g in LIMITS["groups"] if g != group]})
    found = compare(trainer.sampling_policy, narrow, trainer.target, prior=trainer.prior)
    log_z = exact[3] + math.log(1 - share)
    assert found.log_z == pytest.approx(log_z, abs=4 * found.log_z_error + 0.01)
    assert found.log_z_of_prior == pytest.approx(log_z, abs=4 * found.log_z_of_prior_error)
    assert found.coverage > 0.95
