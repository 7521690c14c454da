"""Means over the elements of a crystal, each against a second source or values worked out by hand."""

import pytest
from pymatgen.analysis.cost import CostAnalyzer, CostDBElements
from pymatgen.analysis.hhi import HHIModel
from pymatgen.core import Composition, Element

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.properties.element_means import TOXIC
from crystalgfn.properties.registry import resolve
from property_data import cubic, one

SALT = one({"Na": 4, "Cl": 4}, 225, cubic(5.64))
FORMULAS = ({"Na": 4, "Cl": 4}, {"Fe": 4, "O": 6}, {"Cu": 4}, {"Li": 4, "Fe": 4, "P": 4, "O": 16}, {"Ga": 4, "As": 4})


@pytest.mark.parametrize("counts", FORMULAS)
def test_cost_is_pymatgens(counts):
    # the cheapest way to buy a composition out of elements alone is the elements
    expected = CostAnalyzer(CostDBElements()).get_cost_per_kg("".join(f"{s}{n}" for s, n in counts.items()))
    assert float(resolve("cost_per_kg")(one(counts, 1, cubic(5.0)))) == pytest.approx(float(expected), rel=2e-3)


def test_cost_by_hand():
    # prices of pymatgen's file: Na 250, Cl 1.5 USD/kg; masses 22.990 and 35.45
    assert float(resolve("cost_per_kg")(SALT)) == pytest.approx((250 * 22.990 + 1.5 * 35.45) / 58.44, rel=1e-3)


@pytest.mark.parametrize("counts", FORMULAS)
def test_supply_risk_is_pymatgens(counts):
    production, reserves = HHIModel().get_hhi(Composition(counts))
    crystal = one(counts, 1, cubic(5.0))
    assert float(resolve("hhi_production")(crystal)) == pytest.approx(production, rel=1e-3)
    assert float(resolve("hhi_reserves")(crystal)) == pytest.approx(reserves, rel=1e-3)


def test_radioactive_is_a_share_of_the_atoms():
    assert float(resolve("radioactive")(one({"U": 1, "O": 3}, 221, cubic(4.1)))) == 0.25
    assert float(resolve("radioactive")(SALT)) == 0
    values = resolve("radioactive").function.values
    stable = [z for z in range(1, 83) if z not in (43, 61)]  # all others have no stable isotope; Bi counts as stable
    assert [SYMBOLS.index(s) for s, v in values.items() if not v] == [*stable, 83]


def test_toxic_is_a_flag():
    crystals = Crystals.concatenate([SALT, one({"Pb": 1, "Te": 99}, 225, cubic(13.0)), one({"Be": 2}, 194, cubic(3.0))])
    assert resolve("toxic")(crystals).tolist() == [0, 1, 1]
    assert all(Element(symbol).Z for symbol in TOXIC)


def test_an_element_without_a_value_is_an_error():
    with pytest.raises(PropertyError, match=r"'cost_per_kg' knows nothing of Po \(first in Po\); its table holds"):
        resolve("cost_per_kg")(one({"Po": 1}, 221, cubic(3.3)))
