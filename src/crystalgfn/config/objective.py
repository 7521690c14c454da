"""The section ``objective`` of a configuration: what is wanted of the samples."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from crystalgfn.config.section import Section
from crystalgfn.errors import ConfigError
from crystalgfn.rewards.goals import parse_goal


class TermConfig(Section):
    """One term: log R has ``strength`` times what ``goal`` makes of the property."""

    property: str = "formation_energy"
    """A property by name (``crystalgfn properties``), "module:function", an entry point, or the folder of a model."""
    goal: str | dict[str, float | tuple[float, float]] = "minimise"
    """``minimise``, ``maximise``, or ``{target: 1.34, width: 0.2}``, ``{between: [a, b], width: w}``, ``{at_most: a,
    width: w}``, ``{at_least: a, width: w}``; numbers in the unit of the property."""
    strength: float = Field(1.0, gt=0.0)
    """Of the term; with ``minimise`` and ``maximise`` the inverse temperature, 1 / unit of the property."""
    caution: float = Field(0.0, ge=0.0)
    """Standard deviations of the model's ensemble by which values are worsened before the goal sees them, so that
    what a model is unsure of is not hunted; needs a property with an ensemble."""

    weights: tuple[float, float] | None = None
    """Least and most of a further factor of the strength: the sampler is trained for all of them, and the factor is
    given when sampling (``--weight band_gap=2``); null for none."""

    @field_validator("weights")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] < value[1]:
            raise ValueError(f"found {list(value)}, allowed: 0 < least < most")
        return value

    @field_validator("goal", mode="before")
    @classmethod
    def _goal(cls, value: Any) -> Any:
        try:
            parse_goal(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return value


class StabilityConfig(Section):
    """A term -beta max(E above hull, floor); the first term's property is a formation energy."""

    hull: str = "builtin"
    """"builtin", "mp", or a table of phases."""
    beta: float = Field(20.0, ge=0.0)
    """Inverse temperature, per eV/atom above the hull."""
    floor: float = 0.05
    """eV/atom; crystals predicted lower count as this. No crystal lies below a true hull, and what is predicted lower
    than the error of the property is mostly an error."""


class ChanceConfig(Section):
    """A term power log(chance): the chance that a proposal comes out as wanted; ``crystalgfn loop`` learns it."""

    model: str
    """File of the chances."""
    power: float = Field(2.0, ge=0.0)
    """The factor of the reward is the chance to this power."""
