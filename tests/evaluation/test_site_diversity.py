"""Sites of crystals: one key for every choice of origin, and patterns that forget the elements."""

import pytest

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.errors import DataError
from crystalgfn.evaluation.crystals import evaluate_crystals
from crystalgfn.evaluation.site_diversity import keys_of, site_numbers, sites_of_table, structure_type
from evaluation_data import CSCL_TYPE, MGO, crystals

SALT = Assignment(225, ((11, "a"), (17, "b")))
MOVED = Assignment(225, ((17, "a"), (11, "b")))
OXIDE = Assignment(225, ((12, "a"), (8, "b")))
FLUORITE = Assignment(225, ((20, "a"), (9, "c")))


def test_another_origin_is_the_same_crystal():
    keys, patterns = keys_of([SALT, MOVED, OXIDE, FLUORITE])
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert patterns[:3] == patterns[:1] * 3
    assert patterns[3] != patterns[0]
    assert keys_of([]) == ([], [])


def test_structure_types():
    assert structure_type(SALT) == structure_type(OXIDE) == "AB_cF8_225_a_b"
    assert structure_type(FLUORITE) == "AB2_cF12_225_a_c"


def test_numbers_count_crystals_without_sites():
    found = site_numbers([SALT, MOVED, OXIDE, FLUORITE, None], source="by hand")
    assert {name: number["value"] for name, number in found.items()} == pytest.approx(
        {"n_site_keys": 3, "distinct_site_keys": 3 / 5, "n_patterns": 2, "most_frequent_pattern": 3 / 5}
    )
    assert "AB_cF8_225_a_b" in found["most_frequent_pattern"]["method"]
    assert site_numbers([None], source="by hand")["most_frequent_pattern"]["value"] == 0


def test_a_table_with_sites():
    texts = ['[["Mg", "a", 4], ["O", "b", 4]]', '[["Mg", "b", 1], ["O", "a", 1]]', None]
    given = crystals(MGO, CSCL_TYPE, MGO, wyckoff=texts)
    assert sites_of_table(given) == [OXIDE, Assignment(221, ((8, "a"), (12, "b"))), None]
    found = evaluate_crystals(given, smact=False)["diversity"]
    assert (found["n_site_keys"]["value"], found["n_site_keys"]["n"]) == (2, 3)
    assert (
        sites_of_table(crystals(MGO, wyckoff=[float("nan")])) == sites_of_table(crystals(MGO, wyckoff=[""])) == [None]
    )
    assert "n_site_keys" not in evaluate_crystals(crystals(MGO), smact=False)["diversity"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a, b", "row 1: sites: found 'a, b', allowed: a JSON list"),
        ('[["Mg", "z", 4], ["O", "b", 4]]', "row 1: space group 225 has no Wyckoff position 'z'"),
        ('[["Mg", "a", 4], ["O", "c", 8]]', "row 1: sites hold 8 atoms of O in the conventional cell"),
    ],
)
def test_sites_that_cannot_be_are_named_by_row(text, reason):
    with pytest.raises(DataError, match=reason):
        sites_of_table(crystals(MGO, MGO, wyckoff=['[["Mg", "a", 4], ["O", "b", 4]]', text]))
