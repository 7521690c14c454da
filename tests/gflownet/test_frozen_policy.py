"""A prior keeps its own space: under narrower constraints its densities are not normalised again."""

from __future__ import annotations

import pytest
import torch

from crystalgfn.errors import ConfigError
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.policy.stages.composition_steps import CompositionSteps
from crystalgfn.spaces.lattice_volume import VolumeLattice
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
    with pytest.raises(
        ConfigError, match=rf"prior: {without} of 50 crystals lie outside its space, first \w+ in space"
    ):
        FrozenPolicy(policy, narrow).log_prob(trajectories, wide)


def test_other_coordinates_need_a_single_path(wide):
    """Two paths lead to a point of the cube: the path to the same cell in another cube is not defined."""
    policy = random_policy(wide, 0)
    other = small_space(**LIMITS)
    assert isinstance(other.lattice.decoder, VolumeLattice)
    other.lattice.decoder = VolumeLattice((0.4, 2.0))
    with pytest.raises(ConfigError, match="lattice: several paths lead to a crystal"):
        FrozenPolicy(policy, other).log_prob(drawn(policy, wide, 50), wide)
