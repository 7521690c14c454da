"""Sub-trajectory balance."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from crystalgfn.gflownet.objectives.objective import LearnedLogZ, ScoredBatch


class SubTrajectoryBalance(LearnedLogZ):
    """Balance of every sub-trajectory, SubTB(lambda) (arXiv 2209.12782).

    ``loss = mean of (log F(s_i) + sum log P_F - sum log P_B - log F(s_j))^2`` over all pairs i < j of a trajectory,
    with sums from s_i to s_j and weights ``lambda^(j - i)``

    For long trajectories and sparse rewards. The flow F is learned, and F(x) = R(x) at the end. log Z is added to the
    learned log-flow of every state, so that the network learns differences only.
    """

    flows: ClassVar[bool] = True

    subtb_lambda: float = Field(0.9, gt=0.0, le=1.0)
    """lambda of SubTB(lambda): the weight of a sub-trajectory falls by this factor per step."""

    def loss(self, batch: ScoredBatch, log_z: Tensor) -> Tensor:
        """See :meth:`Objective.loss`.

        Raises:
            ValueError: the policy has no flow head.
        """
        scores = batch.scores
        if scores.log_flow is None:
            raise ValueError("subtb needs a policy with flow=True")
        # pack the transitions of each trajectory to the left
        order = torch.argsort((~scores.is_step).int(), dim=1, stable=True)
        step = (scores.log_pf - scores.log_pb).gather(1, order)
        length = scores.is_step.sum(1)
        flow = (scores.log_flow + log_z).gather(1, order)
        positions = torch.arange(step.shape[1] + 1, device=step.device)
        flow = torch.cat((flow, torch.zeros_like(flow[:, :1])), 1)
        flow = torch.where(positions < length.unsqueeze(1), flow, batch.log_reward.unsqueeze(1))
        progress = torch.cat((torch.zeros_like(step[:, :1]), step.cumsum(1)), 1)
        potential = flow - progress  # equal at all states of a balanced trajectory
        gap = potential.unsqueeze(2) - potential.unsqueeze(1)
        later = positions.view(1, 1, -1) > positions.view(1, -1, 1)
        valid = later & (positions.view(1, 1, -1) <= length.view(-1, 1, 1))
        distance = (positions.view(1, 1, -1) - positions.view(1, -1, 1)).clamp(min=0)
        weight = self.subtb_lambda**distance * valid
        weight = weight / weight.sum((1, 2), keepdim=True)
        return (weight * gap.square()).sum((1, 2)).mean()
