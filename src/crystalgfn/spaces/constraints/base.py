"""What a constraint is: one class that says everything about one key of the section ``constraints``.

    name, section, annotation, default, read, check    the key of the configuration
    meaning                                            its line in docs/configuration.md
    option                                             its option on the command line
    of, parse                                          the constraint that a section asks for
    narrow                                             the value that combines an old limit and a new one
    contribute                                         the limits that look-ahead keeps
    violated, rule, step                               the independent check, by direct count on finished crystals
    written, relaxed                                   how the diagnosis of an empty space names and relaxes it

To add one, write such a class and put it into :data:`.registry.CONSTRAINTS`. The check shares nothing with what
look-ahead follows: it calls neither :meth:`Constraint.contribute` nor a method of a ledger.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from crystalgfn.errors import ConfigError
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.ledger import Ledger
from crystalgfn.spaces.constraints.limits import CompositionLimits, SiteLimits
from crystalgfn.spaces.constraints.reading import asks_nothing, words_of

WITH_SITES = "sites"
"""Key of ``constraints`` that says whether crystals have sites."""

Limits = TypeVar("Limits")
Verdict = NDArray[np.bool_]


@dataclass(frozen=True)
class Option:
    """A constraint as an option of the command line.

    Attributes:
        flag: such as ``--n-atoms``.
        help: one line.
        example: shown in place of the value.
        read: the value of the key from the value of the option and the flag; from all values of an option that may be
            repeated.
        kind: ``str``, ``int`` or ``float``; ``list[str]`` for an option that may be repeated.
    """

    flag: str
    help: str
    example: str
    read: Callable[[Any, str], Any] = lambda value, flag: value
    kind: Any = str

    @classmethod
    def of_list(cls, flag: str, help: str, example: str, read: Callable[[list[str], str], Any] = words_of) -> Self:
        """An option whose values add up, whether with commas or given again.

        Args:
            flag, help, example: see the class.
            read: the value of the key from all texts and the flag; by default the words of all texts, each once.
        """
        return cls(flag, help, example, read, list[str])


@dataclass(frozen=True)
class Constraint(ABC, Generic[Limits]):
    """A constraint with its value, which each class describes.

    Attributes:
        value: in the terms of the package (atomic numbers, pairs of bounds), hashable.
    """

    value: Any

    name: ClassVar[str]
    """Key of the configuration and of :meth:`crystalgfn.runs.model.Model.restricted`."""
    section: ClassVar[str] = ""
    """Section below ``constraints`` that holds the key; empty for ``constraints`` itself."""
    subspace: ClassVar[str]
    """Subspace that it narrows: ``space_group``, ``composition``, ``sites`` or ``lattice``."""
    meaning: ClassVar[str]
    default: ClassVar[Any] = None
    option: ClassVar[Option | None] = None
    rule: ClassVar[str] = ""
    """Name under which violations are counted; empty for :attr:`name`."""
    step: ClassVar[str] = ""
    """Step of the funnel that judges it; empty for a step of its own, named after the rule."""

    # ---- the key of the configuration

    @classmethod
    def annotation(cls) -> Any:
        """Type of the key for pydantic."""
        return Any

    @classmethod
    def read(cls, written: Any) -> Any:
        """A written value, in the form that :meth:`annotation` describes.

        Raises:
            ValueError: says what is allowed.
        """
        return written

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """Refuse values that make no sense, alone or with other keys.

        Args:
            value: the value of the key.
            beside: every key of the same section.

        Raises:
            ValueError, ConfigError: says what was found and what is allowed.
        """

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Self | None:
        """The constraint that a full section ``constraints`` asks for; None if it asks for none."""
        own = section[cls.section] if cls.section else section
        written = own.get(cls.name)
        return None if asks_nothing(written) else cls(cls.parse(written))

    @classmethod
    def parse(cls, written: Any) -> Any:
        """:attr:`value` from the value of the key."""
        return written

    @classmethod
    def narrow(cls, section: dict[str, Any], now: Any) -> None:
        """Narrow a key in place.

        Args:
            section: the section that holds the key, as training had it.
            now: the value asked for on top.

        Raises:
            ConfigError: the value would allow what training did not.
        """
        was = section.get(cls.name)
        if now is None and was is not None:
            raise ConfigError(f"restriction {cls.name}: found null, allowed: {was!r}, or narrower")
        section[cls.name] = cls.narrowed(was, now)

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The value that combines both; see :meth:`narrow`."""
        return now

    # ---- the space

    def contribute(self, limits: Limits) -> Limits:
        """Limits of the subspace, narrowed by this constraint.

        Raises:
            ConstraintError: the constraint contradicts the limits.
        """
        return limits

    # ---- finished crystals

    @abstractmethod
    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Which of B finished crystals break the constraint, ``(B,)`` bool, by direct count."""

    @classmethod
    def rule_name(cls) -> str:
        """Name under which violations are counted."""
        return cls.rule or cls.name

    @classmethod
    def step_name(cls) -> str:
        """Name of the step of the funnel."""
        return cls.step or cls.rule_name().replace("_", " ")

    # ---- the diagnosis of an empty space

    def written(self, constraints: Constraints) -> str:
        """The constraint with its value, as a message names it."""
        return f"{self.name} {self}"

    def relaxed(self, constraints: Constraints) -> Constraints:
        """All constraints with this one relaxed."""
        return constraints.without(self.name)

    def __str__(self) -> str:
        """The value as a reader of the configuration knows it."""
        return str(self.value)


class CompositionConstraint(Constraint[CompositionLimits]):
    """A constraint on compositions."""

    subspace = "composition"


class SiteConstraint(Constraint[SiteLimits]):
    """A constraint on the sites of crystals; only spaces with sites have it."""

    subspace = "sites"

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """The crystals have sites."""
        if value is not None and beside[WITH_SITES] == "none":
            raise ValueError(
                f"{cls.name}: found {value!r} in a space whose crystals have no sites ({WITH_SITES}: none), allowed: "
                f"spaces with {WITH_SITES}: wyckoff, such as that of default"
            )


class FollowedConstraint(CompositionConstraint, Ledger):
    """A constraint on compositions that is its own ledger, which look-ahead follows."""

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Add the ledger."""
        return replace(limits, ledgers=(*limits.ledgers, self))


class Rule(FollowedConstraint):
    """A followed constraint that is written below ``constraints.rules``."""

    section = "rules"
    rule = "rules"
    step = "further rules"

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The new rule; a rule of training stays as it is."""
        if was is not None:
            raise ConfigError(f"restriction rules: {cls.name} was set in training, allowed: other rules")
        return now

    def written(self, constraints: Constraints) -> str:
        """The rule with its section."""
        return f"rules.{self.name} {self}"


@dataclass(frozen=True)
class Constraints:
    """What is asked of crystals: constraints in the order of the registry, at most one of each kind.

    :func:`.registry.constraints_of` makes them from a section of the configuration.
    """

    each: tuple[Constraint[Any], ...] = ()

    def __iter__(self) -> Iterator[Constraint[Any]]:
        return iter(self.each)

    def __getitem__(self, name: str) -> Any:
        """Value of a constraint; None where it is not asked for."""
        return next((constraint.value for constraint in self.each if constraint.name == name), None)

    def on(self, subspace: str) -> Iterator[Constraint[Any]]:
        """Constraints that narrow a subspace."""
        return (constraint for constraint in self.each if constraint.subspace == subspace)

    def without(self, *names: str) -> Constraints:
        """All constraints but the named ones."""
        return Constraints(tuple(constraint for constraint in self.each if constraint.name not in names))

    def replacing(self, other: Constraint[Any]) -> Constraints:
        """All constraints, with ``other`` in place of the one of its name."""
        return Constraints(tuple(other if old.name == other.name else old for old in self.each))

    def fold(self, subspace: str, widest: Limits) -> Limits:
        """Limits of a subspace, narrowed by each constraint on it.

        Raises:
            ConstraintError: two constraints contradict each other.
        """
        for constraint in self.on(subspace):
            widest = constraint.contribute(widest)
        return widest

    def composition_limits(self, elements: Iterable[int]) -> CompositionLimits:
        """Limits on compositions of a vocabulary of atomic numbers; errors as for :meth:`fold`."""
        return self.fold("composition", CompositionLimits(frozenset(elements)))

    def space_groups(self) -> list[int]:
        """International numbers that may be sampled, rising."""
        return self.fold("space_group", list(range(1, 231)))
