"""Hard bounds on the conventional cell: five constraints, and the plain data that decoders read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from crystalgfn.crystallography.elements import ATOMIC_MASS
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.spaces.constraints.base import Constraint, Option, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals, outside
from crystalgfn.spaces.constraints.reading import check_ordered, inside, numbers

MAX_AXIS_RATIO = 7.5
"""Largest ratio of two lengths for lattices of kind ``volume`` where the configuration leaves it open."""

ATOMIC_MASS_UNIT = 1.66053906660
"""Density of one g/mol per A^3, in g/cm3 (CODATA 2018)."""

_UNITS = {"lengths": " A", "angles": " degree", "volume_per_atom": " A^3", "density": " g/cm3"}
_NOTES = {"density": " (for the lightest and the heaviest composition alike)"}


@dataclass(frozen=True)
class LatticeBounds:
    """Bounds on cells as in tables (rhombohedral groups: hexagonal axes); None for no bound; ends are inclusive.

    Args:
        lengths: least and most a, b and c, A.
        angles: least and most alpha, beta and gamma, degree; angles that symmetry fixes (90, 120) count too.
        volume_per_atom: least and most, A^3.
        density: least and most, g/cm3.
        longest_over_shortest: largest ratio of the longest of a, b, c to the shortest.

    Raises:
        ConstraintError: a bound that no cell can hold, or only cells of measure zero.
    """

    lengths: tuple[float, float] | None = None
    angles: tuple[float, float] | None = None
    volume_per_atom: tuple[float, float] | None = None
    density: tuple[float, float] | None = None
    longest_over_shortest: float | None = None

    def __post_init__(self) -> None:
        for name, unit in _UNITS.items():
            interval, most = getattr(self, name), 180.0 if name == "angles" else float("inf")
            if interval is not None and not 0 < interval[0] < interval[1] < most:
                limit = " < 180" if name == "angles" else ", both finite"
                raise ConstraintError(f"lattice.{name}: found {list(interval)}{unit}, allowed: 0 < low < high{limit}")
        ratio = self.longest_over_shortest
        if ratio is not None and not 1 < ratio < float("inf"):
            raise ConstraintError(f"lattice.longest_over_shortest: found {ratio:g}, allowed: above 1, finite")

    def descriptions(self) -> dict[str, str]:
        """The bounds that are set, each with its name and value as a reader of the configuration knows them."""
        texts = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                shown = f"{value:g}" if isinstance(value, (int, float)) else "[{:g}, {:g}]".format(*value)
                texts[field.name] = f"lattice.{field.name} {shown}{_UNITS.get(field.name, '')}"
        return texts

    def explanations(self) -> dict[str, str]:
        """The :meth:`descriptions`, with a note on what a bound means where that is not plain."""
        return {name: text + _NOTES.get(name, "") for name, text in self.descriptions().items()}

    def without(self, name: str) -> LatticeBounds:
        """All bounds but one."""
        relaxed: Any = {name: None}
        return replace(self, **relaxed)


NO_BOUNDS = LatticeBounds()
"""No bounds beyond the ranges of the decoder itself."""


class CellBound(Constraint[LatticeBounds]):
    """A bound on cells."""

    section = "lattice"
    subspace = "lattice"
    step = "lengths and angles"
    sets_volume: ClassVar[bool] = False
    """Whether it bounds the volume, so that samples are not checked against the band around the estimate."""

    def contribute(self, limits: LatticeBounds) -> LatticeBounds:
        """Set the bound.

        Raises:
            ConstraintError: no cell can keep to the bound.
        """
        bound: Any = {self.name: self.value}
        return replace(limits, **bound)


class Interval(CellBound):
    """Least and most of a number, both included."""

    value: tuple[float, float]

    @classmethod
    def annotation(cls) -> Any:
        """Two numbers."""
        return tuple[float, float] | None

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """The bounds are positive and rise."""
        check_ordered(cls.name, value)

    @classmethod
    def parse(cls, written: Any) -> tuple[float, float]:
        """A pair."""
        low, high = written
        return low, high

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """Bounds within those of training, if training had any."""
        return inside(cls.name, was, now) if isinstance(was, list) else now


class Lengths(Interval):
    """Lengths a, b and c, A."""

    name = "lengths"
    meaning = "Least and most a, b and c, A."
    option = Option("--lengths", "a, b and c, A.", "3:20", numbers)
    sets_volume = True

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether a length is too short or too long."""
        return np.any(outside(crystals.lengths, self.value), axis=1)


class Angles(Interval):
    """Angles alpha, beta and gamma, degree; angles that symmetry fixes count too."""

    name = "angles"
    meaning = "Least and most alpha, beta and gamma, degree; groups with fixed angles outside are left out."
    option = Option("--angles", "alpha, beta and gamma, degree.", "75:135", numbers)

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """The bounds rise, and are angles of a cell."""
        if value is not None and not 0 < value[0] < value[1] < 180:
            raise ValueError(f"{cls.name}: found {list(value)}, allowed: 0 < least < most < 180 degree")

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether an angle is too small or too large."""
        return np.any(outside(crystals.angles, self.value), axis=1)


class VolumePerAtom(Interval):
    """Volume per atom, A^3."""

    name = "volume_per_atom"
    step = "space for the atoms"
    meaning = "Least and most volume per atom, A^3; ``auto`` for the estimate from the composition times ``volume``."
    default = "auto"
    option = Option("--volume-per-atom", "A^3.", "8:20", numbers)
    sets_volume = True

    @classmethod
    def annotation(cls) -> Any:
        """A word or two numbers."""
        return Literal["auto"] | tuple[float, float]

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """Numbers are positive and rise."""
        if value != "auto":
            super().check(value, beside)

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> VolumePerAtom | None:
        """None where the volume is left to the estimate."""
        written = section[cls.section][cls.name]
        return None if written == "auto" else cls(cls.parse(written))

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether an atom has too little or too much room."""
        return outside(crystals.volume / crystals.n_atoms, self.value)


class Density(Interval):
    """Density, g/cm3."""

    name = "density"
    step = "density"
    meaning = "Least and most density, g/cm3."
    option = Option("--density", "g/cm3.", "2:4", numbers)
    sets_volume = True

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether the crystal is too light or too dense."""
        mass = crystals.counts @ ATOMIC_MASS[list(crystals.elements)]
        return outside(ATOMIC_MASS_UNIT * mass / crystals.volume, self.value)


class LongestOverShortest(CellBound):
    """Largest ratio of two of a, b and c."""

    value: float
    name = "longest_over_shortest"
    meaning = f"Largest ratio of two of a, b and c; null for {MAX_AXIS_RATIO:g} (``volume``) or no bound (``box``)."
    option = Option("--longest-over-shortest", "Largest ratio of two of a, b, c.", "3", kind=float)

    @classmethod
    def annotation(cls) -> Any:
        """A number above 1."""
        from pydantic import Field

        return Annotated[float | None, Field(gt=1.0)]

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> LongestOverShortest | None:
        """The ratio asked for, or the usual ratio of the kind of lattice."""
        own = section[cls.section]
        if own[cls.name] is not None:
            return cls(own[cls.name])
        return UsualRatio(MAX_AXIS_RATIO) if own["kind"] == "volume" else None

    @classmethod
    def narrow(cls, section: dict[str, Any], now: Any) -> None:
        """Not above the ratio of training, which may be the usual ratio of the kind of lattice."""
        was = section[cls.name]
        most = MAX_AXIS_RATIO if was is None and section["kind"] == "volume" else was
        if now is None and most is not None:
            raise ConfigError(f"restriction {cls.name}: found null, allowed: {most!r}, or narrower")
        if most is not None and not (isinstance(now, int | float) and now <= most):
            raise ConfigError(f"restriction {cls.name}: found {now!r}, allowed: up to {most:g}, as in training")
        section[cls.name] = now

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether the cell is longer or flatter."""
        return outside(crystals.lengths.max(1) / crystals.lengths.min(1), (1.0, self.value))


class UsualRatio(LongestOverShortest):
    """The ratio that lattices of kind ``volume`` keep to by themselves: a check, not a further bound."""

    def contribute(self, limits: LatticeBounds) -> LatticeBounds:
        """Leave the limits as they are."""
        return limits
