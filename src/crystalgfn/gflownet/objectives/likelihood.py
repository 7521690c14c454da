"""Likelihood of real crystals."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from crystalgfn.gflownet.objectives.objective import Objective, ScoredBatch


class Likelihood(Objective):
    """Likelihood of real crystals, without a reward: the sampler learns their distribution, as a prior.

    ``loss = -mean of sum log P_F`` over trajectories drawn backward from real crystals

    Training runs in epochs over the table of ``training.data`` (:mod:`crystalgfn.gflownet.prior`): nothing is drawn
    forward, and AdamW is the optimiser. Weights are kept of the epoch with the highest likelihood of the held-out
    crystals. Of the keys beside the objective, ``batch_size``, ``lr``, ``schedule``, ``clip`` and ``ema`` count.
    """

    epochs: int = Field(18, ge=1)
    """Passes over the crystals."""
    warm_up: int = Field(100, ge=0)
    """Updates over which the learning rate rises to ``lr``."""
    weight_decay: float = Field(0.05, ge=0.0)
    """Decay of the weights (AdamW)."""
    held_out: float = Field(0.1, ge=0.0, lt=1.0)
    """Share of the reduced formulas whose crystals are held out, drawn by the seed; 0 keeps the last epoch."""
    max_above_hull: float | None = Field(0.1, ge=0.0)
    """Highest energy above the hull (eV/atom) of a crystal to learn from, where the table has a column
    ``e_above_hull``; crystals of unknown energy are then left out. Null for all crystals."""
    citation: str | None = None
    """Where the crystals come from, for the card."""

    def loss(self, batch: ScoredBatch, log_z: Tensor) -> Tensor:
        """See :meth:`Objective.loss`; trajectories of P_F and of replay do not count."""
        return -batch.scores.log_pf_sum[len(batch.log_reward) - batch.from_data :].mean()
