"""The stability term: how far a predicted energy lies above the convex hull."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field
from torch import Tensor

from crystalgfn.crystals.property import CheckedProperty, check_values
from crystalgfn.errors import ConfigError
from crystalgfn.properties.hull_energy import EnergyAboveHull
from crystalgfn.rewards.goals import Minimise
from crystalgfn.rewards.terms.term import Criterion, Surroundings, TermConfig
from crystalgfn.rewards.values import Values
from crystalgfn.stability.facets import Facets
from crystalgfn.stability.load import load_hull

ABOVE_HULL = Criterion(EnergyAboveHull.name, EnergyAboveHull.unit, Minimise())
"""The criterion of the term."""


@dataclass(frozen=True, eq=False)
class StabilityTerm:
    """-beta max(E above hull, floor); see :class:`~crystalgfn.rewards.terms.term.Term`.

    Attributes:
        energy: formation energy, eV/atom.
        hull: convex hull from which energies are measured.
        beta: inverse temperature, per eV/atom.
        floor: eV/atom; lower energies count as this. No crystal lies below a true hull: a prediction lower than about
            the error of the property is mostly an error, which the sampler should not seek.
    """

    energy: CheckedProperty
    hull: Facets
    beta: float
    floor: float
    weights: None = None

    @property
    def criterion(self) -> Criterion:
        """The energy above the hull, as low as can be."""
        return ABOVE_HULL

    def log_reward(self, values: Values) -> Tensor:
        """Return the term ``(B,)``.

        Raises:
            PropertyError: an energy is not a finite number; names the crystal.
            DataError: the hull has no phase with an element of a crystal.
        """
        return -self.beta * self._above(values).clamp(min=self.floor)

    def columns(self, values: Values) -> dict[str, Tensor]:
        """Return the predicted energy above the hull, without the floor."""
        return {ABOVE_HULL.column: self._above(values)}

    def _above(self, values: Values) -> Tensor:
        crystals = values.crystals

        def above() -> Tensor:
            hull = self.hull.energies(crystals.elements, crystals.counts)
            return check_values(ABOVE_HULL.name, values.of(self.energy) - hull, crystals)

        return values.once(self, above)


class StabilityConfig(TermConfig):
    """The term -beta max(E above hull, floor)."""

    property: str | None = None
    """A formation energy in eV/atom, by name; null for the property of the first term that names one."""
    hull: str = "builtin"
    """"builtin", "mp", or a table of phases."""
    beta: float = Field(20.0, ge=0.0)
    """Inverse temperature, per eV/atom above the hull."""
    floor: float = 0.05
    """eV/atom; lower predictions count as this. No crystal lies below a true hull, and a prediction lower than the
    error of the property is mostly an error."""

    def subject(self) -> str | None:
        """See :meth:`TermConfig.subject`."""
        return self.property

    def build(self, surroundings: Surroundings) -> StabilityTerm:
        """Return the term.

        Raises:
            ConfigError: the property is not an energy per atom, or the hull has no phase with an element of the space.
            DataError: the hull cannot be read.
        """
        energy = surroundings.resolve(self.property or surroundings.first)
        if energy.unit != "eV/atom":
            quantity = f"in {energy.unit}" if energy.unit else "a pure number"
            raise ConfigError(
                f"stability: property {energy.name!r} is {quantity}, allowed: a formation energy in eV/atom, such as "
                "property: formation_energy"
            )
        hull = load_hull(self.hull)
        missing = hull.missing(surroundings.elements)
        if missing:
            raise ConfigError(
                f"stability.hull: {self.hull} has no phase with {', '.join(missing)}, allowed: another hull"
            )
        return StabilityTerm(energy, Facets(hull), self.beta, self.floor)
