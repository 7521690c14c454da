"""For any policies E[R P_B / P_F] = Z: random networks must give Z, or a mask, a Jacobian or a forced move is wrong."""

from __future__ import annotations

import pytest
import torch

from crystalgfn.evaluation.analytic import AnalyticTarget
from crystalgfn.policy.stages.composition import CompositionStage
from crystalgfn.policy.stages.lattice import LatticeStage
from crystalgfn.policy.stages.lattice_steps import LatticeSteps
from crystalgfn.policy.stages.space_group import SpaceGroupStage
from crystalgfn.spaces.lattice import MIN_INCREMENT
from direct_compositions import enumerate_directly
from policy_setup import GROUPS, mean_and_error, random_policy, short_ways_back, small_space, stage_sums


def weights(policy, space, number, seed, *, epsilon=0.0, target=None):
    """States, log P_B - log P_F of each stage by its name, and log R of trajectories drawn in batches."""
    generator = torch.Generator().manual_seed(seed)
    states, sums, rewards = [], [], []
    for _ in range(number // 5000):
        trajectories = policy.sample(5000, space, epsilon=epsilon, generator=generator)
        with torch.no_grad():
            sums.append(stage_sums(policy.score(trajectories, space)))
        states.append(trajectories.states)
        if target is not None:
            rewards.append(target.log_reward(trajectories.states))
    log_reward = torch.cat(rewards) if target is not None else None
    return states, {name: torch.cat([part[name] for part in sums]) for name in sums[0]}, log_reward


def assert_mean(values, expected, *, most=0.015):
    """The mean is ``expected`` within 4 standard errors, and these are small."""
    mean, error = mean_and_error(values)
    assert error < most * abs(expected), f"{mean} +- {error} is not precise enough to test {expected}"
    assert abs(mean - expected) < 4 * error, f"{mean} +- {error}, expected {expected}"


@pytest.mark.parametrize("shared", [True, False])
def test_space_group_stage(shared):
    space = small_space(groups=range(1, 231, 9), n_elements=(1, 1), n_atoms_primitive=(1, 8))
    policy = random_policy(space, 0, shared=shared)
    _, sums, _ = weights(policy, space, 40_000, 1)
    assert_mean(torch.exp(sums[SpaceGroupStage.name]), int(space.groups.allowed.sum()))


@pytest.mark.parametrize("neutrality", ["per_element", "per_atom", "none"])
def test_composition_stage(neutrality):
    space = small_space(groups=[166], charge=neutrality, n_atoms_primitive=(1, 10))
    expected = len(enumerate_directly(space.elements, 166, space.composition.constraints))
    policy = random_policy(space, 1)
    _, sums, _ = weights(policy, space, 60_000, 2)
    assert_mean(torch.exp(sums[CompositionStage.name]), expected)


def test_compositions_start_uniform_where_charge_does_not_matter():
    space = small_space(groups=[166], charge="none", n_atoms_primitive=(1, 10))
    policy = random_policy(space, 1)
    stage = policy.stages[CompositionStage.name]
    for head in (stage.element, stage.count):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    torch.nn.init.zeros_(stage.bias)
    _, sums, _ = weights(policy, space, 5_000, 2)
    expected = len(enumerate_directly(space.elements, 166, space.composition.constraints))
    assert torch.exp(sums[CompositionStage.name]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("group", "dimensions"), [(225, 1), (194, 2), (148, 2), (62, 3)])
def test_lattice_stage_covers_the_cube_evenly(group, dimensions):
    space = small_space(groups=[group], n_elements=(1, 1))
    policy = short_ways_back(random_policy(space, 2, scale=1.0))
    states, sums, _ = weights(policy, space, 100_000, 3)
    u, w = torch.cat([s.u for s in states]), torch.exp(sums[LatticeStage.name])
    free = space.lattice.free(torch.tensor([group])).expand_as(u)
    assert free[0].sum() == dimensions
    assert_mean(w, 1.0, most=0.02)
    # corners: where the way back is forced, where the way out is, and where neither is
    low, high = ((u < MIN_INCREMENT) & free).any(1), ((u > 1 - MIN_INCREMENT) & free).any(1)
    assert_mean(w * low, 1 - (1 - MIN_INCREMENT) ** dimensions, most=0.05)
    assert_mean(w * high, 1 - (1 - MIN_INCREMENT) ** dimensions, most=0.05)
    assert_mean(w * (~low & ~high), (1 - 2 * MIN_INCREMENT) ** dimensions, most=0.05)


@pytest.mark.parametrize("group", [1, 14])
def test_lattice_stage_in_four_and_six_dimensions(group):
    space = small_space(groups=[group], n_elements=(1, 1))
    policy = short_ways_back(random_policy(space, 2, scale=1.0))
    _, sums, _ = weights(policy, space, 60_000, 3)
    assert_mean(torch.exp(sums[LatticeStage.name]), 1.0)


@pytest.mark.parametrize("shared", [True, False])
def test_whole_space_with_a_reward(shared):
    space = small_space(groups=GROUPS[1::2], n_atoms_primitive=(1, 5))
    target = AnalyticTarget(space, 3, group_scale=0.5, composition_scale=0.3, lattice_scale=0.5)
    policy = short_ways_back(random_policy(space, 3, shared=shared, scale=1.0))
    _, sums, log_reward = weights(policy, space, 100_000, 4, target=target)
    assert_mean(torch.exp(sum(sums.values()) + log_reward - target.log_z), 1.0)


def test_exploration_changes_the_draws_but_scores_stay_those_of_the_policy():
    # with epsilon the draws come from a mixture: weights by the policy's own P_F are no longer unbiased
    space = small_space()
    policy = short_ways_back(random_policy(space, 3, scale=1.0))
    plain, _, _ = weights(policy, space, 10_000, 5)
    again, _, _ = weights(policy, space, 10_000, 5)
    explored, sums, _ = weights(policy, space, 10_000, 5, epsilon=1.0)
    assert all(torch.equal(a.u, b.u) for a, b in zip(plain, again, strict=True))
    assert not torch.equal(plain[0].space_group, explored[0].space_group)
    assert torch.isfinite(torch.stack(list(sums.values()))).all()


@pytest.mark.parametrize("shared", [True, False])
def test_narrower_constraints_when_sampling_hold_and_keep_the_estimate(shared):
    trained_on = small_space()
    policy = short_ways_back(random_policy(trained_on, 4, shared=shared, scale=1.0))
    narrow = small_space(
        groups=[g for g in GROUPS if g != 1],
        required=(8,),
        n_elements=(2, 2),
        charge="per_element",
        n_atoms=(4, 24),
    )
    assert narrow.max_count <= trained_on.max_count
    target = AnalyticTarget(narrow, 3, group_scale=0.5, composition_scale=0.3, lattice_scale=0.5)
    states, sums, log_reward = weights(policy, narrow, 60_000, 5, target=target)
    for part in states:
        assert narrow.composition.allows(part.space_group, part.elements, part.counts).all()
        assert ((part.elements > 0).sum(1) == 2).all()
    assert_mean(torch.exp(sum(sums.values()) + log_reward - target.log_z), 1.0)


def test_the_mean_is_wrong_when_a_forced_move_is_charged():
    # what the test above would see if forced exits scored log-sigmoid instead of 0
    space = small_space(groups=[225], n_elements=(1, 1))
    policy = short_ways_back(random_policy(space, 2, scale=1.0))
    generator = torch.Generator().manual_seed(0)
    trajectories = policy.sample(20_000, space, generator=generator)
    with torch.no_grad():
        log_w = stage_sums(policy.score(trajectories, space))[LatticeStage.name]
    forced = trajectories.of(LatticeSteps).last[:, 0] > 1 - MIN_INCREMENT
    wrong = torch.where(forced, log_w - torch.nn.functional.logsigmoid(torch.tensor(1.0)), log_w)
    mean, error = mean_and_error(torch.exp(wrong))
    assert abs(mean - 1) > 4 * error
