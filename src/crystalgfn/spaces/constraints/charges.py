"""Charge neutrality, and cations that are less electronegative than anions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, cast, get_args

import numpy as np

from crystalgfn.crystallography.balance import neutral, ordered_by_electronegativity
from crystalgfn.crystallography.charges import ChargeRule, Neutrality
from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import ConfigError, CrystalGFNError, nearest
from crystalgfn.spaces.constraints.base import CompositionConstraint, Constraints, Option, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.constraints.reading import subset, words

NARROWER: dict[str, tuple[str, ...]] = {
    "none": ("none", "per_atom", "per_element", "common", "common_strict"),
    "per_atom": ("per_atom", "per_element", "common_strict"),
    "per_element": ("per_element", "common_strict"),
    "common": ("common", "common_strict"),
    "common_strict": ("common_strict",),
}
"""Rules that allow no more than a rule, which is the first of them."""

ONE_STATE = ("per_element", "common", "common_strict")
"""Rules by which all atoms of an element share a state."""

LEAST_STATE, MOST_STATE = -8, 9


class Charge(CompositionConstraint):
    """Some choice of oxidation states is neutral, by one of several rules."""

    value: ChargeRule | Neutrality
    name = "charge"
    rule = "neutrality"
    step = "charge neutrality"
    meaning = (
        "Charge neutrality. ``per_element``: one oxidation state an element. ``per_atom``: mixed valence. ``common``: "
        "one state an element, of pymatgen's common states, or a peroxide or superoxide. ``common_strict``: without "
        "peroxides and superoxides. ``none``: not asked for."
    )
    default = "per_element"
    option = Option("--charge", "A stricter rule of neutrality: common, per_element, ...", "common")

    @property
    def neutrality(self) -> Neutrality:
        """The rule with the oxidation states that are given beside it."""
        return self.value if isinstance(self.value, Neutrality) else Neutrality(self.value)

    @classmethod
    def annotation(cls) -> Any:
        """One of a few words."""
        return ChargeRule

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Charge | None:
        """The rule, with the states given for some elements."""
        return None if section[cls.name] == "none" else cls(_neutrality(section))

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The rule of training, or a stricter rule; ``common`` within another rule has no peroxides."""
        if now not in get_args(ChargeRule) or now in NARROWER[was]:
            return now  # the configuration lists the rules
        if now == "common":
            return "common_strict"
        raise ConfigError(f"restriction charge: found {now!r}, allowed: {was!r} or stricter")

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Set the rule that sets of charges follow."""
        return replace(limits, neutrality=replace(self.neutrality, own=self.neutrality.own or limits.neutrality.own))

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether no choice adds up to zero in the primitive cell.

        Atoms that a centering translation relates share their state, so the primitive cell is what must be neutral.
        """
        return ~neutral(crystals.primitive, crystals.elements, self.neutrality)

    def written(self, constraints: Constraints) -> str:
        """The rule, with the test of electronegativity, which needs it."""
        rule = self.neutrality.rule
        return f"neutrality {rule}{' with electronegativity' if constraints['electronegativity'] else ''}"

    def relaxed(self, constraints: Constraints) -> Constraints:
        """Without the rule, and without the test of electronegativity, which needs it."""
        return constraints.without("charge", "electronegativity")


class OxidationStates(CompositionConstraint):
    """Oxidation states that some elements may have, in place of those of the rule of neutrality, which checks them."""

    value: tuple[tuple[int, tuple[int, ...]], ...]
    name = "oxidation_states"
    rule = "neutrality"
    step = "charge neutrality"
    meaning = (
        "The oxidation states of some elements, such as ``{P: 5, S: -2, Fe: [2, 3]}``; other elements have those of "
        "``charge``, which must ask for neutrality."
    )
    default: ClassVar[Any] = {}
    option = Option.of_list(
        "--oxidation-states",
        "States of some elements, beside --charge.",
        "P:5,S:-2",
        lambda texts, flag: _asked(texts, flag),
    )

    @classmethod
    def annotation(cls) -> Any:
        """Whole numbers by symbol."""
        return dict[str, list[int]]

    @classmethod
    def read(cls, written: Any) -> Any:
        """Lists by symbol, from lists, single numbers, or a text such as ``"P:5, S:-2"``.

        Raises:
            ValueError: no such element, or no states.
        """
        if isinstance(written, str):
            try:
                return _asked([written], cls.name)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        if not isinstance(written, Mapping):
            raise ValueError(f"{cls.name}: found {written!r}, allowed: elements with states, such as {{P: 5, S: -2}}")
        try:
            return {
                SYMBOLS[atomic_number(str(symbol))]: states if isinstance(states, list | tuple) else [states]
                for symbol, states in written.items()
            }
        except CrystalGFNError as error:
            raise ValueError(f"{cls.name}: {error}") from None

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """The elements are those of the space, the states are possible, and neutrality is asked for."""
        if value and beside["charge"] == "none":
            allowed = ", ".join(rule for rule in get_args(ChargeRule) if rule != "none")
            raise ValueError(f"{cls.name}: found charge none beside it, allowed: charge {allowed}")
        elements = beside["elements"]["allowed"]
        for symbol, states in value.items():
            if symbol not in elements:
                raise ValueError(f"{cls.name}: {symbol} is no element of the space{nearest(symbol, elements)}")
            if not states or not all(LEAST_STATE <= state <= MOST_STATE and state for state in states):
                raise ValueError(
                    f"{cls.name}: found {states} for {symbol}, allowed: whole numbers from {LEAST_STATE} to "
                    f"{MOST_STATE}, not 0"
                )

    @classmethod
    def parse(cls, written: Any) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Atomic numbers with their states, ascending."""
        return tuple((atomic_number(symbol), tuple(sorted(set(states)))) for symbol, states in written.items())

    @classmethod
    def narrow(cls, section: dict[str, Any], now: Any) -> None:
        """States that training allowed, which are any where it asked for no neutrality."""
        try:
            now = cls.read(now)
        except ValueError as error:
            raise ConfigError(f"restriction {error}") from None
        before = _neutrality(section)
        for symbol, states in now.items() if before.asked else ():
            subset(f"{cls.name} {symbol}", list(before.states(atomic_number(symbol))), states)
        section[cls.name] = {**section[cls.name], **now}

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Give the elements their states."""
        return replace(limits, neutrality=replace(limits.neutrality, own=self.value))

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Nowhere: what the states come to is checked with the rule, under the name of neutrality."""
        return np.zeros(len(crystals), dtype=bool)

    def relaxed(self, constraints: Constraints) -> Constraints:
        """The states of the rule."""
        for other in (Charge, Electronegativity):
            value = constraints[other.name]
            if isinstance(value, Neutrality):
                constraints = constraints.replacing(other(replace(value, own=())))
        return constraints.without(self.name)

    def __str__(self) -> str:
        """As on the command line."""
        return ",".join(f"{SYMBOLS[z]}:{state}" for z, states in self.value for state in states)


class Electronegativity(CompositionConstraint):
    """Some neutral choice of oxidation states has every cation less electronegative than every anion."""

    name = "electronegativity"
    step = "electronegativity"
    meaning = (
        "``smact``: some choice of oxidation states is neutral and has every cation less electronegative than every "
        "anion (the test of smact; needs one state an element: ``charge`` ``per_element``, ``common``, ...)."
    )
    default = "none"
    option = Option("--electronegativity", "The Pauling test.", "smact")

    @classmethod
    def annotation(cls) -> Any:
        """One of two words."""
        return Literal["smact", "none"]

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """The test needs one oxidation state per element."""
        if value == "smact" and beside["charge"] not in ONE_STATE:
            raise ValueError(
                f"electronegativity: smact needs charge {' or '.join(ONE_STATE)}, found {beside['charge']}"
            )

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Electronegativity | None:
        """The test, with the oxidation states that it may choose from."""
        return cls(_neutrality(section)) if section[cls.name] == "smact" else None

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The test of training, or a test where training had none."""
        if was != "none" and now != was:
            raise ConfigError(f"restriction {cls.name}: found {now!r}, allowed: {was!r}, as in training")
        return now

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Split the sets of charges by sign."""
        return replace(limits, cations_first=True)

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether charges balance at no border between cations and anions."""
        states = self.value if isinstance(self.value, Neutrality) else Neutrality("per_element")
        return ~ordered_by_electronegativity(crystals.primitive, crystals.elements, states)

    def written(self, constraints: Constraints) -> str:
        """The name alone: the constraint has no value."""
        return self.name


def _neutrality(section: Mapping[str, Any]) -> Neutrality:
    """The rule of a full section, with the states that it gives."""
    rule = cast("ChargeRule", section[Charge.name])
    return Neutrality(rule, OxidationStates.parse(section[OxidationStates.name]))


def _asked(texts: list[str], flag: str) -> dict[str, list[int]]:
    """``["P:5,S:-2", "Fe:2 Fe:3"]`` as states by symbol.

    Raises:
        ConfigError: text that says no state, or no such element.
    """
    states: dict[str, list[int]] = {}
    for entry in (word for text in texts for word in words(text) or [text]):
        symbol, _, state = entry.partition(":")
        try:
            states.setdefault(SYMBOLS[atomic_number(symbol)], []).append(int(state))
        except CrystalGFNError as error:
            raise ConfigError(f"{flag}: {error}") from None
        except ValueError:
            raise ConfigError(f"{flag}: found {entry!r}, allowed: ELEMENT:STATE, such as P:5") from None
    return states
