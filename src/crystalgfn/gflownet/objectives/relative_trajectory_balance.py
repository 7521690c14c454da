"""Relative trajectory balance: from a prior to prior x reward."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from crystalgfn.gflownet.objectives.objective import Objective, ScoredBatch


class RelativeTrajectoryBalance(Objective):
    """Relative trajectory balance in its log-variance form (RTB, arXiv 2405.20971).

    ``loss = mean of (delta - mean of delta)^2``, with ``delta = sum log P_F - sum log P_prior - log R``

    The loss is 0 iff every trajectory has P_F proportional to P_prior R; crystals then follow prior x reward. The prior
    is a frozen policy over the same stages (``training.prior``). P_B does not occur: prior and policy share it.
    """

    prior: ClassVar[bool] = True

    def loss(self, batch: ScoredBatch, log_z: Tensor) -> Tensor:
        """See :meth:`Objective.loss`.

        Raises:
            ValueError: there is no prior.
        """
        if batch.log_prior is None:
            raise ValueError("rtb needs a prior")
        delta = batch.delta
        return (delta - delta.mean()).square().mean()
