"""Energy above the hull by a model of the formation energy."""

import pytest

from crystalgfn.errors import PropertyError
from crystalgfn.properties.hull_energy import EnergyAboveHull
from crystalgfn.properties.registry import resolve
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.stability.load import load_hull
from property_data import cubic, one

SALT = one({"Na": 4, "Cl": 4}, 225, cubic(5.64))


def test_energy_above_hull():
    crystal = one({"Li": 4, "F": 4}, 225, cubic(4.02))
    energy = float(resolve("formation_energy")(crystal))
    expected = load_hull("builtin").energy_above_hull({"Li": 1, "F": 1}, energy).value
    assert float(resolve("energy_above_hull")(crystal)) == pytest.approx(expected, abs=1e-4)
    assert set(resolve("energy_above_hull").elements) == set(ProxyProperty.load("energy_above_hull").elements)


def test_energy_above_hull_names_what_the_hull_lacks(tmp_path):
    path = tmp_path / "hull.csv"
    path.write_text('elements,formation_energy_per_atom\n"{""Li"": 1, ""F"": 1}",-3.18\n')
    above = EnergyAboveHull(hull=str(path))
    with pytest.raises(PropertyError, match=r"'energy_above_hull' knows nothing of Na, Cl \(first in NaCl\)"):
        above(SALT)


def test_crystals_with_sites_have_a_model_of_their_own():
    salted = SALT.with_columns(wyckoff=['[["Na", "a", 4], ["Cl", "b", 4]]'])
    above = EnergyAboveHull()
    energy, deviation = above.with_deviation(salted)
    assert float(energy) == float(above(salted)) == float(above.site_model(salted))
    assert float(deviation) > 0
    assert abs(float(energy)) < 2 * float(deviation)  # rock salt is stable
    caesium_chloride = one({"Na": 1, "Cl": 1}, 221, cubic(3.4)).with_columns(
        wyckoff=['[["Na", "a", 1], ["Cl", "b", 1]]']
    )
    assert float(energy) < float(above(caesium_chloride))
    moved = SALT.with_columns(wyckoff=['[["Na", "a", 4], ["Cl", "c", 8]]'])
    with pytest.raises(PropertyError, match="sites hold 8 atoms of Cl"):
        resolve("energy_above_hull")(moved)
