"""Trajectory balance."""

from __future__ import annotations

from torch import Tensor

from crystalgfn.gflownet.objectives.objective import LearnedLogZ, ScoredBatch


class TrajectoryBalance(LearnedLogZ):
    """Trajectory balance (arXiv 2201.13259).

    ``loss = mean of (log Z + sum log P_F - sum log P_B - log R)^2``

    The objective of the paper. log Z is learned, and the policies cannot converge before it has.
    """

    def loss(self, batch: ScoredBatch, log_z: Tensor) -> Tensor:
        """See :meth:`Objective.loss`."""
        scores = batch.scores
        return (log_z + scores.log_pf_sum - scores.log_pb_sum - batch.log_reward).square().mean()
