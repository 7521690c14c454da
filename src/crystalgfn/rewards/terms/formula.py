"""The term of known formulas: a factor for crystals of a composition that is known already."""

from __future__ import annotations

from pydantic import Field

from crystalgfn.crystals.known import KnownCrystals
from crystalgfn.properties.known import KnownFormula, known_property
from crystalgfn.rewards.terms.factor import FactorTerm
from crystalgfn.rewards.terms.term import Surroundings, TermConfig


class FormulaConfig(TermConfig):
    """The term log(factor) for known formulas: a new structure of a known compound is often the known one again."""

    factor: float = Field(0.3, gt=0.0)
    """Factor of the reward of a crystal whose formula is known, in whatever structure: below 1, to sample others."""
    known: list[str] = Field(default_factory=list)
    """Tables of further known crystals, beside the table that ships."""

    def table(self) -> KnownCrystals:
        """The known crystals; raises DataError where a table cannot be read."""
        return KnownCrystals.with_tables(self.known)

    def build(self, surroundings: Surroundings) -> FactorTerm:
        """Return the term.

        Raises:
            DataError: a table cannot be read.
        """
        prop = known_property(KnownFormula, self.known) if self.known else surroundings.resolve(KnownFormula.name)
        return FactorTerm(prop, self.factor, of=1)
