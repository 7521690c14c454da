"""Log-partition variance, or VarGrad."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from crystalgfn.gflownet.objectives.objective import Objective, ScoredBatch


class LogPartitionVariance(Objective):
    """Variance of delta over the batch (VarGrad, arXiv 2302.05446).

    ``loss = mean of (delta - mean of delta)^2``, with ``delta = sum log P_F - sum log P_B - log R``

    The default. The batch mean stands in for -log Z, so no learned log Z can lag behind. All trajectories of a batch
    share one condition, so the objective is right for conditional policies as well.
    """

    conditional: ClassVar[bool] = True

    def loss(self, batch: ScoredBatch, log_z: Tensor) -> Tensor:
        """See :meth:`Objective.loss`."""
        delta = batch.delta
        return (delta - delta.mean()).square().mean()
