"""Sites of crystals: one key for every choice of origin, and patterns that forget the elements."""

import pytest

from crystalgfn.errors import DataError
from crystalgfn.evaluation.crystals import evaluate_crystals
from crystalgfn.evaluation.site_diversity import pattern_of, site_key, site_numbers, sites_of_table
from evaluation_data import CSCL_TYPE, MGO, crystals

SALT = (225, [("Na", "a", 4), ("Cl", "b", 4)])
MOVED = (225, [("Cl", "a", 4), ("Na", "b", 4)])
OXIDE = (225, [("Mg", "a", 4), ("O", "b", 4)])
FLUORITE = (225, [("Ca", "a", 4), ("F", "c", 8)])


def test_another_origin_is_the_same_crystal():
    assert site_key(SALT) == site_key(MOVED) != site_key(OXIDE)
    assert pattern_of(site_key(SALT)) == pattern_of(site_key(OXIDE)) == "225: a, b"
    assert pattern_of(site_key(FLUORITE)) == "225: a, c"


def test_numbers_count_crystals_without_sites():
    found = site_numbers([SALT, MOVED, OXIDE, FLUORITE, None], source="by hand")
    assert {name: number["value"] for name, number in found.items()} == pytest.approx(
        {"n_site_keys": 3, "distinct_site_keys": 3 / 5, "n_patterns": 2, "most_frequent_pattern": 3 / 5}
    )
    assert "225: a, b" in found["most_frequent_pattern"]["method"]


def test_sites_that_the_group_does_not_have_are_named():
    with pytest.raises(DataError, match="row 1: space group 225 has no Wyckoff position 'z'"):
        site_numbers([SALT, (225, [("Na", "z", 4)])], source="by hand")


def test_a_table_with_sites():
    given = crystals(MGO, CSCL_TYPE, wyckoff=['[["Mg", "a", 4], ["O", "b", 4]]', '[["Mg", "b", 1], ["O", "a", 1]]'])
    assert sites_of_table(given) == [OXIDE, (221, [("Mg", "b", 1), ("O", "a", 1)])]
    assert evaluate_crystals(given, smact=False)["diversity"]["n_site_keys"]["value"] == 2
    assert "n_site_keys" not in evaluate_crystals(crystals(MGO), smact=False)["diversity"]
    with pytest.raises(DataError, match="row 0: column 'wyckoff' holds 'a, b', allowed: a JSON list"):
        sites_of_table(crystals(MGO, wyckoff=["a, b"]))
    with pytest.raises(DataError, match="row 0: column 'wyckoff' holds None"):
        sites_of_table(crystals(MGO, wyckoff=[None]))
