"""The term of chemical classes: a factor for each class, by which a reward keeps its samples diverse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor

from crystalgfn.crystallography.chemical_classes import CLASSES
from crystalgfn.crystals.chemical_classes import classes_of
from crystalgfn.errors import nearest
from crystalgfn.rewards.asks import Asks
from crystalgfn.rewards.goals import Maximise
from crystalgfn.rewards.terms.term import Criterion, Surroundings, TermConfig
from crystalgfn.rewards.values import Values

CLASS_FACTOR = Criterion("class_factor", "", Maximise())
"""The criterion of the term."""


@dataclass(frozen=True, eq=False)
class ChemicalClassesTerm:
    """log(factor of the crystal's class); see :class:`~crystalgfn.rewards.terms.term.Term`.

    Attributes:
        factors: factor of each class in :data:`~crystalgfn.crystallography.chemical_classes.CLASSES`.
    """

    factors: dict[str, float]
    weights: None = None
    asks: ClassVar[Asks] = Asks.NOVELTY

    @property
    def criterion(self) -> Criterion:
        """The factor."""
        return CLASS_FACTOR

    def log_reward(self, values: Values) -> Tensor:
        """Return the term ``(B,)``."""
        return self._factor(values).log()

    def columns(self, values: Values) -> dict[str, Tensor]:
        """Return the factor."""
        return {CLASS_FACTOR.column: self._factor(values)}

    def _factor(self, values: Values) -> Tensor:
        crystals = values.crystals

        def factor() -> Tensor:
            return torch.tensor(
                [self.factors[name] for name in classes_of(crystals)],
                dtype=torch.float32,
                device=crystals.device,
            )

        return values.once(self, factor)


class ChemicalClassesConfig(TermConfig):
    """The term log(factor): makes crystals of some chemical classes more frequent than the other terms alone would."""

    factors: dict[str, float] = Field(default_factory=dict)
    """Factor of the reward of each class, above 0; 1 for classes that are not named: oxides, halides, chalcogenides,
    pnictides, intermetallics, others."""

    @field_validator("factors")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        for name, factor in value.items():
            if name not in CLASSES:
                raise ValueError(f"unknown class {name!r}, allowed: {', '.join(CLASSES)}{nearest(name, CLASSES)}")
            if not 0 < factor < float("inf"):
                raise ValueError(f"{name}: found {factor:g}, allowed: a factor above 0")
        return value

    def build(self, surroundings: Surroundings) -> ChemicalClassesTerm:
        """Return the term."""
        return ChemicalClassesTerm(dict.fromkeys(CLASSES, 1.0) | self.factors)
