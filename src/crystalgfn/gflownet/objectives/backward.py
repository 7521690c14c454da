"""What the backward policy learns from."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from crystalgfn.gflownet.objectives.objective import ScoredBatch
from crystalgfn.section import Section


class BackwardObjective(Section):
    """What P_B learns from."""

    own: ClassVar[bool] = True
    """Whether P_B learns from :meth:`loss` alone, and is fixed for the objective of P_F; if not, it learns from that
    objective."""

    def loss(self, batch: ScoredBatch) -> Tensor:
        """Return the loss of P_B, a scalar."""
        raise NotImplementedError


class LearnedByObjective(BackwardObjective):
    """P_B learns from the objective of P_F."""

    own: ClassVar[bool] = False


class TrajectoryLikelihood(BackwardObjective):
    """Trajectory likelihood maximisation (arXiv 2410.15474), the default.

    ``loss = -mean of sum log P_B`` over trajectories drawn from P_F, so that P_B follows the paths that P_F takes.
    """

    def loss(self, batch: ScoredBatch) -> Tensor:
        """See :meth:`BackwardObjective.loss`."""
        return -batch.scores.log_pb[: batch.drawn].sum(1).mean()
