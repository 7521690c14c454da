"""Most orbits of a crystal, and most free coordinates of its sites."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np

from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import ConfigError
from crystalgfn.spaces.constraints.base import Option, SiteConstraint, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import SiteLimits


class _Most(SiteConstraint):
    """An upper bound on a whole number."""

    value: int
    least: ClassVar[int]
    """Least bound that makes sense."""

    @classmethod
    def annotation(cls) -> Any:
        """A whole number."""
        from pydantic import Field

        return Annotated[int, Field(ge=cls.least)] | None

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """A bound that is not above that of training."""
        if now is not None and (not isinstance(now, int) or (was is not None and now > was)):
            raise ConfigError(
                f"restriction {cls.name}: found {now!r}, allowed: {'a whole number' if was is None else f'up to {was}'}"
            )
        return now

    @abstractmethod
    def count(self, group: int, sites: list[tuple[str, str, int]]) -> int:
        """The number that is bounded, of one crystal."""

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether the number is too large."""
        counts = [
            self.count(group, sites) for group, sites in zip(crystals.groups.tolist(), crystals.sites, strict=True)
        ]
        return np.array(counts) > self.value


class MostOrbits(_Most):
    """Most orbits."""

    name = "max_orbits"
    meaning = "Most orbits of a crystal, that is symmetry-inequivalent atoms; null for any."
    option = Option("--max-orbits", "Most inequivalent atoms.", "5", kind=int)
    least = 1

    def contribute(self, limits: SiteLimits) -> SiteLimits:
        """Bound the orbits."""
        return replace(limits, orbits=self.value)

    def count(self, group: int, sites: list[tuple[str, str, int]]) -> int:
        """Entries of the list of sites."""
        return len(sites)


class MostFreeCoordinates(_Most):
    """Most free coordinates."""

    name = "max_free_coordinates"
    meaning = "Most free coordinates of all sites together, which symmetry leaves to be found; null for any."
    option = Option("--max-free-coordinates", "Most coordinates left free by symmetry.", "2", kind=int)
    least = 0

    def contribute(self, limits: SiteLimits) -> SiteLimits:
        """Bound the free coordinates."""
        return replace(limits, free_coordinates=self.value)

    def count(self, group: int, sites: list[tuple[str, str, int]]) -> int:
        """Sum over the sites, by the table of Wyckoff positions."""
        free = {position.letter: position.degrees_of_freedom for position in WYCKOFF[group]}
        return sum(free[letter] for _, letter, _ in sites)
