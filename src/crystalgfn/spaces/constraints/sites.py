"""Counts that fit the Wyckoff positions of the space group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from crystalgfn.crystallography.wyckoff import are_compatible
from crystalgfn.errors import ConfigError
from crystalgfn.spaces.constraints.base import CompositionConstraint, Constraints, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import CompositionLimits


class FitsWyckoff(CompositionConstraint):
    """The Wyckoff positions of the space group can hold the atoms."""

    name = "wyckoff"
    step = "Wyckoff positions"
    meaning = "Whether the counts must fit the Wyckoff positions of the space group."
    default = True

    @classmethod
    def annotation(cls) -> Any:
        """Yes or no."""
        return bool

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """Asked for wherever training asked for it."""
        if was and not now:
            raise ConfigError("restriction wyckoff: found false, allowed: true, as in training")
        return now

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Ask for counts that fit."""
        return replace(limits, fits_sites=True)

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether no choice of positions holds the atoms, by direct search."""
        return ~are_compatible(crystals.groups, crystals.counts)

    def written(self, constraints: Constraints) -> str:
        """The name and what it asks for: the constraint has no value."""
        return "wyckoff (counts that fit the space groups)"
