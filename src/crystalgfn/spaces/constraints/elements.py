"""Which elements may, must and must not occur."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import ConfigError
from crystalgfn.spaces.constraints.base import CompositionConstraint, Constraints, Option, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.constraints.reading import REQUIRED, as_list, subset, symbols, system


def usable(section: Mapping[str, Any]) -> list[str]:
    """Symbols that a section ``elements`` leaves usable."""
    allowed, forbidden, system = (section[kind.name] for kind in (Allowed, Forbidden, ChemicalSystem))
    return [symbol for symbol in allowed if symbol not in forbidden and (not system or symbol in system)]


def refuse_unusable(name: str, symbols: Iterable[str], section: Mapping[str, Any]) -> None:
    """Refuse elements of which a section ``elements`` leaves none.

    Raises:
        ValueError: says for each element why, and which are left.
    """
    reasons = []
    for symbol in symbols:
        if symbol in usable(section):
            continue
        if symbol in section[Forbidden.name]:
            reasons.append(f"{symbol} is forbidden")
        elif symbol not in section[Allowed.name]:
            reasons.append(f"{symbol} is no element of the space")
        else:
            reasons.append(f"{symbol} is not in {ChemicalSystem.name} {'-'.join(section[ChemicalSystem.name])}")
    if reasons:
        raise ValueError(f"{name}: {', '.join(reasons)}, allowed: {', '.join(usable(section)) or 'nothing'}")


class _ElementConstraint(CompositionConstraint):
    """A constraint whose value is a tuple of atomic numbers."""

    value: tuple[int, ...]
    section = "elements"
    rule = "elements"
    step = "elements asked for"

    @classmethod
    def annotation(cls) -> Any:
        """List of symbols."""
        return list[str]

    @classmethod
    def read(cls, written: Any) -> Any:
        """A list, or a text such as ``"Li, O"``."""
        return symbols(written)

    @classmethod
    def parse(cls, written: Any) -> tuple[int, ...]:
        """Atomic numbers."""
        return tuple(atomic_number(symbol) for symbol in written)


class Allowed(_ElementConstraint):
    """The vocabulary of the space."""

    name = "allowed"
    meaning = "Chemical symbols of the elements that may be used."
    default = REQUIRED

    @classmethod
    def narrow(cls, section: dict[str, Any], now: Any) -> None:
        """The vocabulary of the weights stays: elements that are no longer allowed become forbidden."""
        remaining = subset(cls.name, section["allowed"], as_list(now))
        removed = [symbol for symbol in section["allowed"] if symbol not in remaining]
        section["forbidden"] = sorted({*section["forbidden"], *removed})

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """No other element is usable."""
        return replace(limits, usable=limits.usable & set(self.value))

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether another element occurs."""
        return np.asarray((crystals.present & ~np.isin(crystals.numbers, self.value)).any(1))

    def written(self, constraints: Constraints) -> str:
        """One name for ``allowed`` and ``forbidden``, which are relaxed together."""
        return "allowed elements"

    def relaxed(self, constraints: Constraints) -> Constraints:
        """Every element of the space may be used."""
        return constraints.without("allowed", "forbidden")


class Required(_ElementConstraint):
    """Elements that must occur."""

    name = "required"
    meaning = "Elements that every crystal must hold."
    default: ClassVar[Any] = []
    option = Option.of_list("--require", "Elements every crystal holds.", "Li,O")

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """Every required element is usable."""
        refuse_unusable(cls.name, value, beside)

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The old elements and the new ones."""
        return sorted({*was, *as_list(now)})

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Require the elements."""
        return replace(limits, present=(*limits.present, *(z for z in self.value if z not in limits.present)))

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether an element is missing."""
        return np.any([crystals.of(z) == 0 for z in self.value], axis=0)

    def __str__(self) -> str:
        """The symbols."""
        return " ".join(SYMBOLS[z] for z in self.value)


class Forbidden(_ElementConstraint):
    """Elements that must not occur."""

    name = "forbidden"
    meaning = "Elements that no crystal may hold."
    default: ClassVar[Any] = []
    option = Option.of_list("--forbid", "Elements no crystal holds.", "F,Cl")

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The old elements and the new ones."""
        return sorted({*was, *as_list(now)})

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """The elements are not usable."""
        return replace(limits, usable=limits.usable - set(self.value))

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether one of the elements occurs."""
        return np.asarray((crystals.present & np.isin(crystals.numbers, self.value)).any(1))

    def written(self, constraints: Constraints) -> str:
        """One name for ``allowed`` and ``forbidden``, which are relaxed together."""
        return "allowed elements"


class ChemicalSystem(_ElementConstraint):
    """Elements beside which no other may occur; not all of them have to."""

    name = "chemsys"
    meaning = "A chemical system such as Li-P-S-Cl: these elements or fewer; empty for all."
    default: ClassVar[Any] = []
    option = Option("--chemsys", "These elements or fewer.", "Li-P-S-Cl")

    @classmethod
    def read(cls, written: Any) -> Any:
        """A list, or a text such as ``"Li-P-S-Cl"``."""
        return symbols(system(written))

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """Every element is one of the space."""
        refuse_unusable(cls.name, value, {**beside, cls.name: []})

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """Elements that the old system had, or any where there was none."""
        try:
            now = cls.read(now)
        except ValueError as error:
            raise ConfigError(f"restriction {cls.name}: {error}") from None
        return subset(cls.name, was, as_list(now)) if was else as_list(now)

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """No other element is usable."""
        return replace(limits, usable=limits.usable & set(self.value))

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether another element occurs."""
        return np.asarray((crystals.present & ~np.isin(crystals.numbers, self.value)).any(1))

    def __str__(self) -> str:
        """As chemists write it."""
        return "-".join(SYMBOLS[z] for z in self.value)
