"""Relative trajectory balance: from a prior to prior x reward."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from crystalgfn.gflownet.objectives.objective import Objective, ScoredBatch


class RelativeTrajectoryBalance(Objective):
    """Relative trajectory balance in its log-variance form (RTB, arXiv 2405.20971).

    ``loss = variance of delta``, with ``delta = sum log P_F - sum log P_prior - log R``

    The loss is 0 iff every trajectory has P_F proportional to P_prior R; crystals then follow prior x reward. The prior
    is a frozen policy over the same stages (``training.prior``). P_B does not occur: prior and policy share it.

    The variance may be taken over any distribution of trajectories. Over the policy's own, a policy too small for the
    target makes the mean log-weight alike everywhere, which gives too little to crystals whose weights differ much
    among each other. With ``towards_target`` trajectories count in part by their importance weights, as if the target
    had drawn them: then what the target holds is not left out.
    """

    prior: ClassVar[bool] = True

    towards_target: float = Field(0.0, ge=0.0, le=1.0)
    """Share of the loss that counts trajectories by their importance weights in the batch, cut at the square root of
    its size times their mean; the rest counts them alike."""

    def loss(self, batch: ScoredBatch, log_z: Tensor) -> Tensor:
        """See :meth:`Objective.loss`.

        Raises:
            ValueError: there is no prior.
        """
        if batch.log_prior is None:
            raise ValueError("rtb needs a prior")
        delta = batch.delta
        counts = torch.full_like(delta, 1 / len(delta))
        if self.towards_target:
            counts = torch.lerp(counts, _weights(batch.log_weight.detach()), self.towards_target)
        return (counts * (delta - (counts * delta).sum()).square()).sum()


def _weights(log_weight: Tensor) -> Tensor:
    """Importance weights ``(B,)`` that add up to 1: cut at sqrt(B) times their mean, what is cut off shared by all."""
    finite = torch.where(log_weight.isfinite(), log_weight, -torch.inf)
    cut = finite.softmax(0).clamp(max=len(log_weight) ** -0.5)
    return cut + (1 - cut.sum()) / len(log_weight)
