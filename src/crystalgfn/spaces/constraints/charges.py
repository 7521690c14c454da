"""Charge neutrality, and cations that are less electronegative than anions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from crystalgfn.crystallography.balance import balanced, ordered_by_electronegativity
from crystalgfn.crystallography.charges import OXIDATION_STATES
from crystalgfn.errors import ConfigError
from crystalgfn.spaces.constraints.base import CompositionConstraint, Constraints, Option, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import CompositionLimits, NeutralityRule

_LOOSE_TO_STRICT = ("none", "per_atom", "per_element")  # each implies those before it


class Charge(CompositionConstraint):
    """Some choice of oxidation states is neutral: ``per_element`` or ``per_atom``."""

    value: NeutralityRule
    name = "charge"
    rule = "neutrality"
    step = "charge neutrality"
    meaning = "Charge neutrality: one oxidation state an element, mixed valence, or not asked for."
    default = "per_element"
    option = Option("--charge", "A stricter rule of neutrality.", "per_element")

    @classmethod
    def annotation(cls) -> Any:
        """One of three words."""
        return Literal["per_element", "per_atom", "none"]

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The rule of training, or a stricter rule."""
        if now in _LOOSE_TO_STRICT and _LOOSE_TO_STRICT.index(now) < _LOOSE_TO_STRICT.index(was):
            raise ConfigError(f"restriction charge: found {now!r}, allowed: {was!r} or stricter")
        return now

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Set the rule that sets of charges follow."""
        return replace(limits, neutrality=self.value)

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether no choice adds up to zero in the primitive cell.

        Atoms that a centering translation relates share their state, so the primitive cell is what must be neutral.
        """
        states = [OXIDATION_STATES[z] for z in crystals.elements]
        return ~balanced(crystals.primitive, states, mixed=self.value == "per_atom")

    def written(self, constraints: Constraints) -> str:
        """The rule, with the test of electronegativity, which needs it."""
        return f"neutrality {self.value}{' with electronegativity' if constraints['electronegativity'] else ''}"

    def relaxed(self, constraints: Constraints) -> Constraints:
        """Without the rule, and without the test of electronegativity, which needs it."""
        return constraints.without("charge", "electronegativity")


class Electronegativity(CompositionConstraint):
    """Some neutral choice of oxidation states has every cation less electronegative than every anion."""

    name = "electronegativity"
    step = "electronegativity"
    meaning = (
        "``smact``: some choice of oxidation states is neutral and has every cation less electronegative than every "
        "anion (the test of smact; needs ``charge: per_element``)."
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
        if value == "smact" and beside["charge"] != "per_element":
            raise ValueError(f"electronegativity: smact needs charge per_element, found {beside['charge']}")

    @classmethod
    def parse(cls, written: Any) -> Any:
        """True: there is only one test."""
        return True

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
        return ~ordered_by_electronegativity(crystals.primitive, crystals.elements)

    def written(self, constraints: Constraints) -> str:
        """The name alone: the constraint has no value."""
        return self.name
