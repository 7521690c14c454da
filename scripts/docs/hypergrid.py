"""Our estimators on torchgfn's HyperGrid, where log Z, its bounds and the distribution of samples are known exactly.

The policies are networks with random weights: estimators must be right for any. Exact values follow from the
probabilities that torchgfn gives to each action, propagated through the grid state by state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from gfn.estimators import DiscretePolicyEstimator
from gfn.gflownet import TBGFlowNet
from gfn.gym import HyperGrid
from gfn.preprocessors import KHotPreprocessor
from gfn.samplers import Sampler
from gfn.utils.modules import MLP
from torch import Tensor

from crystalgfn.evaluation.estimates import estimate_log_z, eubo, total_variation, total_variation_floor

DIMENSIONS, HEIGHT, TRAJECTORIES = 2, 8, 20_000


@dataclass(frozen=True)
class Exact:
    """What the sampler's probabilities say without sampling.

    Attributes:
        ends: ``(S,)`` probability of ending in each state.
        elbo: mean of log R + log P_B - log P_F over trajectories of P_F.
        eubo: the same over trajectories of P_B from states in proportion to R.
    """

    ends: Tensor
    elbo: float
    eubo: float


def compare() -> Iterator[tuple[str, str, str, str, str]]:
    """Rows of the table: metric, what of, our estimate, exact or torchgfn's value, agreement."""
    torch.manual_seed(0)
    grid = HyperGrid(ndim=DIMENSIONS, height=HEIGHT, store_all_states=True)
    flows = TBGFlowNet(pf=_policy(grid), pb=_policy(grid, backward=True), init_logZ=0.0)
    with torch.no_grad():
        drawn = flows.sample_trajectories(grid, n=TRAJECTORIES, save_logprobs=False)
        log_pf = flows.trajectory_log_probs_forward(drawn).sum(0).double()
        log_pb = flows.trajectory_log_probs_backward(drawn).sum(0).double()
        exact = enumerate_grid(grid, flows)
        back = _backward(grid, flows, TRAJECTORIES)
        upper, upper_error = eubo(
            flows.trajectory_log_probs_forward(back).sum(0),
            flows.trajectory_log_probs_backward(back).sum(0),
            grid.log_reward(back.terminating_states),
        )
    found = estimate_log_z(log_pf, log_pb, drawn.log_rewards.double())
    ends = drawn.terminating_states
    indices = grid.get_terminating_states_indices(ends)
    true = grid.true_dist()
    where = f"HyperGrid {HEIGHT}×{HEIGHT}, {TRAJECTORIES:,}"
    yield _row("log Z (nats)", where, found.log_z, grid.log_partition(), found.log_z_error)
    yield _row("ELBO (nats)", where, found.elbo, exact.elbo, found.elbo_error)
    yield _row("EUBO, from exact samples of the target (nats)", where, upper, exact.eubo, upper_error)
    by_weight = "EUBO by weight, from the sampler's own trajectories (nats)"
    yield _row(by_weight, where, found.eubo, exact.eubo, found.eubo_error)
    ours, theirs = total_variation(indices, true), float((grid.get_terminating_state_dist(ends) - true).abs().sum() / 2)
    agreement = f"difference {abs(ours - theirs):.0e}"
    yield "total variation to the reward", where, f"{ours:.4f}", f"{theirs:.4f}", agreement
    left, floor = total_variation(indices, exact.ends), total_variation_floor(exact.ends, TRAJECTORIES)
    agreement = "samples against their exact distribution"
    yield "total variation of exact draws", where, f"{floor:.4f} expected", f"{left:.4f} found", agreement


def _backward(grid: HyperGrid, flows: TBGFlowNet, n: int) -> Any:
    """Trajectories that P_B draws from exact samples of the target, turned round."""
    rows = torch.multinomial(grid.true_dist().double(), n, replacement=True)
    ends = grid.states_from_tensor(grid.all_states.tensor[rows])
    return Sampler(flows.pb).sample_trajectories(grid, states=ends, save_logprobs=False).reverse_backward_trajectories()


def enumerate_grid(grid: HyperGrid, flows: TBGFlowNet) -> Exact:
    """Propagate probability through all states, in the order of the steps that lead to them."""
    states = grid.all_states
    position = {tuple(s): i for i, s in enumerate(states.tensor.tolist())}
    forward = flows.pf.to_probability_distribution(states, flows.pf(states)).probs.double()
    inner = states[1:]  # the first is the source: nothing leads there
    backward = torch.zeros(len(position), DIMENSIONS, dtype=torch.float64)
    backward[1:] = flows.pb.to_probability_distribution(inner, flows.pb(inner)).probs.double()
    log_reward = grid.log_reward(states).double()
    visit, ends, elbo = torch.zeros(len(position), dtype=torch.float64), torch.zeros(len(position)).double(), 0.0
    visit[position[(0,) * DIMENSIONS]] = 1
    for state in sorted(position, key=sum):
        here = position[state]
        for action in range(DIMENSIONS):
            if state[action] + 1 < HEIGHT:
                there = position[tuple(x + (d == action) for d, x in enumerate(state))]
                mass = visit[here] * forward[here, action]
                visit[there] += mass
                elbo += float(mass * (backward[there, action].log() - forward[here, action].log()))
        ends[here] = visit[here] * forward[here, DIMENSIONS]
        elbo += float(ends[here] * (log_reward[here] - forward[here, DIMENSIONS].log()))
    found, upper = torch.softmax(log_reward, 0), 0.0  # probability that a trajectory of P_B passes each state
    upper += float((found * (log_reward - forward[:, DIMENSIONS].log())).sum())
    for state in sorted(position, key=sum, reverse=True):
        here = position[state]
        for action in range(DIMENSIONS):
            if state[action] > 0:
                there = position[tuple(x - (d == action) for d, x in enumerate(state))]
                mass = found[here] * backward[here, action]
                found[there] += mass
                upper += float(mass * (backward[here, action].log() - forward[there, action].log()))
    return Exact(ends, elbo, upper)


def _policy(grid: HyperGrid, *, backward: bool = False) -> Any:
    coded = KHotPreprocessor(height=HEIGHT, ndim=DIMENSIONS)
    network = MLP(input_dim=coded.output_dim, output_dim=grid.n_actions - backward)
    return DiscretePolicyEstimator(network, n_actions=grid.n_actions, is_backward=backward, preprocessor=coded)


def _row(name: str, where: str, ours: float, exact: float, error: float) -> tuple[str, str, str, str, str]:
    off = abs(ours - exact) / error
    return name, where, f"{ours:.4f} ± {error:.4f}", f"{exact:.4f} exact", f"{off:.1f} standard errors apart"
