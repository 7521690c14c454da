"""Policies, training and the whole configuration, with their defaults, limits and meaning."""

from __future__ import annotations

from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from crystalgfn.config.beside import objective_with_keys, objective_with_terms
from crystalgfn.config.constraints import ConstraintsConfig, FloatRange
from crystalgfn.gflownet.objectives.backward import TrajectoryLikelihood
from crystalgfn.gflownet.objectives.log_partition_variance import LogPartitionVariance
from crystalgfn.gflownet.objectives.registry import OBJECTIVES, ConfiguredBackwardObjective, ConfiguredObjective
from crystalgfn.rewards.terms.property import PropertyTermConfig
from crystalgfn.rewards.terms.registry import ConfiguredTerm
from crystalgfn.rewards.terms.term import TermConfig
from crystalgfn.section import Section


class PolicyConfig(Section):
    """Networks of the forward and the backward policy."""

    width: int = Field(256, ge=8, le=4096)
    """Units a hidden layer."""
    layers: int = Field(3, ge=1, le=12)
    """Hidden layers."""
    shared: bool = True
    """One network for both policies; false gives the backward policy its own, as in the paper."""
    components: int = Field(5, ge=1, le=32)
    """Beta distributions in the mixture of each lattice parameter."""
    beta_range: FloatRange = (1.0, 100.0)
    """Least and most value of their parameters."""
    look_ahead: Literal["counts", "elements", "learned"] = "counts"
    """The choice of an element starts from the completions after each of its counts, or (faster where there are many
    elements) from the completions after all counts together, charge left aside, or (slower) from completions weighted
    by the learned worth of each (element, count). Masks are exact in any case."""


class ReplayConfig(Section):
    """Training again on the best samples so far, through trajectories drawn backward from them."""

    share: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of each batch; 0 switches replay off."""
    capacity: int = Field(10_000, ge=1)
    """Samples kept."""
    start: int = Field(1_000, ge=1)
    """Samples kept before replay begins."""


class DataTrajectoriesConfig(Section):
    """Trajectories drawn backward from real crystals."""

    path: str
    """A crystals table; rows outside the space are left out and counted."""
    share: float = Field(0.25, gt=0.0, lt=1.0)
    """Share of each batch."""


class TrainingConfig(Section):
    """Objective, optimiser and exploration."""

    start: str | None = None
    """Weights to begin with: a preset that has some, or a run folder of the same space; null for random ones."""
    iterations: int = Field(5_000, ge=1)
    """Updates of the weights."""
    batch_size: int = Field(100, ge=2)
    """Trajectories an update."""
    rollout_batches: int | None = Field(None, ge=1)
    """Batches drawn at once: one large rollout, then an update for each batch; 1 draws with the newest weights. Null
    for 5, or as many as make 200 trajectories."""
    passes: int = Field(1, ge=1)
    """Times the batches of a rollout are trained on; more learn more from each query of the reward, and take longer."""
    objective: ConfiguredObjective = LogPartitionVariance()
    """Log-partition variance (``vargrad``), trajectory balance (``tb``), or SubTB(lambda) (``subtb``); ``{tb:
    {log_z_start: zero}}`` to set its keys, which may also stand beside it."""
    backward: ConfiguredBackwardObjective = TrajectoryLikelihood()
    """Backward policy trained by the objective (``learned``), or by trajectory likelihood (``tlm``)."""
    lr: float = Field(3e-3, gt=0.0)
    """Learning rate of the policies (Adam)."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Learning rate over the run; cosine ends at 1 %."""
    clip: float | None = Field(1.0, gt=0.0)
    """Largest norm of the gradient; null for none."""
    ema: float = Field(0.995, ge=0.0, lt=1.0)
    """Decay of the moving average of the weights that samples are drawn from; 0 for the last weights."""
    epsilon: float = Field(0.05, ge=0.0, le=1.0)
    """Share of actions drawn uniformly from the allowed ones, at the start ..."""
    epsilon_final: float = Field(0.0, ge=0.0, le=1.0)
    """... and at the end."""
    replay: ReplayConfig = ReplayConfig()
    """Replay of the best samples."""
    data: DataTrajectoriesConfig | None = None
    """Real crystals as a source of trajectories; null for none."""
    checkpoint_every: int = Field(500, ge=1)
    """Iterations between checkpoints, rounded up to whole rollouts."""
    log_every: int = Field(20, ge=1)
    """Iterations between rows of metrics.csv."""

    @model_validator(mode="before")
    @classmethod
    def _keys_beside(cls, content: Any) -> Any:
        return objective_with_keys(content, set(cls.model_fields))


def _usual_objective() -> list[TermConfig]:
    """The objective of the paper, where a configuration names none."""
    return [PropertyTermConfig(strength=8.0)]


class Config(Section):
    """A run: what is sampled, what for, and how it is learned."""

    constraints: ConstraintsConfig
    """What may be sampled."""
    objective: list[ConfiguredTerm] = Field(default_factory=_usual_objective, min_length=1)
    """What is wanted: terms whose log-rewards add. A term with a name, as ``{stability: {beta: 20}}``, may also stand
    beside the list, as a section ``stability``: it is read as the last term."""
    policy: PolicyConfig = PolicyConfig()
    """Networks."""
    training: TrainingConfig = TrainingConfig()
    """How they are trained."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Of every random draw."""

    @model_validator(mode="before")
    @classmethod
    def _terms_beside(cls, content: Any) -> Any:
        return objective_with_terms(content, _usual_objective())

    @model_validator(mode="after")
    def _conditional(self) -> Config:
        training = self.training
        if self.conditions and (
            not training.objective.conditional or training.replay.share or training.data is not None
        ):
            allowed = " or ".join(name for name, objective in OBJECTIVES.items() if objective.conditional)
            raise ValueError(f"objective weights need training.objective {allowed}, without replay and data")
        return self

    @property
    def conditions(self) -> int:
        """Terms of the objective whose weights are given when sampling."""
        return sum(term.conditional() for term in self.objective)

    @property
    def first_property(self) -> str:
        """The property of the first term that names one, as it is written; the formation energy where none does."""
        subjects = [subject for term in self.objective if (subject := term.subject()) is not None]
        return subjects[0] if subjects else PropertyTermConfig().property

    def to_yaml(self) -> str:
        """The whole configuration, defaults included."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)
