"""The term of known site patterns: a factor for patterns that no known crystal has."""

from __future__ import annotations

from pydantic import Field

from crystalgfn.properties.known import KnownPattern
from crystalgfn.rewards.terms.factor import FactorTerm
from crystalgfn.rewards.terms.term import Surroundings, TermConfig


class PatternConfig(TermConfig):
    """The term log(factor) for site patterns never seen: structures of such patterns are found stable half as often."""

    factor: float = Field(0.1, gt=0.0)
    """Factor of the reward of a crystal whose Wyckoff positions, elements aside, no known crystal has."""

    def build(self, surroundings: Surroundings) -> FactorTerm:
        """Return the term."""
        return FactorTerm(surroundings.resolve(KnownPattern.name), self.factor, of=0)
