"""What a training objective is: its own keys, what it needs from policies and trainer, and its loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from crystalgfn.policy.policy import Scores
from crystalgfn.section import Section


@dataclass(frozen=True)
class ScoredBatch:
    """What is known of the trajectories of one update, with their log-probabilities under the policies in training.

    Attributes:
        scores: log-probabilities of the B trajectories: first trajectories of P_F, then trajectories drawn backward
            from replayed states, then from data.
        log_reward: ``(B,)``.
        drawn: number of trajectories drawn from P_F.
        from_data: number of trajectories drawn backward from data.
        log_prior: ``(B,)``, log-probabilities of the trajectories under the prior, without gradients; None without a
            prior.
    """

    scores: Scores
    log_reward: Tensor
    drawn: int
    from_data: int = 0
    log_prior: Tensor | None = None

    @property
    def log_given_end(self) -> Tensor:
        """``(B,)`` what the target gives to a trajectory beside log R: sum log P_B, or sum log P_prior with a prior.

        The target is then prior x reward, and a P_B that prior and policy share has cancelled.
        """
        return self.scores.log_pb_sum if self.log_prior is None else self.log_prior

    @property
    def delta(self) -> Tensor:
        """``(B,)`` sum log P_F - sum log P_B - log R; with a prior, sum log P_F - sum log P_prior - log R."""
        return self.scores.log_pf_sum - self.log_given_end - self.log_reward

    @property
    def log_weight(self) -> Tensor:
        """``(B,)`` logarithms of the importance weights, minus delta."""
        return self.log_reward + self.log_given_end - self.scores.log_pf_sum

    def with_fixed_backward_policy(self) -> ScoredBatch:
        """The batch with unchanged numbers, but without gradients of P_B."""
        return replace(self, scores=replace(self.scores, log_pb=self.scores.log_pb.detach()))


class Objective(Section):
    """What the forward policy learns from; the backward policy too, unless it has an objective of its own.

    Class attributes say what an objective needs and where it is valid. An instance holds the values of its keys.
    """

    flows: ClassVar[bool] = False
    """Whether the policy has to learn the flow of states (``Scores.log_flow``)."""
    conditional: ClassVar[bool] = False
    """Whether the objective is right where log Z depends on a condition that a batch shares."""
    prior: ClassVar[bool] = False
    """Whether the target is prior x reward, so that a prior is needed (``ScoredBatch.log_prior``)."""

    def log_z_parameters(self) -> LogZParameters | None:
        """The weights that add up to a learned log Z; None for an objective without one."""
        return None

    def loss(self, batch: ScoredBatch, log_z: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            batch: trajectories with their scores and log-rewards.
            log_z: learned log Z, a scalar; 0 for an objective without one.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class LogZParameters:
    """A learned log Z: the sum of some weights.

    Attributes:
        lr: learning rate of the weights.
        weights: number of weights.
        start: whether log Z begins with the estimate from the first batch, or with zero.
    """

    lr: float
    weights: int
    start: Literal["batch", "zero"]


class LearnedLogZ(Objective):
    """The keys of an objective that learns log Z."""

    lr_log_z: float = Field(1e-2, gt=0.0)
    """Learning rate of log Z."""
    log_z_weights: int = Field(16, ge=1)
    """Number of weights whose sum is log Z."""
    log_z_start: Literal["batch", "zero"] = "batch"
    """Start log Z from an estimate on the first batch, or from zero."""

    def log_z_parameters(self) -> LogZParameters:
        """See :meth:`Objective.log_z_parameters`."""
        return LogZParameters(self.lr_log_z, self.log_z_weights, self.log_z_start)
