"""Metals and insulators that everybody knows."""

import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.properties.registry import resolve
from crystalgfn.proxies.models import ProxyProperty
from property_data import cubic, one

SALT = one({"Na": 4, "Cl": 4}, 225, cubic(5.64))
MAGNESIA = one({"Mg": 4, "O": 4}, 225, cubic(4.21))


@pytest.mark.parametrize(
    ("crystal", "metal"),
    [
        (SALT, False),
        (MAGNESIA, False),
        pytest.param(
            one({"Si": 8}, 227, cubic(5.43)),
            False,
            marks=pytest.mark.xfail(reason="no crystal of one element with a gap is in training", strict=True),
        ),
        (one({"Zn": 4, "S": 4}, 216, cubic(5.41)), False),
        (one({"Si": 3, "O": 6}, 154, (4.91, 4.91, 5.40, 90.0, 90.0, 120.0)), False),
        (one({"Fe": 2}, 229, cubic(2.87)), True),
        (one({"Al": 4}, 225, cubic(4.05)), True),
        (one({"Cu": 4}, 225, cubic(3.61)), True),
        (one({"Al": 4, "Ni": 4}, 221, cubic(3.64)), True),
    ],
    ids=["NaCl", "MgO", "Si", "ZnS", "SiO2", "Fe", "Al", "Cu", "AlNi"],
)
def test_metals_and_insulators(crystal, metal):
    assert (float(resolve("metal")(crystal)) > 0.5) == metal
    gap = float(resolve("band_gap")(crystal))
    assert gap < 0.1 if metal else gap > 0.3


def test_wide_gaps():
    gaps = resolve("band_gap")(Crystals.concatenate([SALT, one({"Ga": 4, "As": 4}, 216, cubic(5.65))]))
    assert float(gaps[0]) == pytest.approx(5.1, abs=1.0)  # Materials Project, PBE
    assert float(gaps[1]) < 2
    assert resolve("band_gap").unit == "eV"


def test_only_a_model_of_gaps_knows_metals():
    with pytest.raises(PropertyError, match="allowed: a model of the band gap"):
        ProxyProperty.load("formation_energy_paper").metal(SALT)
