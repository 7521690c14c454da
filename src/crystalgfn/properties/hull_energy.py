"""Energy above the hull as models foretell it."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import KnownElements
from crystalgfn.crystals.sites import COLUMN
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.stability.facets import Facets
from crystalgfn.stability.load import load_hull


class EnergyAboveHull:
    """How far above the hull a crystal lies once it is relaxed.

    For crystals with sites, a model foretells it that has seen relaxed samples (:mod:`.proxies.networks.orbits`); for
    crystals without sites it is the predicted formation energy less the energy of the hull at the composition.

    Args:
        model: name or folder of the model of the formation energy.
        hull: ``"builtin"`` or a table of phases.
        site_model: name or folder of the model for crystals with sites.
    """

    name = "energy_above_hull"
    unit = "eV/atom"

    def __init__(
        self, model: str = "formation_energy", hull: str = "builtin", site_model: str = "energy_above_hull"
    ) -> None:
        self._model, self._hull, self._site_model = model, hull, site_model

    @cached_property
    def site_model(self) -> ProxyProperty:
        """The model for crystals with sites."""
        return ProxyProperty.load(self._site_model)

    @cached_property
    def model(self) -> ProxyProperty:
        """The model of the formation energy."""
        return ProxyProperty.load(self._model)

    @cached_property
    def facets(self) -> Facets:
        """The hull."""
        return Facets(load_hull(self._hull))

    @cached_property
    def _known_elements(self) -> KnownElements:
        of_model = set(self.model.elements)
        symbols = [symbol for symbol in self.facets.hull.elements if symbol in of_model]
        return KnownElements(self.name, symbols, f"the {self._hull} hull and {self._model} hold")

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements that the model for crystals with sites knows; without sites, fewer may be known."""
        return self.site_model.elements

    @property
    def source(self) -> str:
        """What stands behind the numbers, in one line."""
        return (
            f"with sites: {self.site_model.source}; without: {self._model} less the energy of the {self._hull} hull at "
            "the composition"
        )

    @property
    def error(self) -> str:
        """Errors of the models; the error of the hull comes on top where there are no sites."""
        samples = self.site_model.card["metrics"]["relaxed"]["groups"]["all"]
        return (
            f"with sites: MAE {samples['mae']:.3f} {self.unit} on {samples['n']:,} relaxed samples; without: "
            f"{self.model.error}, the hull's comes on top"
        )

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return energies above the hull (B,), eV/atom; negative below it.

        Raises:
            PropertyError: a crystal holds an element that the hull or the model lacks.
        """
        if _has_sites(crystals):
            return self.site_model(crystals)
        return self._less_hull(self.model(crystals), crystals)

    def with_deviation(self, crystals: Crystals) -> tuple[Tensor, Tensor]:
        """Return the energies and their standard deviations, each (B,), eV/atom; errors as for the energies."""
        if _has_sites(crystals):
            return self.site_model.with_deviation(crystals)
        energy, deviation = self.model.with_deviation(crystals)
        return self._less_hull(energy, crystals), deviation

    def _less_hull(self, energy: Tensor, crystals: Crystals) -> Tensor:
        self._known_elements.check(crystals)
        return energy.double() - self.facets.energies(crystals.elements, crystals.counts)


def _has_sites(crystals: Crystals) -> bool:
    return crystals.sites is not None or COLUMN in crystals.columns
