"""The term of the success probability, which is learned from the outcomes of earlier proposals."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field
from torch import Tensor

from crystalgfn.rewards.goals import Maximise
from crystalgfn.rewards.success_probability import SuccessProbability
from crystalgfn.rewards.terms.term import Criterion, Surroundings, TermConfig
from crystalgfn.rewards.values import Values

SUCCESS = Criterion("success_probability", "", Maximise())
"""The criterion of the term."""

LEAST = 1e-12
"""Lower probabilities count as this, so that the log-reward stays finite."""


@dataclass(frozen=True, eq=False)
class SuccessProbabilityTerm:
    """``power`` times the logarithm of the success probability; see :class:`~crystalgfn.rewards.terms.term.Term`."""

    model: SuccessProbability
    power: float = 1.0
    weights: None = None

    @property
    def criterion(self) -> Criterion:
        """The probability, as high as can be."""
        return SUCCESS

    def log_reward(self, values: Values) -> Tensor:
        """Return the term ``(B,)``."""
        return self.power * self._probability(values).clamp(min=LEAST).log()

    def columns(self, values: Values) -> dict[str, Tensor]:
        """Return the probability."""
        return {SUCCESS.column: self._probability(values)}

    def _probability(self, values: Values) -> Tensor:
        return values.once(self, lambda: self.model(values.crystals))


class SuccessProbabilityConfig(TermConfig):
    """The term power log(p), where p is the probability that a proposal succeeds; ``crystalgfn loop`` learns p."""

    model: str
    """File of a fitted success probability."""
    power: float = Field(2.0, ge=0.0)
    """The term multiplies the reward by the probability to this power."""

    def build(self, surroundings: Surroundings) -> SuccessProbabilityTerm:
        """Return the term.

        Raises:
            DataError: the file cannot be read.
        """
        return SuccessProbabilityTerm(SuccessProbability.load(self.model), self.power)
