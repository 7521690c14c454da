"""Training objectives on the log-probabilities of whole trajectories.

With delta = sum log P_F - sum log P_B - log R of a trajectory, a perfect pair of policies has delta = -log Z for every
trajectory, whatever distribution the trajectories were drawn from.

============  =================================================================  ====================================
objective     loss                                                               when
============  =================================================================  ====================================
``tb``        (log Z + delta)^2, log Z learned       (arXiv 2201.13259)          as in the paper
``vargrad``   variance of delta over the batch       (arXiv 2302.05446)          default: no log Z that lags behind
``subtb``     (log F(s) + delta(s -> s') - log F(s'))^2 over all sub-trajectories,   long trajectories, sparse rewards
              weighted by lambda^length               (arXiv 2209.12782)
============  =================================================================  ====================================

P_B is learned by the same loss, or (``tlm``) by maximising its likelihood on trajectories of P_F (arXiv 2410.15474),
with P_F seeing it as fixed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from crystalgfn.policy.policy import Scores


def trajectory_balance(scores: Scores, log_reward: Tensor, log_z: Tensor) -> Tensor:
    """Mean of (log Z + delta)^2.

    Args:
        scores: of B trajectories.
        log_reward: ``(B,)``.
        log_z: scalar, learned.
    """
    return (log_z + scores.log_pf_sum - scores.log_pb_sum - log_reward).square().mean()


def log_partition_variance(scores: Scores, log_reward: Tensor) -> Tensor:
    """Variance of delta over the batch; the batch mean stands in for -log Z. Arguments as above."""
    delta = scores.log_pf_sum - scores.log_pb_sum - log_reward
    return (delta - delta.mean()).square().mean()


def subtrajectory_balance(scores: Scores, log_reward: Tensor, log_z: Tensor, *, lam: float) -> Tensor:
    """SubTB(lambda): balance of every sub-trajectory, longer ones weighted by lambda^length.

    Args:
        scores: with flows of the states that transitions leave.
        log_reward: ``(B,)``, stands for the log-flow of the terminal state.
        log_z: scalar; joins the learned log-flow of every state, so that only differences are left to the network.
        lam: lambda, 0 < lambda <= 1.

    Raises:
        ValueError: the policy has no flow head.
    """
    if scores.log_flow is None:
        raise ValueError("subtb needs a policy with flow=True")
    taken = scores.is_step
    # pack the transitions of each trajectory to the left
    order = torch.argsort((~taken).int(), dim=1, stable=True)
    step = (scores.log_pf - scores.log_pb).gather(1, order)
    length = taken.sum(1)
    flow = (scores.log_flow + log_z).gather(1, order)
    positions = torch.arange(step.shape[1] + 1, device=step.device)
    flow = torch.cat((flow, torch.zeros_like(flow[:, :1])), 1)
    flow = torch.where(positions < length.unsqueeze(1), flow, log_reward.unsqueeze(1))
    progress = torch.cat((torch.zeros_like(step[:, :1]), step.cumsum(1)), 1)
    potential = flow - progress  # balanced iff it is the same at every state of the trajectory
    gap = potential.unsqueeze(2) - potential.unsqueeze(1)
    later = positions.view(1, 1, -1) > positions.view(1, -1, 1)
    valid = later & (positions.view(1, 1, -1) <= length.view(-1, 1, 1))
    weight = lam ** (positions.view(1, 1, -1) - positions.view(1, -1, 1)).clamp(min=0) * valid
    weight = weight / weight.sum((1, 2), keepdim=True)
    return (weight * gap.square()).sum((1, 2)).mean()


def backward_likelihood(scores: Scores) -> Tensor:
    """TLM loss of P_B: minus its mean log-likelihood on trajectories drawn from P_F."""
    return -scores.log_pb_sum.mean()
