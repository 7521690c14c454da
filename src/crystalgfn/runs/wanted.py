"""Ranges of properties that all samples of a model are predicted to lie in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.crystals.tables.schema import name_with_unit
from crystalgfn.errors import ConfigError
from crystalgfn.files.reading import sha256
from crystalgfn.properties.registry import resolve
from crystalgfn.proxies.models import WEIGHTS, shipped_models

Bounds = tuple[float | None, float | None]
"""Least and most of a property, in its unit; None for an open end."""


@dataclass(frozen=True)
class Wanted:
    """A range of a property.

    Attributes:
        name: name of the property, as :func:`crystalgfn.properties.registry.resolve` takes it.
        low: least value, in the unit of the property; minus infinity for none.
        high: largest value; infinity for none.
    """

    name: str
    low: float
    high: float
    prop: CheckedProperty = field(repr=False, compare=False)

    @classmethod
    def of(cls, name: str, bounds: Bounds) -> Wanted:
        """Read a range.

        Raises:
            PropertyError: there is no such property.
            ConfigError: not two ends, no numbers, or none between them.
        """
        prop = resolve(name)
        try:
            low, high = (float(end if end is not None else open_) for end, open_ in zip(bounds, OPEN, strict=True))
        except (TypeError, ValueError):
            low, high = math.nan, math.nan
        if not any_between(low, high):
            raise ConfigError(f"{name}: found {bounds!r}, allowed: (least, most), None for one open end")
        return cls(name, low, high, prop)

    @property
    def column(self) -> str:
        """Name of the column with the values, with its unit."""
        return name_with_unit(self.prop.name, self.prop.unit)

    @property
    def range(self) -> str:
        """The range in words, with its unit."""
        ends = [f"from {self.low:g}"] * (self.low > -math.inf) + [f"up to {self.high:g}"] * (self.high < math.inf)
        return " ".join([*ends, *[self.prop.unit] * bool(self.prop.unit)])

    @property
    def option(self) -> str:
        """The range as a user writes it: ``"band_gap=1.4:1.8"``."""
        return f"{self.name}={':'.join('' if end is None else f'{end:g}' for end in self.bounds)}"

    @property
    def bounds(self) -> list[float | None]:
        """Least and most, None for an open end: as JSON."""
        return [self.low if self.low > -math.inf else None, self.high if self.high < math.inf else None]

    def holds(self, values: Tensor) -> Tensor:
        """Which of the values ``(B,)`` lie in the range."""
        return (values >= self.low) & (values <= self.high)

    def check_column(self, crystals: Crystals, values: Tensor) -> None:
        """Refuse a property whose column in a table of B crystals is another one's of the same name.

        Args:
            crystals: with all columns of the table.
            values: the property of the crystals, ``(B,)``.

        Raises:
            ConfigError: the column holds other values, or text.
        """
        found, own = np.asarray(crystals.columns[self.column]), values.cpu().numpy()
        if found.dtype.kind not in "bif" or not np.allclose(found, own, rtol=1e-4, atol=1e-5):
            raise ConfigError(
                f"wanted: {self.name} is called {self.prop.name!r}, but the column {self.column!r} is of something "
                "else, allowed: a property of another name"
            )


OPEN = (-math.inf, math.inf)


def any_between(low: float | None, high: float | None) -> bool:
    """Whether a range has a number in it, and is not open at both ends."""
    least, most = (OPEN[0] if low is None else low), (OPEN[1] if high is None else high)
    return least <= most and least < math.inf and most > -math.inf and (least, most) != OPEN


def foreign(wanted: Iterable[Wanted], symbols: Iterable[str]) -> list[str]:
    """Those of some elements that one of the properties does not know, by atomic number."""
    known = [set(each.prop.elements) for each in wanted if each.prop.elements is not None]
    return sorted({symbol for symbol in symbols if not all(symbol in each for each in known)}, key=SYMBOLS.index)


def asked(options: Iterable[str], flag: str) -> dict[str, Bounds]:
    """Ranges from options such as ``"band_gap=1.4:1.8"`` or ``"density=5:"``.

    Raises:
        ConfigError: no name, no range, or a name that stands twice.
    """
    found: dict[str, Bounds] = {}
    for text in options:
        name, _, written = (part.strip() for part in text.rpartition("="))
        low, colon, high = written.partition(":")
        try:
            bounds = tuple(float(end) if end.strip() else None for end in (low, high))
        except ValueError:
            colon = ""
        if not name or not colon:
            raise ConfigError(
                f"{flag}: found {text!r}, allowed: NAME=LEAST:MOST, such as band_gap=1.4:1.8 or density=5:"
            )
        if not any_between(*bounds):
            raise ConfigError(
                f"{flag}: found {text!r}, allowed: numbers with LEAST no larger than MOST, one of which may be left out"
            )
        if name in found:
            raise ConfigError(f"{flag}: found {name} twice, allowed: once; a range has two ends: {name}=1:2")
        found[name] = (bounds[0], bounds[1])
    return found


def fingerprints(names: Iterable[str]) -> dict[str, str]:
    """Hashes of the weights of those properties that are folders of models, by name: another model is another wish."""
    found = {name: Path(name) / WEIGHTS for name in names if name not in shipped_models()}
    return {name: sha256(weights) for name, weights in found.items() if weights.is_file()}


def as_json(wanted: Iterable[Wanted]) -> Mapping[str, list[float | None]]:
    """The ranges as JSON."""
    return {each.name: each.bounds for each in wanted}
