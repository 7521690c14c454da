"""Policies conditional on the weights of the reward's terms: right at every condition, and conditions matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crystalgfn.errors import ConfigError
from crystalgfn.gflownet.target import CrystalTarget
from crystalgfn.properties.registry import CheckedProperty
from crystalgfn.rewards.goals import Maximise, Minimise
from crystalgfn.rewards.reward import Reward
from crystalgfn.rewards.terms.property import PropertyTerm
from crystalgfn.runs.model import load, untrained
from crystalgfn.runs.training import train
from direct_compositions import enumerate_directly
from policy_setup import mean_and_error, random_policy, short_ways_back, small_space, stage_sums
from small_run import small_config

GROUPS = (2, 62, 166)
OXYGEN = CheckedProperty("oxygen", lambda c: c.counts[:, list(c.elements).index(8)] / c.n_atoms, "")
SPECIES = CheckedProperty("species", lambda c: (c.counts > 0).sum(1).double(), "")


@pytest.fixture(scope="module")
def setting():
    """Space, target with two weighted terms and one without, and a random policy with two conditions."""
    space = small_space(groups=GROUPS, elements=(3, 8, 9), n_atoms_primitive=(1, 6))
    terms = [
        PropertyTerm(OXYGEN, Maximise(), strength=2.0, weights=(0.5, 4.0)),
        PropertyTerm(SPECIES, Minimise(), strength=0.5),
        PropertyTerm(SPECIES, Maximise(), strength=0.5, weights=(0.1, 1.0)),
    ]
    policy = short_ways_back(random_policy(space, 0, scale=1.2, conditions=2))
    return space, CrystalTarget(space, Reward(terms)), policy


def exact_log_z(space, oxygen, species):
    """Sum over groups and compositions, for weights of the two weighted terms; the cube has volume 1."""
    total = 0.0
    for group in GROUPS:
        for composition in enumerate_directly(space.elements, group, space.composition.constraints):
            atoms = sum(n for _, n in composition)
            share = sum(n for column, n in composition if space.elements[column] == 8) / atoms
            total += math.exp(2 * oxygen * share - 0.5 * len(composition) + 0.5 * species * len(composition))
    return math.log(total)


@pytest.mark.parametrize("weights", [(0.5, 0.1), (4.0, 0.1), (1.0, 1.0), (2.0, 0.3)])
def test_the_mean_weight_is_the_normaliser_at_each_condition(setting, weights):
    space, target, policy = setting
    condition = torch.tensor([math.log(weights[0] / 0.5) / math.log(8), math.log(weights[1] / 0.1) / math.log(10)])
    assert target.reward.weights(condition[None])[0].tolist() == pytest.approx([weights[0], 1.0, weights[1]], rel=1e-5)
    rows = condition.expand(20_000, 2)
    trajectories = policy.sample(20_000, space, condition=rows, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        log_w = sum(stage_sums(policy.score(trajectories, space)).values())
    log_w += target.log_reward(trajectories.states, rows)
    mean, error = mean_and_error(torch.exp(log_w - exact_log_z(space, *weights)))
    assert error < 0.05
    assert abs(mean - 1) < 4 * error, f"{mean} +- {error}"


def test_rows_of_different_conditions_do_not_mix(setting):
    space, _, policy = setting
    conditions = torch.rand(64, 2, generator=torch.Generator().manual_seed(0))
    mixed = policy.sample(64, space, condition=conditions, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        together = policy.score(mixed, space)
        for row in (0, 17, 63):
            alone = policy.score(mixed[torch.tensor([row])], space)
            torch.testing.assert_close(alone.log_pf_sum[0], together.log_pf_sum[row], rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(alone.log_pb_sum[0], together.log_pb_sum[row], rtol=1e-4, atol=1e-4)


def test_backward_trajectories_are_conditional_too(setting):
    space, _, policy = setting
    generator = torch.Generator().manual_seed(0)
    condition = torch.rand(64, 2, generator=generator)
    states = policy.sample(64, space, condition=condition, generator=generator).states
    back = policy.sample_backward(states, space, condition=condition, generator=generator)
    with torch.no_grad():
        scores = policy.score(back, space)
    assert torch.equal(back.condition, condition)
    assert torch.isfinite(scores.log_pf_sum + scores.log_pb_sum).all()


# ---- models


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A trained model whose one term has a weight."""
    folder = tmp_path_factory.mktemp("runs") / "conditional"
    config = small_config()
    term = config.objective[0].model_copy(update={"weights": (0.5, 4.0)})
    train(config.model_copy(update={"objective": [term]}), folder)
    return load(folder)


@pytest.mark.parametrize("weight", [0.5, 2.0, 4.0])
def test_weights_scale_the_reward(model, weight):
    crystals = model.weighted(density=weight).sample(100, seed=0)
    np.testing.assert_allclose(crystals.columns["log_reward"], weight * crystals.columns["density [g/cm3]"], rtol=1e-4)


def test_the_weight_is_1_where_none_is_chosen(model):
    assert model.sample(50, seed=0).equals(model.weighted(density=1.0).sample(50, seed=0))


def test_conditions_change_what_is_sampled(model):
    trajectories = model.policy.sample(
        32, model.space, condition=torch.zeros(32, 1), generator=torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        low = model.policy.score(trajectories, model.space).log_pf_sum
        object.__setattr__(trajectories, "condition", torch.ones(32, 1))
        high = model.policy.score(trajectories, model.space).log_pf_sum
    assert ((low - high).abs() > 1e-4).float().mean() > 0.9


def test_weights_survive_narrower_constraints(model):
    narrow = model.weighted(density=3.0).restricted(required=["O"])
    crystals = narrow.sample(50, seed=0)
    np.testing.assert_allclose(crystals.columns["log_reward"], 3 * crystals.columns["density [g/cm3]"], rtol=1e-4)
    assert narrow.finetuned(iterations=2).weights == {"density": 3.0}


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"densty": 1.0}, "nearest: 'density'"),
        ({"density": 5.0}, "found 5, allowed: 0.5 to 4"),
        ({"density": 0.0}, "allowed: 0.5 to 4"),
        ({"density": float("nan")}, "allowed: 0.5 to 4"),
    ],
)
def test_wrong_weights_are_refused(model, weights, words):
    with pytest.raises(ConfigError, match=words):
        model.weighted(**weights)


def test_a_model_without_weights_has_none_to_choose():
    with pytest.raises(ConfigError, match="not trained with weights"):
        untrained(small_config()).weighted(density=1.0)
