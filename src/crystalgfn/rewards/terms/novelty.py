"""The term of novelty: a factor for crystals that are known already."""

from __future__ import annotations

from pydantic import Field

from crystalgfn.crystals.known import KnownCrystals
from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.properties.known import Known
from crystalgfn.rewards.terms.factor import FactorTerm
from crystalgfn.rewards.terms.term import Surroundings, TermConfig


class NoveltyConfig(TermConfig):
    """The term log(factor) for known crystals; needs crystals with sites."""

    factor: float = Field(0.05, gt=0.0)
    """Factor of the reward of a crystal that is known: below 1, to sample other crystals."""
    known: list[str] = Field(default_factory=list)
    """Tables of further known crystals, with their sites in a column ``wyckoff``, beside the table that ships."""

    def build(self, surroundings: Surroundings) -> FactorTerm:
        """Return the term.

        Raises:
            DataError: a table cannot be read, or has no sites.
        """
        known = Known(KnownCrystals.with_tables(self.known)) if self.known else None
        prop = surroundings.resolve(Known.name) if known is None else CheckedProperty(Known.name, known, Known.unit)
        return FactorTerm(prop, self.factor, of=1)
