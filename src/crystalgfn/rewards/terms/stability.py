"""The stability term: how far a predicted energy lies above the convex hull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from crystalgfn.crystals.property import CheckedProperty, check_values
from crystalgfn.errors import ConfigError
from crystalgfn.properties.hull_energy import EnergyAboveHull
from crystalgfn.rewards.asks import Asks
from crystalgfn.rewards.goals import Minimise
from crystalgfn.rewards.terms.term import Criterion, Surroundings, TermConfig
from crystalgfn.rewards.values import Values
from crystalgfn.section import Name
from crystalgfn.stability.answer import BUILTIN
from crystalgfn.stability.facets import Facets
from crystalgfn.stability.load import load_hull

ABOVE_HULL = Criterion(EnergyAboveHull.name, EnergyAboveHull.unit, Minimise())
"""The criterion of the term."""

DEVIATION = Criterion(f"{EnergyAboveHull.name}_std", EnergyAboveHull.unit, Minimise())
"""The standard deviation of the criterion."""


@dataclass(frozen=True, eq=False)
class StabilityTerm:
    """-beta max(E above hull + caution x deviation, floor); see :class:`~crystalgfn.rewards.terms.term.Term`.

    Attributes:
        energy: formation energy, or energy above the hull, eV/atom.
        hull: convex hull from which formation energies are measured; None for an energy that is above the hull already.
        beta: inverse temperature, per eV/atom.
        floor: eV/atom; lower energies count as this. No crystal lies below a true hull: a prediction lower than about
            the error of the property is mostly an error, which the sampler should not seek.
        caution: number of standard deviations that are added to the energy.
    """

    energy: CheckedProperty
    hull: Facets | None
    beta: float
    floor: float
    caution: float = 0.0
    weights: None = None
    asks: ClassVar[Asks] = Asks.STABILITY

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
        above = self._above(values)
        if self.caution:
            above = above + self.caution * values.deviation_of(self.energy)
        return -self.beta * above.clamp(min=self.floor)

    def columns(self, values: Values) -> dict[str, Tensor]:
        """Return the predicted energy above the hull, without floor and caution, and its deviation where it has one."""
        columns = {ABOVE_HULL.column: self._above(values)}
        if self.hull is None and values.deviations and self.energy.has_deviation:
            columns[DEVIATION.column] = values.deviation_of(self.energy)
        return columns

    def _above(self, values: Values) -> Tensor:
        crystals, facets = values.crystals, self.hull
        if facets is None:
            return values.of(self.energy)

        def above() -> Tensor:
            hull = facets.energies(crystals.elements, crystals.counts)
            return check_values(ABOVE_HULL.name, values.of(self.energy) - hull, crystals)

        return values.once(self, above)


class StabilityConfig(TermConfig):
    """The term -beta max(E above hull + caution x deviation, floor)."""

    property: Name | None = None
    """A formation energy in eV/atom, by name, ``energy_above_hull``, or the folder of a model of either; null for the
    property of the first term that names one."""
    hull: Name = "builtin"
    """"builtin", "mp", or a table of phases, from which a formation energy is measured; an energy above the hull needs
    none."""
    beta: float = Field(20.0, ge=0.0)
    """Inverse temperature, per eV/atom above the hull."""
    floor: float = 0.05
    """eV/atom; lower predictions count as this. No crystal lies below a true hull, and a prediction lower than the
    error of the property is mostly an error."""
    caution: float = Field(0.0, ge=0.0)
    """Number of standard deviations of the model's ensemble that are added to the energy, so that the sampler does not
    seek crystals that the model is unsure of; needs a property with an ensemble."""

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
        if self.caution and not energy.has_deviation:
            raise ConfigError(f"caution: {energy.name!r} has no ensemble, allowed: 0, or another property")
        if energy.name == EnergyAboveHull.name:
            if self.hull != BUILTIN:
                raise ConfigError(
                    f"stability.hull: found {self.hull}, but {energy.name} is measured from its own hull already, "
                    f"allowed: {BUILTIN}"
                )
            return StabilityTerm(energy, None, self.beta, self.floor, self.caution)
        hull = load_hull(self.hull)
        missing = hull.missing(surroundings.elements)
        if missing:
            raise ConfigError(
                f"stability.hull: {self.hull} has no phase with {', '.join(missing)}, allowed: another hull"
            )
        return StabilityTerm(energy, Facets(hull), self.beta, self.floor, self.caution)
