"""Our estimators on torchgfn's HyperGrid, where log Z, its bounds and the distribution of samples are known exactly.

The policies are networks with random weights: estimators must be right for any policy. Exact values follow from the
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
    """Exact values from the sampler's probabilities.

    Attributes:
        ends: ``(S,)`` probability of ending in each state.
        elbo: mean of log R + log P_B - log P_F over trajectories of P_F.
        eubo: mean of the same quantity over trajectories of P_B from states drawn in proportion to R.
    """

    ends: Tensor
    elbo: float
    eubo: float


def compare() -> Iterator[tuple[str, str, str, str, str]]:
    """Yield rows of the table: metric, grid and size, our estimate, the exact or torchgfn's value, agreement."""
    torch.manual_seed(0)
    grid = HyperGrid(ndim=DIMENSIONS, height=HEIGHT, store_all_states=True)
    flows = TBGFlowNet(pf=_policy(grid), pb=_policy(grid, backward=True), init_logZ=0.0)
    with torch.no_grad():
        forward = flows.sample_trajectories(grid, n=TRAJECTORIES, save_logprobs=False)
        log_pf = flows.trajectory_log_probs_forward(forward).sum(0).double()
        log_pb = flows.trajectory_log_probs_backward(forward).sum(0).double()
        exact = enumerate_grid(grid, flows)
        back = _backward(grid, flows, TRAJECTORIES)
        upper, upper_error = eubo(
            flows.trajectory_log_probs_forward(back).sum(0),
            flows.trajectory_log_probs_backward(back).sum(0),
            grid.log_reward(back.terminating_states),
        )
    estimates = estimate_log_z(log_pf, log_pb, forward.log_rewards.double())
    ends = forward.terminating_states
    indices = grid.get_terminating_states_indices(ends)
    true = grid.true_dist()
    grid_name = f"HyperGrid {HEIGHT}×{HEIGHT}, {TRAJECTORIES:,}"
    yield _row("log Z (nats)", grid_name, estimates.log_z, grid.log_partition(), estimates.log_z_error)
    yield _row("ELBO (nats)", grid_name, estimates.elbo, exact.elbo, estimates.elbo_error)
    yield _row("EUBO, from exact samples of the target (nats)", grid_name, upper, exact.eubo, upper_error)
    by_weight = "EUBO by weight, from the sampler's own trajectories (nats)"
    yield _row(by_weight, grid_name, estimates.eubo, exact.eubo, estimates.eubo_error)
    ours, theirs = total_variation(indices, true), float((grid.get_terminating_state_dist(ends) - true).abs().sum() / 2)
    agreement = f"difference {abs(ours - theirs):.0e}"
    yield "total variation to the reward", grid_name, f"{ours:.4f}", f"{theirs:.4f}", agreement
    left, floor = total_variation(indices, exact.ends), total_variation_floor(exact.ends, TRAJECTORIES)
    agreement = "samples against their exact distribution"
    yield "total variation of exact draws", grid_name, f"{floor:.4f} expected", f"{left:.4f} found", agreement


def _backward(grid: HyperGrid, flows: TBGFlowNet, n: int) -> Any:
    """Return trajectories that P_B draws from exact samples of the target, reversed."""
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
        index = position[state]
        for action in range(DIMENSIONS):
            if state[action] + 1 < HEIGHT:
                neighbour = position[tuple(x + (d == action) for d, x in enumerate(state))]
                mass = visit[index] * forward[index, action]
                visit[neighbour] += mass
                elbo += float(mass * (backward[neighbour, action].log() - forward[index, action].log()))
        ends[index] = visit[index] * forward[index, DIMENSIONS]
        elbo += float(ends[index] * (log_reward[index] - forward[index, DIMENSIONS].log()))
    passage, upper = torch.softmax(log_reward, 0), 0.0  # probability that a trajectory of P_B passes each state
    upper += float((passage * (log_reward - forward[:, DIMENSIONS].log())).sum())
    for state in sorted(position, key=sum, reverse=True):
        index = position[state]
        for action in range(DIMENSIONS):
            if state[action] > 0:
                neighbour = position[tuple(x - (d == action) for d, x in enumerate(state))]
                mass = passage[index] * backward[index, action]
                passage[neighbour] += mass
                upper += float(mass * (backward[index, action].log() - forward[neighbour, action].log()))
    return Exact(ends, elbo, upper)


def _policy(grid: HyperGrid, *, backward: bool = False) -> Any:
    coded = KHotPreprocessor(height=HEIGHT, ndim=DIMENSIONS)
    network = MLP(input_dim=coded.output_dim, output_dim=grid.n_actions - backward)
    return DiscretePolicyEstimator(network, n_actions=grid.n_actions, is_backward=backward, preprocessor=coded)


def _row(name: str, where: str, ours: float, exact: float, error: float) -> tuple[str, str, str, str, str]:
    off = abs(ours - exact) / error
    return name, where, f"{ours:.4f} ± {error:.4f}", f"{exact:.4f} exact", f"{off:.1f} standard errors apart"
