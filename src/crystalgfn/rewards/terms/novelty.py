"""The term of novelty: a factor for crystals that are known already."""

from __future__ import annotations

from pydantic import Field

from crystalgfn.properties.known import Known, known_property
from crystalgfn.rewards.terms.factor import FactorTerm
from crystalgfn.rewards.terms.term import Surroundings, TermConfig
from crystalgfn.section import Name


class NoveltyConfig(TermConfig):
    """The term log(factor) for known crystals; needs crystals with sites."""

    factor: float = Field(0.05, gt=0.0)
    """Factor of the reward of a crystal that is known: below 1, to sample other crystals."""
    known: list[Name] = Field(default_factory=list)
    """Tables of further known crystals, with their sites in a column ``wyckoff``, beside the table that ships."""

    def build(self, surroundings: Surroundings) -> FactorTerm:
        """Return the term.

        Raises:
            DataError: a table cannot be read, or has no sites.
        """
        prop = known_property(Known, self.known) if self.known else surroundings.resolve(Known.name)
        return FactorTerm(prop, self.factor, of=1)
