"""Energy above the hull, from a model of the formation energy; no structure is needed."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import KnownElements
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.stability.facets import Facets
from crystalgfn.stability.load import load_hull


class EnergyAboveHull:
    """Predicted formation energy less the energy of the hull at the composition.

    Args:
        model: name or folder of the model of the formation energy.
        hull: ``"builtin"`` or a table of phases.
    """

    name = "energy_above_hull"
    unit = "eV/atom"

    def __init__(self, model: str = "formation_energy", hull: str = "builtin") -> None:
        self._model, self._hull = model, hull
        self.source = f"{model} less the energy of the {hull} hull at the composition"

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
        """Symbols of the elements that both the hull and the model know."""
        return self._known_elements.symbols

    @property
    def error(self) -> str:
        """Error of the model; the error of the hull comes on top."""
        return f"{self.model.error}; the hull's comes on top"

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return energies above the hull (B,), eV/atom; negative below it.

        Raises:
            PropertyError: a crystal holds an element that the hull or the model lacks.
        """
        self._known_elements.check(crystals)
        return self.model(crystals).double() - self.facets.energies(crystals.elements, crystals.counts)
