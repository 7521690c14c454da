"""What a term of the log-reward is, and how it is configured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.properties.registry import resolve
from crystalgfn.rewards.goals import Goal
from crystalgfn.rewards.values import Values
from crystalgfn.section import Section


@dataclass(frozen=True)
class Criterion:
    """A number that samples are ranked and compared by, and what is wanted of it.

    Attributes:
        name: of the number.
        unit: such as ``"eV/atom"``; empty for a pure number.
        goal: what is wanted.
    """

    name: str
    unit: str
    goal: Goal

    @property
    def column(self) -> str:
        """Name of the number's column, with its unit."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


class Term(Protocol):
    """A summand of the log-reward of crystals.

    Attributes:
        criterion: what samples are compared by, as far as the term is concerned; one of :meth:`columns` holds it.
        weights: least and most of a further factor that is chosen when sampling, for conditional models, by the name of
            the criterion; None for 1.
    """

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
            CrystalGFNError: the term cannot be worked out for a crystal; says for which.
        """
        ...

    def columns(self, values: Values) -> dict[str, Tensor]:
        """Return what a table of the crystals says of the term: tensors ``(B,)`` by name, with the unit in the name."""
        ...


class Surroundings:
    """What a term may ask for when it is built.

    Args:
        elements: symbols of the space.
        first: the property that the first term with a property names.
    """

    def __init__(self, elements: Sequence[str], first: str) -> None:
        self.elements, self.first = tuple(elements), first
        self._properties: dict[str, CheckedProperty] = {}

    def resolve(self, spec: str) -> CheckedProperty:
        """Return a property by name; the same object for all terms, so that its values are worked out once.

        Raises:
            PropertyError: nothing of that name.
        """
        if spec not in self._properties:
            self._properties[spec] = resolve(spec)
        return self._properties[spec]


class TermConfig(Section):
    """The keys of a kind of term, and how they become a term."""

    def conditional(self) -> bool:
        """Whether a weight of the term is chosen when sampling."""
        return False

    def subject(self) -> str | None:
        """The property that the term names, as it is written; None for a term that names none."""
        return None

    def build(self, surroundings: Surroundings) -> Term:
        """Return the term.

        Raises:
            CrystalGFNError: the keys make no sense in these surroundings, or a file cannot be read.
        """
        raise NotImplementedError
