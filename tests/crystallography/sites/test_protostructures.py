"""Protostructure labels against pymatgen, which writes the same text, and what parsing refuses."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import numpy as np
import pytest

from crystalgfn.crystallography.operations import affine_permutations
from crystalgfn.crystallography.sites.protostructures import EUCLIDEAN, parse_label, protostructure_label
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError

SHARED = Path(__file__).parents[4] / "shared" / "data"
SYMBOLS = ("Al", "B", "Mg", "O")


def random_sites(generator: random.Random, group: int) -> list[tuple[str, str]]:
    """Up to 7 orbits of up to 4 elements; the last position, which is always free, occurs."""
    letters = [WYCKOFF[group][-1].letter]
    for position in generator.choices(WYCKOFF[group], k=6):
        if position.degrees_of_freedom or position.letter not in letters:
            letters.append(position.letter)
    return [(generator.choice(SYMBOLS), letter) for letter in letters]


@pytest.fixture(scope="module")
def prototypes():
    return pytest.importorskip("pymatgen.analysis.prototypes")


def test_letters_are_those_of_pymatgen_in_every_group(prototypes):
    generator = random.Random(0)
    for group in [*range(1, 231)] * 3:
        sites = random_sites(generator, group)
        by_element: dict[str, list[str]] = {}
        for symbol, letter in sorted(sites):
            by_element.setdefault(symbol, []).append(letter)
        written = "_".join(
            "".join(f"{own.count(letter)}{letter}" for letter in dict.fromkeys(own)) for own in by_element.values()
        )
        theirs = prototypes.canonicalize_element_wyckoffs(written, group)
        label = protostructure_label(group, sites)
        assert label.split(":")[0].split("_", 3)[3] == theirs
        assert label.split(":")[1] == "-".join(by_element)


def test_labels_are_read_back_and_stay_the_same():
    generator = random.Random(1)
    for group in range(1, 231):
        label = protostructure_label(group, random_sites(generator, group))
        found = parse_label(label)
        assert found.space_group == group
        sites = [(symbol, letter) for symbol, own in zip(found.elements, found.slots, strict=True) for letter in own]
        assert protostructure_label(group, sites) == label
        assert parse_label(label.split(":")[0]) == (group, found.slots, None)


def test_descriptions_of_one_crystal_have_one_label():
    generator = random.Random(2)
    for group in sorted(set(range(1, 231)) - EUCLIDEAN):
        sites = random_sites(generator, group)
        images = generator.choice(affine_permutations(group))
        moved = [(symbol, images[letter]) for symbol, letter in generator.sample(sites, len(sites))]
        assert protostructure_label(group, moved) == protostructure_label(group, sites)


def test_known_labels():
    assert protostructure_label(225, [("O", "a"), ("Mg", "b")]) == "AB_cF8_225_a_b:Mg-O"
    assert protostructure_label(221, [("O", "c"), ("Ti", "b"), ("Sr", "a")]) == "A3BC_cP5_221_c_a_b:O-Sr-Ti"
    assert protostructure_label(166, [("Te", "a"), ("Bi", "c"), ("Te", "c")]) == "A2B3_hR15_166_c_ac:Bi-Te"
    assert protostructure_label(47, [("Mg", "A"), ("O", "A"), ("O", "A")]) == "AB2_oP24_47_A_2A:Mg-O"


def test_real_crystals_have_the_labels_of_pymatgen(prototypes):
    """Of 450, those with the same group; labels may differ where pymatgen's own search finds another cell."""
    if not SHARED.exists():
        pytest.skip("the table of real crystals is not there")
    pandas = pytest.importorskip("pandas")
    from pymatgen.core import Lattice, Structure

    sites = pandas.read_parquet(SHARED / "crystals.parquet", columns=["material_id", "spacegroup", "wyckoff"])
    structures = pandas.read_parquet(SHARED / "structures.parquet").sample(450, random_state=0)
    same = []
    for row in structures.merge(sites, on="material_id").itertuples():
        lattice = Lattice(np.array(row.cell).reshape(3, 3))
        structure = Structure(lattice, list(row.numbers), np.array(row.fractional).reshape(-1, 3))
        theirs = prototypes.get_protostructure_label(structure, "moyopy", symprec=0.05)
        if int(theirs.split("_")[2]) == row.spacegroup:
            pairs = [(symbol, letter) for symbol, letter, _ in json.loads(row.wyckoff)]
            same.append(protostructure_label(row.spacegroup, pairs) == theirs)
    assert len(same) > 440
    assert np.mean(same) > 0.99


def test_a_thousand_labels_take_a_moment():
    generator = random.Random(3)
    several = [(group, random_sites(generator, group)) for group in generator.choices(range(1, 231), k=1000)]
    start = time.process_time()
    for group, sites in several:
        protostructure_label(group, sites)
    assert time.process_time() - start < 1  # 0.1 s on one core


def test_structure_types_may_order_the_formula_freely():
    assert parse_label("AB2C4_cF56_227_d_a_e") == (227, ("d", "a", "e"), None)
    assert parse_label("A2BC4_cF56_227_d_a_e:Al-Mg-O").elements == ("Al", "Mg", "O")
    assert parse_label("AB_mC16_12_2i_2i").slots == ("ii", "ii")


def test_side_centred_lattices_may_have_other_pearson_symbols():
    for symbol in ("oS8", "oC8"):
        assert parse_label(f"AB_{symbol}_63_c_c") == (63, ("c", "c"), None)
    for symbol in ("oS4", "oA4", "oC4"):
        assert parse_label(f"AB_{symbol}_38_a_b").space_group == 38
    assert CENTERING_MULTIPLICITY[38] == CENTERING_MULTIPLICITY[63] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AB_cF8_225_a_z", "no Wyckoff position 'z' (nearest: 'l'); allowed are the letters abcdefghijkl"),
        ("AB_cF8_225_a_a:Mg-O", "'a' of space group 225 has no free coordinates and is taken 2 times; allowed: once"),
        ("AB2_cF12_225_a_2b", "'b' of space group 225 has no free coordinates and is taken 2 times"),
        ("AB_cF8_231_a_b", "space group is 231; allowed are 1 to 230"),
        ("AB2_cF8_225_a_b", "anonymous formula 'AB2', allowed with these letters: 'AB'"),
        ("AB2C4_cF56_227_d_a_e:Al-Mg-O", "anonymous formula 'AB2C4', allowed with these letters: 'A2BC4'"),
        ("BA_cF8_225_a_b", "anonymous formula 'BA', allowed: A, B, ... in order with their numbers, as 'AB'"),
        ("AB_cP8_225_a_b", "Pearson symbol 'cP8', allowed with these letters: 'cF8'"),
        ("AB_cF8_225_a_b:O-Mg", "elements 'O-Mg', allowed: 2 different ones in alphabetical order, as in 'Mg-O'"),
        ("AB_cF8_225_a_b:Mg", "elements 'Mg', allowed: 2 different ones"),
        ("AB_cF8_225_a_b:Mg-Xx", "unknown element 'Xx' (nearest: 'Xe')"),
        ("AB_cF8_225_a_b2", "letters 'b2'; allowed: Wyckoff letters, with the number of orbits before each"),
        ("AB_cF8_225_a_b:", "found another form, allowed: a label such as AB_cF8_225_a_b:Mg-O"),
        ("spinel", "found another form"),
        ("", "found another form"),
    ],
)
def test_what_is_no_label_is_refused_in_one_line(text, message):
    with pytest.raises(DataError, match=re.escape(message)) as found:
        parse_label(text)
    assert repr(text) in str(found.value)
    assert "\n" not in str(found.value)


def test_wrong_crystals_have_no_label():
    with pytest.raises(DataError, match="space group is 0"):
        protostructure_label(0, [("Mg", "a")])
    with pytest.raises(DataError, match="unknown element 'Mgo'"):
        protostructure_label(225, [("Mgo", "a")])
    with pytest.raises(DataError, match="without sites"):
        protostructure_label(225, [])
    with pytest.raises(DataError, match="no free coordinates"):
        protostructure_label(225, [("Mg", "a"), ("O", "a")])
