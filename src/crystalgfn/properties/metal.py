"""Metal or not, from the model of the band gap."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.networks.gap import METAL


class Metal:
    """Probability that a crystal has no band gap.

    Args:
        model: name or folder of the model of the band gap.
    """

    name = "metal"
    unit = ""
    source = f"probability that the gap is below {METAL} eV, by the model band_gap"

    def __init__(self, model: str = "band_gap") -> None:
        self._model = model

    @cached_property
    def model(self) -> ProxyProperty:
        """The model of the band gap."""
        return ProxyProperty.load(self._model)

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements that the model knows."""
        return self.model.elements

    @property
    def error(self) -> str:
        """Share of test rows that are classified correctly, and area under the curve."""
        metals = self.model.card["metrics"]["real"].get("metals", {})
        if not metals:
            return ""
        return f"{metals['accuracy']:.1%} of {metals['n']:,} test rows right, AUC {metals['auc']:.3f}"

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return the probability (B,).

        Raises:
            PropertyError: a crystal holds an element that the model was not trained on.
        """
        return self.model.metal(crystals)
