"""Properties that are means over the elements of a crystal: cost, risk of supply, radioactivity, toxicity.

The values of the elements are read from pymatgen when they are first needed. An element that the table lacks is an
error, not a zero.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.resources import files

import torch
from torch import Tensor

from crystalgfn.crystallography.elements import ATOMIC_MASS, SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import EXACT, KnownElements

TOXIC = ("Be", "As", "Cd", "Hg", "Tl", "Pb")
"""Elements whose compounds as a class are classified as toxic or harmful: the group entries of Annex VI, table 3, of
Regulation (EC) 1272/2008 for compounds of beryllium, arsenic, cadmium, mercury, thallium and lead; Cd, Hg and Pb are
also restricted by Annex II of Directive 2011/65/EU (RoHS). Chromium is left out, since only its oxidation state VI is
restricted and a composition does not give oxidation states. The list is kept by hand: no dependency has one."""


class ElementMean:
    """Mean of a value of the elements over the atoms or the mass of a crystal.

    Args:
        name: name of the property.
        read: returns the value of each element by symbol; called once, when first needed.
        unit: unit of the values.
        source: where the values come from, in one line.
        by_mass: weigh elements by their share of the mass instead of the atoms.
        flag: return 1 where the mean is above 0, and else 0.
    """

    error = EXACT

    def __init__(
        self,
        name: str,
        read: Callable[[], Mapping[str, float]],
        *,
        unit: str = "",
        source: str,
        by_mass: bool = False,
        flag: bool = False,
    ) -> None:
        self.name, self.unit, self.source = name, unit, source
        self._read, self._by_mass, self._flag = read, by_mass, flag

    @cached_property
    def values(self) -> Mapping[str, float]:
        """Value of each element by symbol."""
        return self._read()

    @cached_property
    def _known_elements(self) -> KnownElements:
        return KnownElements(self.name, self.values, "its table holds")

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements that have a value."""
        return self._known_elements.symbols

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return the mean (B,), float64.

        Raises:
            PropertyError: a crystal holds an element without a value.
        """
        self._known_elements.check(crystals)
        values = torch.tensor([self.values.get(SYMBOLS[z], 0.0) for z in crystals.elements], dtype=torch.float64)
        weights = crystals.counts.double()
        if self._by_mass:
            weights = weights * torch.as_tensor(ATOMIC_MASS[list(crystals.elements)]).to(weights.device)
        mean = weights @ values.to(weights.device) / weights.sum(1)
        return (mean > 0).double() if self._flag else mean


def _costs() -> dict[str, float]:
    """USD per kg of each element, from the file that pymatgen's ``CostDBElements`` reads."""
    text = (files("pymatgen.analysis") / "costdb_elements.csv").read_text(encoding="utf-8")
    return {row[0].strip(): float(row[1]) for row in csv.reader(text.splitlines(), quotechar="|") if row}


def _hhi(which: int) -> dict[str, float]:
    from pymatgen.analysis.hhi import HHIModel

    return {symbol: indices[which] for symbol, indices in HHIModel().symbol_hhip_hhir.items()}


def _radioactive() -> dict[str, float]:
    from pymatgen.core import Element

    return {symbol: float(Element(symbol).is_radioactive) for symbol in SYMBOLS[1:]}


cost_per_kg = ElementMean(
    "cost_per_kg",
    _costs,
    unit="USD/kg",
    source="prices of the elements by mass: pymatgen.analysis.cost (list prices of about 2013)",
    by_mass=True,
)
hhi_production = ElementMean(
    "hhi_production",
    lambda: _hhi(0),
    source="Herfindahl-Hirschman index of production by mass, to 10,000: pymatgen.analysis.hhi (Gaultois et al. 2013)",
    by_mass=True,
)
hhi_reserves = ElementMean(
    "hhi_reserves",
    lambda: _hhi(1),
    source="Herfindahl-Hirschman index of reserves by mass, to 10,000: pymatgen.analysis.hhi (Gaultois et al. 2013)",
    by_mass=True,
)
radioactive = ElementMean(
    "radioactive", _radioactive, source="share of atoms of elements without a stable isotope: pymatgen.core.Element"
)
toxic = ElementMean(
    "toxic",
    lambda: {symbol: float(symbol in TOXIC) for symbol in SYMBOLS[1:]},
    source=f"1 if it holds {', '.join(TOXIC)}: compounds toxic as a class in Regulation (EC) 1272/2008",
    flag=True,
)
