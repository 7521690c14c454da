"""Classes of crystals: examples, and what is left for intermetallics against pymatgen's metals."""

from collections import Counter

import pytest
from pymatgen.core import Element

from crystalgfn.crystallography.chemical_classes import CLASSES, class_of
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.evaluation.chemical_classes import class_numbers, class_shares, elements_of
from evaluation_data import CSCL_TYPE, MGO, crystals


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("Mg O", "oxides"),
        ("Na P O F", "oxides"),
        ("Na Cl", "halides"),
        ("Bi S Br", "halides"),
        ("Zn S", "chalcogenides"),
        ("Cu Sb Se", "chalcogenides"),
        ("Ga As", "pnictides"),
        ("Ni Al", "intermetallics"),
        ("Mg Si", "intermetallics"),
        ("Li H", "others"),
        ("Ti C", "others"),
        ("Fe", "others"),
        ("O", "others"),
        ("Sb", "others"),
    ],
)
def test_examples(symbols, expected):
    assert class_of(SYMBOLS.index(symbol) for symbol in symbols.split()) == expected


def test_intermetallics_are_of_metals_boron_silicon_and_germanium():
    left = {z for z in range(1, 104) if class_of((z, 26 if z != 26 else 27)) == "intermetallics"}
    metals = {z for z in range(1, 104) if Element.from_Z(z).is_metal}
    assert left == metals | {5, 14, 32}


def test_shares_beside_a_reference():
    ours, theirs = Counter({frozenset({8, 12}): 3, frozenset({26}): 1}), Counter({frozenset({11, 17}): 5})
    assert class_shares(ours) == {**dict.fromkeys(CLASSES, 0), "oxides": 0.75, "others": 0.25}
    found = class_numbers(ours, theirs, name="salts")
    assert (found["oxides"]["value"], found["oxides_reference"]["value"]) == (0.75, 0)
    assert (found["halides_reference"]["value"], found["halides_reference"]["n"]) == (1, 5)
    assert "oxides_reference" not in class_numbers(ours)
    assert class_numbers(Counter())["oxides"]["value"] is None


def test_elements_of_a_table():
    pure = ([3.0, 3.0, 3.0, 90.0, 90.0, 90.0], [0, 2], 229)
    assert elements_of(crystals(MGO, CSCL_TYPE, pure)) == {frozenset({8, 12}): 2, frozenset({12}): 1}
