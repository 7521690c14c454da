"""Goals for properties, as log-rewards of their values.

A goal is written as a word (``minimise``) or as a mapping with the name of its shape (``{target: 1.34, width: 0.2}``).
To add a goal, write a class like the classes below and put it into :data:`GOALS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from crystalgfn.errors import ConfigError, nearest

if TYPE_CHECKING:
    from torch import Tensor


class Goal(Protocol):
    """Log-reward of the values of a property; a term's strength multiplies it."""

    def __call__(self, values: Tensor) -> Tensor:
        """Values ``(B,)`` in the unit of the property -> log-rewards ``(B,)`` at strength 1."""
        ...


TAIL = 3.0
"""Distance from a target, in widths, up to which the reward is Gaussian."""


@dataclass(frozen=True)
class Minimise:
    """Low values: -value, so that the strength is the inverse temperature beta, 1 / unit (the paper: 8 per eV/atom)."""

    word: ClassVar[str | None] = "minimise"

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Goal`."""
        return -values


@dataclass(frozen=True)
class Maximise:
    """High values: +value."""

    word: ClassVar[str | None] = "maximise"

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Goal`."""
        return values


@dataclass(frozen=True)
class Near:
    """Values near ``target``: a Gaussian whose standard deviation is ``width`` at strength 1, with exponential tails.

    Beyond three widths the reward falls exponentially: rewards of e^-200 would only make training unstable.
    """

    word: ClassVar[str | None] = None
    target: float
    width: float

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Goal`."""
        x = ((values - self.target) / self.width).abs()
        near = x.clamp(max=TAIL)
        return -near * (x - 0.5 * near)


@dataclass(frozen=True)
class AtMost:
    """Values up to a bound; beyond, the reward falls like a Gaussian of ``width``, from one width on exponentially."""

    word: ClassVar[str | None] = None
    at_most: float
    width: float

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Goal`."""
        return -_distance((values - self.at_most) / self.width)


@dataclass(frozen=True)
class AtLeast:
    """Values from a bound up; below the bound, the reward falls as that of :class:`AtMost` above its bound."""

    word: ClassVar[str | None] = None
    at_least: float
    width: float

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Goal`."""
        return -_distance((self.at_least - values) / self.width)


@dataclass(frozen=True)
class Between:
    """Values in an interval; outside, the reward falls as that of :class:`AtMost`."""

    word: ClassVar[str | None] = None
    between: tuple[float, float]
    width: float

    def __call__(self, values: Tensor) -> Tensor:
        """See :class:`Goal`."""
        low, high = self.between
        return -_distance((values - high) / self.width) - _distance((low - values) / self.width)


GOALS: dict[str, Any] = {
    "minimise": Minimise,
    "maximise": Maximise,
    "target": Near,
    "at_most": AtMost,
    "at_least": AtLeast,
    "between": Between,
}
"""Every goal by its name in configurations."""


def _distance(beyond: Tensor) -> Tensor:
    """x^2 / 2 for 0 < x < 1, then x - 1/2; 0 below: smooth, and never steeper than 1."""
    x = beyond.clamp(min=0)
    near = x.clamp(max=1)
    return near * (x - 0.5 * near)


def parse_goal(spec: Any) -> Goal:
    """Read a goal from a configuration.

    Raises:
        ConfigError: there is no such goal, or its numbers make no sense; says what is allowed.
    """
    words = [name for name, shape in GOALS.items() if shape.word]
    shapes = [name for name in GOALS if name not in words]
    if isinstance(spec, str):
        name = {"minimize": "minimise", "maximize": "maximise"}.get(spec, spec)
        if name not in words:
            raise ConfigError(
                f"goal: found {spec!r}, allowed: {', '.join(words)}, or a mapping with one of "
                f"{', '.join(shapes)}{nearest(spec, list(GOALS))}"
            )
        goal: Goal = GOALS[name]()
        return goal
    if not isinstance(spec, Mapping):
        raise ConfigError(f"goal: found {spec!r}, allowed: {', '.join(words)}, or a mapping such as {{at_most: 5}}")
    names = [name for name in spec if name in shapes]
    if len(names) != 1:
        first = next((str(key) for key in spec), "nothing")
        raise ConfigError(
            f"goal: found {', '.join(map(str, spec)) or 'nothing'}, allowed: exactly one of {', '.join(shapes)}"
            f"{nearest(first, shapes)}"
        )
    name = names[0]
    shape = GOALS[name]
    keys = [f.name for f in fields(shape)]
    numbers: dict[str, Any] = {}
    for key, value in spec.items():
        if key not in keys:
            raise ConfigError(f"goal {name}: unknown key {key!r}, allowed: {', '.join(keys)}{nearest(key, keys)}")
        pair = key == "between"
        parts = list(value) if isinstance(value, list | tuple) and pair else [value]
        good = all(isinstance(x, int | float) and not isinstance(x, bool) and isfinite(x) for x in parts)
        if not good or (pair and (len(parts) != 2 or not parts[0] < parts[1])) or (key == "width" and not parts[0] > 0):
            allowed = "two numbers, low < high" if pair else "a number above 0" if key == "width" else "a number"
            raise ConfigError(f"goal {name}: {key} is {value!r}, allowed: {allowed}")
        numbers[key] = tuple(map(float, parts)) if pair else float(value)
    if "width" not in numbers:
        raise ConfigError(f"goal {name}: width is missing, allowed: a number above 0 in the unit of the property")
    goal = shape(**numbers)
    return goal
