"""A prior keeps its own space: under narrower constraints its densities are not normalised again."""

from __future__ import annotations

import pytest
import torch

from crystalgfn.config import parse_config
from crystalgfn.errors import ConstraintError
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.policy.stages.composition_steps import CompositionSteps
from crystalgfn.runs.build import build_policy, build_space
from crystalgfn.spaces.translation import rows_within, translated
from exact_policy import all_compositions, log_probabilities
from policy_setup import mean_and_error, random_policy, short_ways_back, small_space

LIMITS = {"groups": (62, 166, 225), "elements": (3, 8, 9, 26), "n_atoms_primitive": (1, 6)}


@pytest.fixture(scope="module")
def wide():
    return small_space(**LIMITS)


def drawn(policy, space, n=500, seed=1):
    return policy.sample(n, space, generator=torch.Generator().manual_seed(seed))


def test_the_density_is_that_of_the_recorded_steps_in_the_same_space(wide):
    prior, other = random_policy(wide, 0), random_policy(wide, 1)
    trajectories = drawn(other, wide)
    with torch.no_grad():
        expected = prior.score(trajectories, wide).log_pf_sum
    for same_steps in (True, False):
        found = FrozenPolicy(prior, wide, same_steps=same_steps).log_prob(trajectories, wide)
        assert not found.requires_grad
        torch.testing.assert_close(found, expected)


def test_steps_of_a_policy_with_other_options_are_recorded_again(wide):
    prior, other = random_policy(wide, 0), random_policy(wide, 1, look_ahead="elements")
    trajectories = drawn(other, wide)
    own = prior.retraced(trajectories, trajectories.states, wide)
    assert trajectories.of(CompositionSteps).completions.shape[3] == 1
    assert own.of(CompositionSteps).completions.shape[3] == wide.max_count
    assert torch.equal(own.states.counts, trajectories.states.counts)
    with torch.no_grad():
        expected = prior.score(own, wide).log_pf_sum
    torch.testing.assert_close(FrozenPolicy(prior, wide).log_prob(trajectories, wide), expected)


@pytest.mark.parametrize(
    "limits",
    [{"required": (8,)}, {"n_elements": (2, 2)}, {"groups": (62, 225), "n_atoms_primitive": (2, 4)}],
    ids=["required", "two elements", "groups and atoms"],
)
def test_a_narrower_space_keeps_the_probabilities_of_the_prior(wide, limits):
    prior = short_ways_back(random_policy(wide, 0, scale=1.0))
    narrow = small_space(**{**LIMITS, **limits})
    frozen = FrozenPolicy(prior, wide)
    # E[P_prior / P_F] over the narrower space is the probability of the prior to meet its constraints
    trajectories = drawn(prior, narrow, 4_000)
    with torch.no_grad():
        log_pf = prior.score(trajectories, narrow).log_pf_sum
    log_prior = frozen.log_prob(trajectories, narrow)
    mean, error = mean_and_error(torch.exp(log_prior - log_pf).double())
    expected = float(log_probabilities(prior, wide, padded(all_compositions(narrow), wide)).exp().sum())
    assert 0.01 < expected < 0.95
    assert error < 0.05 * expected
    assert mean == pytest.approx(expected, abs=4 * error)
    spread = float((log_prior - log_pf).std())
    assert spread > 0.05  # the policy that is normalised again is not the conditional prior: weights differ


def padded(states, space):
    """The states with room for as many elements as another space has."""
    more = space.max_elements - states.elements.shape[1]
    pad = torch.nn.functional.pad
    return type(states)(states.space_group, pad(states.elements, (0, more)), pad(states.counts, (0, more)), states.u)


def test_crystals_that_the_prior_does_not_know_are_named(wide):
    narrow = small_space(**{**LIMITS, "required": (8,)})
    policy = random_policy(wide, 0)
    trajectories = drawn(policy, wide, 50)
    oxygen = 1 + wide.elements.index(8)
    without = int((trajectories.states.elements != oxygen).all(1).sum())
    words = rf"{without} of 50 crystals lie outside the space of the prior, first \w+ in space group"
    with pytest.raises(ConstraintError, match=words):
        FrozenPolicy(policy, narrow).log_prob(trajectories, wide)


def site_space(**constraints):
    """A small space of crystals with sites, and a policy for it with large random weights."""
    usual = {
        "sites": "wyckoff",
        "elements": {"allowed": ["Li", "O", "F", "Fe"]},
        "space_groups": [2, 62, 166, 225],
        "n_elements": [1, 3],
        "n_atoms_primitive": [1, 6],
        "atoms_per_element": [1, 32],
    }
    config = parse_config({"constraints": {**usual, **constraints}, "policy": {"width": 32, "layers": 2}})
    space = build_space(config.constraints)
    policy = build_policy(config, space)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(1.5)
    return space, policy


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"elements": {"allowed": ["Li", "O", "F", "Fe"], "required": ["O"]}, "n_elements": [2, 2]},
        {"elements": {"allowed": ["Fe", "O"]}, "space_groups": [62, 166], "lattice": {"density": [1, 5]}},
        {"n_atoms_primitive": [2, 4], "charge": "per_atom", "lattice": {"lengths": [2.5, 9]}},
    ],
    ids=["the same", "required", "fewer elements and groups", "fewer atoms and charges"],
)
def test_crystals_with_sites_keep_their_probability_in_every_narrower_space(limits):
    """What the prior draws, traced in the narrower space and back, is as probable as when it was drawn."""
    space, prior = site_space()
    narrow, policy = site_space(**limits)
    real = drawn(prior, space, 400)
    rows = rows_within(narrow, space.crystals(real.states))
    assert 10 < len(rows) <= 400
    real = real[rows]
    inside = policy.retraced(real, translated(real.states, space, narrow), narrow)
    again = FrozenPolicy(prior, space).log_prob(inside, narrow)
    with torch.no_grad():
        torch.testing.assert_close(again, prior.score(real, space).log_pf_sum, rtol=1e-4, atol=1e-4)
        normalised_again = prior.score(inside, narrow).log_pf_sum if len(narrow.elements) == 4 else None
    if limits and normalised_again is not None:
        gained = normalised_again - again
        assert (gained > -1e-4).all()  # fewer actions are left, so each is more likely
        assert float(gained.std()) > 0.05  # but not by one factor, as under a condition


def test_an_element_that_the_prior_does_not_know_is_named():
    narrow, prior = site_space(elements={"allowed": ["Li", "O"]})
    space, policy = site_space()
    with pytest.raises(ConstraintError, match=r"element F.*: not in the other space, allowed: Li O"):
        translated(drawn(policy, space, 200).states, space, narrow)
    with pytest.raises(ConstraintError, match="lie outside the space of the prior"):
        FrozenPolicy(prior, narrow).log_prob(drawn(policy, space, 200), space)
