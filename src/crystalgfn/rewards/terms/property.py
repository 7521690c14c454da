"""The term of a property: a strength times the log-reward that a goal gives to the values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, field_validator
from torch import Tensor

from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.errors import ConfigError
from crystalgfn.properties.hull_energy import EnergyAboveHull
from crystalgfn.properties.registry import SHIPPED
from crystalgfn.proxies.models import CARD, shipped_models
from crystalgfn.rewards.asks import Asks
from crystalgfn.rewards.goals import AtMost, Goal, Minimise, parse_goal
from crystalgfn.rewards.terms.term import Criterion, Surroundings, TermConfig
from crystalgfn.rewards.values import Values
from crystalgfn.section import Name

_ENERGIES = {EnergyAboveHull.name: Asks.STABILITY, "formation_energy": Asks.NOVELTY}


@dataclass(frozen=True)
class PropertyTerm:
    """``strength`` times the log-reward of ``goal`` for a property; see :class:`~crystalgfn.rewards.terms.term.Term`.

    Attributes:
        prop: the property.
        goal: goal for the values of the property.
        strength: factor of the log-reward.
        caution: number of standard deviations by which values are made worse before the goal sees them.
        weights: least and most of a further factor that is chosen when sampling, for conditional models; None for 1.

    Raises:
        ConfigError: ``caution`` is above 0, but the property has no ensemble.
    """

    prop: CheckedProperty
    goal: Goal
    strength: float = 1.0
    caution: float = 0.0
    weights: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.caution and not self.prop.has_deviation:
            raise ConfigError(f"caution: {self.prop.name!r} has no ensemble, allowed: 0, or another property")

    @property
    def asks(self) -> Asks:
        """Stability, for a low energy above the hull; no more than that, for a low formation energy beside it."""
        low = isinstance(self.goal, Minimise | AtMost)
        return _ENERGIES.get(self.prop.name, Asks.PROPERTY) if low else Asks.PROPERTY

    @property
    def criterion(self) -> Criterion:
        """The property, and the goal."""
        return Criterion(self.prop.name, self.prop.unit, self.goal)

    def log_reward(self, values: Values) -> Tensor:
        """Return the term ``(B,)``.

        Raises:
            PropertyError: a value of the property is not a finite number; names the crystal.
        """
        if not self.caution:
            return self.strength * self.goal(values.of(self.prop))
        margin = self.caution * values.deviation_of(self.prop)
        predicted = values.of(self.prop)
        # whichever end of the interval is worse, for any shape of goal
        return self.strength * torch.minimum(self.goal(predicted - margin), self.goal(predicted + margin))

    def columns(self, values: Values) -> dict[str, Tensor]:
        """Return the property, and its standard deviation where there is an ensemble and ``values`` has deviations."""
        columns = {self.criterion.column: values.of(self.prop)}
        if values.deviations and self.prop.has_deviation:
            deviation = Criterion(f"{self.prop.name}_std", self.prop.unit, self.goal)
            columns[deviation.column] = values.deviation_of(self.prop)
        return columns


class PropertyTermConfig(TermConfig):
    """A term of log R: ``strength`` times the log-reward that ``goal`` gives to the property."""

    property: Name = "formation_energy"
    """A property by name (``crystalgfn properties``), "module:function", an entry point, or the folder of a model."""
    goal: str | dict[str, float | tuple[float, float]] = "minimise"
    """``minimise``, ``maximise``, or ``{target: 1.34, width: 0.2}``, ``{between: [a, b], width: w}``, ``{at_most: a,
    width: w}``, ``{at_least: a, width: w}``; numbers in the unit of the property."""
    strength: float = Field(1.0, gt=0.0)
    """Factor of the term; with ``minimise`` and ``maximise``, the inverse temperature, 1 / unit of the property."""
    caution: float = Field(0.0, ge=0.0)
    """Number of standard deviations of the model's ensemble by which values are made worse before the goal sees them,
    so that the sampler does not seek crystals that the model is unsure of; needs a property with an ensemble."""
    weights: tuple[float, float] | None = None
    """Range of a further factor of the strength, ``[least, most]``: the sampler is trained for the whole range, and the
    factor is chosen when sampling (``--weight band_gap=2``); null for no such factor."""

    @field_validator("weights")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] < value[1]:
            raise ValueError(f"found {list(value)}, allowed: 0 < least < most")
        return value

    @field_validator("property")
    @classmethod
    def _from_any_folder(cls, value: str) -> str:
        """Write the folder of a model by its whole path, so that a run finds it from any folder."""
        named = value in (*SHIPPED, *shipped_models())
        return str(Path(value).resolve()) if not named and (Path(value) / CARD).is_file() else value

    @field_validator("goal", mode="before")
    @classmethod
    def _goal(cls, value: Any) -> Any:
        try:
            parse_goal(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return value

    def conditional(self) -> bool:
        """See :meth:`TermConfig.conditional`."""
        return self.weights is not None

    def subject(self) -> str | None:
        """See :meth:`TermConfig.subject`."""
        return self.property

    def build(self, surroundings: Surroundings) -> PropertyTerm:
        """Return the term.

        Raises:
            ConfigError: ``caution`` is above 0, but the property has no ensemble.
            PropertyError: there is no such property.
        """
        prop = surroundings.resolve(self.property)
        return PropertyTerm(prop, parse_goal(self.goal), self.strength, self.caution, self.weights)
