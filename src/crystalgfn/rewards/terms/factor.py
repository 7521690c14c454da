"""Terms that multiply the reward of some crystals by a constant factor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.rewards.asks import Asks
from crystalgfn.rewards.goals import Maximise, Minimise
from crystalgfn.rewards.terms.term import Criterion
from crystalgfn.rewards.values import Values


@dataclass(frozen=True, eq=False)
class FactorTerm:
    """log(factor) for crystals on the wrong side of a property, 0 for others.

    See :class:`~crystalgfn.rewards.terms.term.Term`.

    Attributes:
        prop: property that is 1 or 0.
        factor: factor of the reward, above 0.
        of: value of the property, 1 or 0, at which the factor applies.
    """

    prop: CheckedProperty
    factor: float
    of: int
    weights: None = None
    asks: ClassVar[Asks] = Asks.NOVELTY

    @property
    def criterion(self) -> Criterion:
        """The property, and the value at which the reward is not multiplied by a factor below 1."""
        low = (self.of == 1) == (self.factor <= 1)
        return Criterion(self.prop.name, self.prop.unit, Minimise() if low else Maximise())

    def log_reward(self, values: Values) -> Tensor:
        """Return the term ``(B,)``.

        Raises:
            PropertyError: the property has no value for the crystals.
        """
        return math.log(self.factor) * (values.of(self.prop) == self.of)

    def columns(self, values: Values) -> dict[str, Tensor]:
        """Return the property."""
        return {self.criterion.column: values.of(self.prop)}
