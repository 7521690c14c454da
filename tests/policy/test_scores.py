"""Scores of transitions: against a plain reference, against enumeration, and against quadrature."""

from __future__ import annotations

import pytest
import torch

from crystalgfn.policy.stages.composition import CompositionStage
from crystalgfn.policy.stages.composition_steps import CompositionSteps
from crystalgfn.policy.stages.lattice import LatticeStage
from crystalgfn.policy.stages.lattice_steps import LatticeSteps
from crystalgfn.policy.stages.space_group import SpaceGroupStage, SpaceGroupSteps
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.lattice import MIN_INCREMENT
from crystalgfn.spaces.states import CrystalStates
from direct_compositions import enumerate_directly
from policy_setup import random_policy, small_space
from reference_policy import score_one


@pytest.fixture(scope="module")
def space():
    return small_space()


def trajectories_of(policy, space, number, direction, seed=0):
    """Forward trajectories with exploration, or backward ones from their ends."""
    generator = torch.Generator().manual_seed(seed)
    forward = policy.sample(number, space, epsilon=0.5, generator=generator)
    if direction == "forward":
        return forward
    return policy.sample_backward(forward.states, space, generator=generator)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("shared", [True, False])
def test_every_transition_scores_as_the_reference_says(space, shared, direction):
    policy = random_policy(space, 0, shared=shared)
    trajectories = trajectories_of(policy, space, 60, direction)
    scores = policy.score(trajectories, space)
    starts = [columns.start for columns in scores.columns.values()]
    for row in range(60):
        stages = score_one(policy, trajectories, row, space)
        columns = [start + t for start, stage in zip(starts, stages, strict=True) for t in range(len(stage))]
        expected = torch.tensor([step for stage in stages for step in stage])
        assert scores.is_step[row].nonzero().flatten().tolist() == columns
        found = torch.stack((scores.log_pf[row, columns], scores.log_pb[row, columns]), 1)
        assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4), (found - expected).abs().max()
    assert not scores.log_pf[~scores.is_step].any()
    assert not scores.log_pb[~scores.is_step].any()


@pytest.mark.parametrize("shared", [True, False])
def test_a_score_does_not_depend_on_the_rest_of_the_batch(space, shared):
    policy = random_policy(space, 1, shared=shared)
    parts = [
        trajectories_of(policy, space, n, d, seed)
        for n, d, seed in [(1, "forward", 1), (7, "backward", 2), (30, "forward", 3)]
    ]
    together = policy.score(Trajectories.concatenate(parts), space)
    alone = [policy.score(part, space) for part in parts]
    assert torch.allclose(together.log_pf_sum, torch.cat([s.log_pf_sum for s in alone]), atol=1e-4)
    assert torch.allclose(together.log_pb_sum, torch.cat([s.log_pb_sum for s in alone]), atol=1e-4)


def test_backward_trajectories_end_where_they_were_asked_to(space):
    policy = random_policy(space, 2)
    states = policy.sample(500, space, generator=torch.Generator().manual_seed(0)).states
    back = policy.sample_backward(states, space, generator=torch.Generator().manual_seed(1))
    for name in ("space_group", "elements", "counts", "u"):
        assert torch.equal(getattr(back.states, name), getattr(states, name))
    scores = policy.score(back, space)
    assert torch.isfinite(scores.log_pf).all()
    assert torch.isfinite(scores.log_pb).all()
    assert (back.of(SpaceGroupSteps).path.bincount(minlength=5) > 0).all()
    assert back.of(LatticeSteps).length.max() > 1


def test_points_of_a_trajectory_move_by_at_least_the_least_increment(space):
    policy = random_policy(space, 2)
    for direction in ("forward", "backward"):
        steps = trajectories_of(policy, space, 2000, direction).of(LatticeSteps)
        for t in range(1, steps.u.shape[1]):
            moved = (steps.length > t).unsqueeze(1) & steps.free
            assert (steps.u[:, t] - steps.u[:, t - 1])[moved].min() >= MIN_INCREMENT - 1e-12
        assert not steps.last[~steps.free].any()
        assert steps.last.min() >= 0
        assert steps.last.max() <= 1


def test_forced_moves_score_exactly_zero(space):
    policy = random_policy(space, 3)
    trajectories = trajectories_of(policy, space, 3000, "forward")
    scores = policy.score(trajectories, space)
    steps, lattice = trajectories.of(LatticeSteps), scores.columns[LatticeStage.name].start
    composition = scores.columns[CompositionStage.name]
    full = trajectories.of(CompositionSteps).length == space.max_elements
    assert full.any()
    assert not scores.log_pf[full, composition.stop - 1].any()  # stopping with the most elements
    assert not scores.log_pb[:, composition].any()  # one path back from every composition
    rows = torch.arange(3000)
    forced = ((steps.last > 1 - MIN_INCREMENT) & steps.free).any(1)
    leave = scores.log_pf[rows, lattice + steps.length]
    assert not leave[forced].any()
    assert (leave[~forced] < 0).all()
    first = steps.u[:, 0]
    forced = ((first < MIN_INCREMENT) & steps.free).any(1)
    home = scores.log_pb[:, lattice]
    assert not home[forced].any()
    assert (home[~forced] < 0).all()
    one_property = trajectories.of(SpaceGroupSteps).path > 0
    assert not scores.log_pb[one_property, 0].any()  # a single property leads back to the source only


def test_a_single_possible_crystal_is_certain_up_to_its_lattice():
    space = small_space(groups=[225], elements=(3, 9), n_elements=(2, 2), n_atoms_primitive=(2, 2))
    policy = random_policy(space, 0)
    scores = policy.score(trajectories_of(policy, space, 200, "forward"), space)
    assert not scores.log_pf[:, scores.columns[CompositionStage.name]].any()


def every_path(policy, space):
    """All five ways to every group, with any composition and lattice behind."""
    groups = space.groups.allowed.nonzero().squeeze(1)
    drawn = policy.sample(4000, space, epsilon=1.0, generator=torch.Generator().manual_seed(0)).states
    first = torch.stack([(drawn.space_group == g).nonzero()[0, 0] for g in groups])
    states = drawn[first.repeat_interleave(5)]
    back = policy.sample_backward(states, space, generator=torch.Generator().manual_seed(1))
    path = torch.arange(5).repeat(len(groups))
    return back.with_steps(SpaceGroupSteps(path, states.space_group))


@pytest.mark.parametrize("shared", [True, False])
def test_probabilities_of_the_ways_to_space_groups_add_up(space, shared):
    policy = random_policy(space, 4, shared=shared)
    scores = policy.score(every_path(policy, space), space)
    columns = scores.columns[SpaceGroupStage.name]
    assert torch.exp(scores.log_pf[:, columns].sum(1)).sum().item() == pytest.approx(1, abs=1e-5)
    backward = torch.exp(scores.log_pb[:, columns].sum(1)).view(-1, 5).sum(1)
    assert torch.allclose(backward, torch.ones_like(backward), atol=1e-5)


@pytest.mark.parametrize("group", [2, 166, 225])
@pytest.mark.parametrize("neutrality", ["per_element", "per_atom", "none"])
def test_probabilities_of_the_compositions_of_a_group_add_up(group, neutrality):
    space = small_space(groups=[group], charge=neutrality, n_atoms_primitive=(1, 8))
    compositions = sorted(enumerate_directly(space.elements, group, space.composition.constraints))
    elements, counts = torch.zeros(2, len(compositions), space.max_elements, dtype=torch.int64).unbind(0)
    for row, composition in enumerate(compositions):
        for t, (column, count) in enumerate(composition):
            elements[row, t], counts[row, t] = column + 1, count
    u = torch.where(space.lattice.free(torch.tensor([group])), 0.05, 0.0).double().expand(len(compositions), 6)
    states = CrystalStates(torch.full((len(compositions),), group), elements, counts, u)
    policy = random_policy(space, 5)
    back = policy.sample_backward(states, space, generator=torch.Generator().manual_seed(1))
    scores = policy.score(back, space)
    log_p = scores.log_pf[:, scores.columns[CompositionStage.name]].sum(1)
    assert torch.exp(log_p.double()).sum().item() == pytest.approx(1, abs=1e-4)


class OneDimension:
    """Scores of hand-made lattice trajectories of one cubic crystal, and of its midpoint rule."""

    def __init__(self):
        self.space = small_space(groups=[225], n_elements=(1, 1))
        self.policy = random_policy(self.space, 6, scale=1.0)
        self.one = self.policy.sample(1, self.space, generator=torch.Generator().manual_seed(0))

    def score(self, *points):
        """Scores ``(N, 2)`` of each lattice transition of trajectories through points ``(N,)``: a list."""
        number = max(p.numel() for p in points)
        u = torch.zeros(number, len(points), 6, dtype=torch.float64)
        for t, point in enumerate(points):
            u[:, t, 0] = point
        copies = Trajectories.concatenate([self.one] * number)
        steps = LatticeSteps(u, torch.full((number,), len(points)), copies.of(LatticeSteps).free)
        with torch.no_grad():
            scores = self.policy.score(copies.with_steps(steps), self.space)
        columns = scores.columns[LatticeStage.name]
        assert columns.stop - columns.start == len(points) + 1
        return list(zip(scores.log_pf[:, columns].T, scores.log_pb[:, columns].T, strict=True))


def midpoints(low, high, number=4000):
    """Nodes and width of a midpoint rule."""
    width = (high - low) / number
    return low + width * (torch.arange(number).double() + 0.5), width


def test_densities_of_the_lattice_stage_integrate_to_one():
    line = OneDimension()
    nodes, width = midpoints(0.0, 1.0)
    start = torch.exp(line.score(nodes)[0][0].double()).sum() * width
    assert start.item() == pytest.approx(1, abs=1e-3)
    for u in (0.02, 0.3, 0.55, 0.89):
        here = torch.tensor([u]).double()
        leave = torch.exp(line.score(here)[1][0]).item()
        nodes, width = midpoints(u + MIN_INCREMENT, 1.0)
        going_on = torch.exp(line.score(here, nodes)[1][0].double()).sum().item() * width
        assert 0.01 < leave < 0.99
        assert leave + going_on == pytest.approx(1, abs=1e-3)
    for u in (0.12, 0.3, 0.97):
        here = torch.tensor([u]).double()
        home = torch.exp(line.score(here)[0][1]).item()
        nodes, width = midpoints(0.0, u - MIN_INCREMENT)
        going_on = torch.exp(line.score(nodes, here)[1][1].double()).sum().item() * width
        assert 0.01 < home < 0.99
        assert home + going_on == pytest.approx(1, abs=1e-3)


def test_going_on_is_impossible_where_the_move_is_forced():
    line = OneDimension()
    assert line.score(torch.tensor([0.95]).double())[1][0].item() == 0.0
    assert line.score(torch.tensor([0.05]).double())[0][1].item() == 0.0
    assert line.score(torch.tensor([0.95]).double(), torch.tensor([0.99]).double())[1][0].item() == -torch.inf
    assert line.score(torch.tensor([0.01]).double(), torch.tensor([0.05]).double())[1][1].item() == -torch.inf


def test_same_seed_same_trajectories_and_gradients_reach_every_weight(space):
    policy = random_policy(space, 7, shared=False, flow=True)
    first, second = (policy.sample(400, space, generator=torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(first.of(LatticeSteps).u, second.of(LatticeSteps).u)
    scores = policy.score(first, space)
    assert scores.log_flow.shape == scores.log_pf.shape
    assert not scores.log_flow[~scores.is_step].any()
    (scores.log_pf_sum - scores.log_pb_sum + scores.log_flow.sum(1)).square().mean().backward()
    idle = [name for name, p in policy.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not idle
    untouched = [n for n, p in policy.named_parameters() if not p.grad.any()]
    assert not untouched
