"""Policies, training and the whole configuration, with their defaults, limits and meaning."""

from __future__ import annotations

from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from crystalgfn.config.beside import objective_with_keys, objective_with_terms
from crystalgfn.config.constraints import ConstraintsConfig, FloatRange
from crystalgfn.gflownet.objectives.backward import TrajectoryLikelihood
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.gflownet.objectives.log_partition_variance import LogPartitionVariance
from crystalgfn.gflownet.objectives.registry import OBJECTIVES, ConfiguredBackwardObjective, ConfiguredObjective
from crystalgfn.rewards.terms.property import PropertyTermConfig
from crystalgfn.rewards.terms.registry import ConfiguredTerm
from crystalgfn.rewards.terms.term import TermConfig
from crystalgfn.section import Section


class PolicyConfig(Section):
    """Networks of the forward and backward policies."""

    width: int = Field(256, ge=8, le=4096)
    """Units per hidden layer."""
    layers: int = Field(3, ge=1, le=12)
    """Number of hidden layers."""
    shared: bool = True
    """One network for both policies; false gives the backward policy its own, as in the paper."""
    components: int = Field(5, ge=1, le=32)
    """Number of Beta distributions in the mixture of each lattice parameter."""
    beta_range: FloatRange = (1.0, 100.0)
    """Least and greatest value of the parameters of the Beta distributions."""
    look_ahead: Literal["counts", "elements", "learned"] = "counts"
    """The choice of an element starts from the completions after each count of the element, or (faster with many
    elements) from the completions after all counts together, without regard to charge, or (slower) from completions
    weighted by a learned factor for each (element, count). Masks are exact in any case."""
    dropout: float | None = Field(None, ge=0.0, lt=1.0)
    """Null for plain hidden layers; a number for residual ones with this dropout while a prior is trained."""
    remembered_patterns: int = Field(0, ge=0, le=100_000)
    """With ``sites: wyckoff``: most site patterns of real crystals that a policy remembers beside its network."""
    recognised_crystals: int = Field(0, ge=0, le=1_000_000)
    """With ``sites: wyckoff``: most crystals that a policy recognises before their last element, with a weight that it
    learns for completing them. With a prior, these are the crystals of ``training.data``."""
    recognised_formulas: int = Field(0, ge=0, le=1_000_000)
    """With ``sites: wyckoff``: most formulas that a policy recognises before their last element, with a weight that it
    learns for completing them. With a prior, these are the formulas that the term ``formula`` knows."""


class ReplayConfig(Section):
    """Replay: training on the best samples so far, through trajectories drawn backward from these samples."""

    share: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of replayed samples in each batch; 0 switches replay off."""
    capacity: int = Field(10_000, ge=1)
    """Largest number of samples in the replay buffer."""
    start: int = Field(1_000, ge=1)
    """Number of samples in the replay buffer before replay begins."""


class DataTrajectoriesConfig(Section):
    """Trajectories drawn backward from real crystals."""

    path: str
    """A table of crystals; rows outside the space are left out."""
    share: float = Field(0.25, gt=0.0, lt=1.0)
    """Share of these trajectories in each batch; the objective ``likelihood`` learns from no others."""


class TrainingConfig(Section):
    """Objective, optimiser and exploration."""

    start: str | None = None
    """Initial weights: a preset that ships weights, or a run folder of the same space; null for random weights. Site
    patterns that those weights remember come along, except into the training of a prior, which remembers its own."""
    prior: str | None = None
    """The prior of objective ``rtb``, whose samples the reward reweights: a preset that ships weights, or a run folder;
    its constraints are at least as wide as these. Null for none."""
    iterations: int = Field(5_000, ge=1)
    """Number of updates of the weights."""
    batch_size: int = Field(100, ge=2)
    """Trajectories per update."""
    rollout_batches: int | None = Field(None, ge=1)
    """Batches per rollout: one large rollout is followed by an update for each batch; 1 always draws with the newest
    weights. Null for 5, or as many as make 200 trajectories."""
    passes: int = Field(1, ge=1)
    """Passes over the batches of a rollout; more passes learn more per query of the reward and take longer."""
    objective: ConfiguredObjective = LogPartitionVariance()
    """Log-partition variance (``vargrad``), trajectory balance (``tb``), or SubTB(lambda) (``subtb``), which learn the
    reward; relative trajectory balance (``rtb``), which learns prior x reward and needs a ``prior``; or the likelihood
    of real crystals (``likelihood``). ``{tb: {log_z_start: zero}}`` sets keys of the objective, which may also be
    written beside it."""
    backward: ConfiguredBackwardObjective = TrajectoryLikelihood()
    """How the backward policy is trained: by the objective (``learned``), or by trajectory likelihood (``tlm``)."""
    lr: float = Field(3e-3, gt=0.0)
    """Learning rate of the policies (Adam)."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """Schedule of the learning rate over the run; ``cosine`` decays to 1 % of ``lr``."""
    clip: float | None = Field(1.0, gt=0.0)
    """Norm to which larger gradients are clipped; null for no clipping."""
    ema: float = Field(0.995, ge=0.0, lt=1.0)
    """Decay of the moving average of the weights; samples are drawn from the average. 0 for the last weights."""
    epsilon: float = Field(0.05, ge=0.0, le=1.0)
    """Share of actions drawn uniformly from the allowed actions, at the start of the run."""
    epsilon_final: float = Field(0.0, ge=0.0, le=1.0)
    """The same share at the end of the run."""
    replay: ReplayConfig = ReplayConfig()
    """Replay of the best samples."""
    data: DataTrajectoriesConfig | None = None
    """Real crystals as a further source of trajectories; null for none."""
    checkpoint_every: int = Field(500, ge=1)
    """Iterations between checkpoints, rounded up to whole rollouts."""
    log_every: int = Field(20, ge=1)
    """Iterations between rows of metrics.csv."""

    @model_validator(mode="before")
    @classmethod
    def _keys_beside(cls, content: Any) -> Any:
        return objective_with_keys(content, set(cls.model_fields))

    @model_validator(mode="after")
    def _prior_where_needed(self) -> TrainingConfig:
        if self.objective.prior != (self.prior is not None):
            names = " or ".join(name for name, objective in OBJECTIVES.items() if objective.prior)
            found = f"found prior {self.prior}" if self.prior is not None else "found no prior"
            raise ValueError(f"{found}, allowed: objective {names} with a prior, or another objective without one")
        return self


def _usual_objective() -> list[TermConfig]:
    """The objective of the paper, for a configuration without one."""
    return [PropertyTermConfig(strength=8.0)]


class Config(Section):
    """A run: constraints on the samples, objective, policy and training."""

    constraints: ConstraintsConfig
    """Constraints on what is sampled."""
    objective: list[ConfiguredTerm] = Field(default_factory=_usual_objective)
    """The reward: terms whose log-rewards add up; the list may be empty for ``training.objective: likelihood``, which
    learns no reward. A term with a name, such as ``{stability: {beta: 20}}``, may also be written beside the list, as a
    section ``stability``: it is read as the last term."""
    policy: PolicyConfig = PolicyConfig()
    """Networks of the policies."""
    training: TrainingConfig = TrainingConfig()
    """How the policies are trained."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of every random draw."""

    @model_validator(mode="before")
    @classmethod
    def _terms_beside(cls, content: Any) -> Any:
        return objective_with_terms(content, _usual_objective())

    @model_validator(mode="after")
    def _something_to_learn(self) -> Config:
        if not self.objective and not self.is_prior:
            raise ValueError("objective: found no term, allowed: 1 or more; none with training.objective likelihood")
        return self

    @model_validator(mode="after")
    def _conditional(self) -> Config:
        training = self.training
        if self.conditions and (
            not training.objective.conditional or training.replay.share or training.data is not None
        ):
            allowed = " or ".join(name for name, objective in OBJECTIVES.items() if objective.conditional)
            raise ValueError(f"objective weights need training.objective {allowed}, without replay and data")
        return self

    @model_validator(mode="after")
    def _one_measure(self) -> Config:
        if self.training.prior is not None and self.constraints.measure != "cube":
            raise ValueError("a prior has a measure of its own: found lebesgue, allowed: constraints.measure cube")
        return self

    @property
    def is_prior(self) -> bool:
        """Whether the run learns the distribution of real crystals, not the reward."""
        return isinstance(self.training.objective, Likelihood)

    @property
    def conditions(self) -> int:
        """Number of terms of the objective whose weights are chosen when sampling."""
        return sum(term.conditional() for term in self.objective)

    @property
    def first_property(self) -> str:
        """The property of the first term that names one, as written; the formation energy if no term names one."""
        subjects = [subject for term in self.objective if (subject := term.subject()) is not None]
        return subjects[0] if subjects else PropertyTermConfig().property

    def to_yaml(self) -> str:
        """The whole configuration, including defaults."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)
