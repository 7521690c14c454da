"""Sites: elements from symbols only, occupancies and coordinates as they stand, and a reason for every refusal."""

import pytest

from cif_text import SITE, cif
from crystalgfn.crystallography.cif.blocks import parse
from crystalgfn.crystallography.cif.sites import formula_sum, read_sites
from crystalgfn.errors import DataError

LABELS = ("label", "fract_x", "fract_y", "fract_z")


def sites(rows, *lines, columns=SITE):
    return read_sites(parse(cif(5.0, rows, *lines, columns=columns))[0])


@pytest.mark.parametrize(
    ("symbol", "z"),
    [
        *(("Na", 11), ("Na+", 11), ("Na1+", 11), ("Fe3+", 26), ("Fe+3", 26), ("Fe3", 26), ("O2-", 8), ("Cl-1", 17)),
        *(("D", 1), ("D+", 1), ("2H", 1), ("7Li", 3), ("35Cl-", 17), ("FE", 26), ("CL", 17), ("W0", 74), ("U", 92)),
    ],
)
def test_elements_of_type_symbols(symbol, z):
    assert [site.number for site in sites([f"A1 {symbol} 0 0 0"])] == [z]


@pytest.mark.parametrize(
    "symbol",
    ["Vac", "Va", "X", "Xx", "M", "Wat", "OH", "OH-", "H2O", "NH4+", "CO", "NO", "HF", "T", "Q", "Lp", "fe", "Du", "R"],
)
def test_what_is_no_element_gives_none(symbol):
    with pytest.raises(DataError, match="site A1 is no element"):
        sites([f"A1 {symbol} 0 0 0"])


@pytest.mark.parametrize(
    ("label", "z"),
    [("Na1", 11), ("O1W", 8), ("C1A", 6), ("Fe(1)", 26), ("Fe3+", 26), ("Cl-", 17), ("7Li1", 3), ("D2", 1)],
)
def test_elements_of_labels_without_type_symbols(label, z):
    assert [site.number for site in sites([f"{label} 0 0 0"], columns=LABELS)] == [z]


@pytest.mark.parametrize(
    "label", ["OH1", "Wat1", "OW1", "Vac1", "M1", "X1", "T1", "H2O1", "CA1", "CO1", "HF", "1", "?"]
)
def test_labels_that_name_no_element(label):
    with pytest.raises(DataError, match="is no element"):
        sites([f"{label} 0 0 0"], columns=LABELS)


def test_the_formula_says_what_two_capitals_mean():
    assert sites(["CO1 0 0 0"], "_chemical_formula_sum 'Co'", columns=LABELS)[0].number == 27
    with pytest.raises(DataError, match="is no element"):
        sites(["CO1 0 0 0"], "_chemical_formula_sum 'C O'", columns=LABELS)


def test_masses_of_isotopes():
    assert [site.mass for site in sites(["A D 0 0 0", "B 7Li .5 0 0", "C H 0 .5 0"])] == pytest.approx(
        [2.014, 7, 1.008], abs=1e-3
    )


@pytest.mark.parametrize("text", ["1", "1.0", ".", "?", "1.000(2)", "0.9995"])
def test_full_sites(text):
    assert len(sites([f"A Na 0 0 0 {text}"], columns=(*SITE, "occupancy"))) == 1


def test_empty_sites_are_left_out():
    rows = ["Na1 Na 0 0 0 1 .", "Vac1 Vac .5 .5 .5 0 .", "Q1 X .2 .2 .2 1 dum"]
    assert [site.label for site in sites(rows, columns=(*SITE, "occupancy", "calc_flag"))] == ["Na1"]


@pytest.mark.parametrize(
    ("row", "more", "reason"),
    [
        ("A Na 0 0 0 0.5", "occupancy", "disordered: site A has occupancy 0.5"),
        ("A Na 0 0 0 1.5", "occupancy", "occupancy 1.5, allowed: 0 to 1"),
        ("A Na 0 0 0 -1", "occupancy", "occupancy -1"),
        ("A Na 0 0 0 0", "occupancy", "every site is empty"),
        ("A O 0 0 0 2", "attached_hydrogens", "hydrogen atoms without coordinates: site A has 2"),
        ("A Na . 0 0 1", "occupancy", "site A has no coordinates"),
        ("A Na 0 ? 0 1", "occupancy", "site A has no coordinates"),
        ("A Na 0 0,5 0 1", "occupancy", "coordinate of site A: found '0,5'"),
        ("A Na 0 0 0 -1", "disorder_group", "disordered: site A belongs to disorder group -1"),
    ],
)
def test_sites_that_are_refused(row, more, reason):
    with pytest.raises(DataError, match=reason):
        sites([row], columns=(*SITE, more))


def test_alternatives_are_disorder():
    rows = ["A Na 0 0 0 1", "B Cl .5 .5 .5 2"]
    with pytest.raises(DataError, match="site B belongs to disorder group 2"):
        sites(rows, columns=(*SITE, "disorder_group"))
    assert len(sites([row[:-1] + "1" for row in rows], columns=(*SITE, "disorder_group"))) == 2


def test_only_fractional_coordinates_are_read():
    with pytest.raises(DataError, match="Cartesian"):
        sites(["A Na 0 0 0"], columns=("label", "type_symbol", "Cartn_x", "Cartn_y", "Cartn_z"))


@pytest.mark.parametrize(
    ("text", "counts"),
    [("Al2 O3", {13: 2, 8: 3}), ("NaCl", {11: 1, 17: 1}), ("Li D", {3: 1, 1: 1}), ("Fe0.95(2) O", {26: 0.95, 8: 1})],
)
def test_formulas(text, counts):
    assert formula_sum(parse(cif(5.0, ["A Na 0 0 0"], f"_chemical_formula_sum '{text}'"))[0]) == counts


@pytest.mark.parametrize("text", ["Vac Na", "Na Xx2", "(C2 H4)n", "2 Na", "Na0"])
def test_formulas_that_are_none(text):
    with pytest.raises(DataError, match="_chemical_formula_sum"):
        sites(["A Na 0 0 0"], f"_chemical_formula_sum '{text}'")
