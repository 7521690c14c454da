"""What a term of the log-reward is, and how it is configured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.crystals.tables.schema import name_with_unit
from crystalgfn.errors import PropertyError
from crystalgfn.properties.registry import resolve
from crystalgfn.rewards.asks import Asks
from crystalgfn.rewards.goals import Goal
from crystalgfn.rewards.values import Values
from crystalgfn.section import Section


@dataclass(frozen=True)
class Criterion:
    """A number by which samples are ranked and compared, and its goal.

    Attributes:
        name: name of the number.
        unit: unit, such as ``"eV/atom"``; empty for a pure number.
        goal: goal for the number.
    """

    name: str
    unit: str
    goal: Goal

    @property
    def column(self) -> str:
        """Name of the number's column, with its unit."""
        return name_with_unit(self.name, self.unit)


class Term(Protocol):
    """A summand of the log-reward of crystals.

    Attributes:
        criterion: the number by which the term compares samples; one column of :meth:`columns` holds it.
        weights: least and most of a further factor that is chosen when sampling, for conditional models, by the name of
            the criterion; None for 1.
        asks: what the term asks for.
    """

    @property
    def asks(self) -> Asks:
        """See the class."""
        ...

    @property
    def criterion(self) -> Criterion:
        """See the class."""
        ...

    @property
    def weights(self) -> tuple[float, float] | None:
        """See the class."""
        ...

    def log_reward(self, values: Values) -> Tensor:
        """Return the term ``(B,)`` float32 for B crystals, on their device.

        Raises:
            CrystalGFNError: the term has no value for a crystal; names the crystal.
        """
        ...

    def columns(self, values: Values) -> dict[str, Tensor]:
        """Return the term's columns in a table of the crystals: tensors ``(B,)`` by name, with the unit in the name."""
        ...


class Surroundings:
    """What a term may use when it is built.

    Args:
        elements: chemical symbols of the space.
        first: name of the property of the first term that names one.
    """

    def __init__(self, elements: Sequence[str], first: str) -> None:
        self.elements, self.first = tuple(elements), first
        self._properties: dict[str, CheckedProperty] = {}

    def resolve(self, spec: str) -> CheckedProperty:
        """Return a property by name; all terms share one object, so that its values are computed once.

        Raises:
            PropertyError: no property has this name, or the property does not know an element of the space.
        """
        if spec not in self._properties:
            found = resolve(spec)
            known = found.elements
            foreign = [symbol for symbol in self.elements if known is not None and symbol not in known]
            if foreign:
                raise PropertyError(
                    f"property {spec!r} knows nothing of {', '.join(foreign)}, allowed: another property, or a space "
                    f"without them, such as constraints.elements.forbidden: [{', '.join(foreign)}]"
                )
            self._properties[spec] = found
        return self._properties[spec]


class TermConfig(Section):
    """The keys of a kind of term, and how to build the term from the keys."""

    def conditional(self) -> bool:
        """Whether a weight of the term is chosen when sampling."""
        return False

    def subject(self) -> str | None:
        """The property that the term names, as in the configuration; None for a term that names none."""
        return None

    def build(self, surroundings: Surroundings) -> Term:
        """Return the term.

        Raises:
            CrystalGFNError: the keys make no sense in these surroundings, or a file cannot be read.
        """
        raise NotImplementedError
