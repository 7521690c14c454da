"""CIF text to crystals: what is read is what the file declares, in any setting, or it is refused with a reason."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from cif_text import ALL_ATOMS, FM3M, ROCK_SALT, SITE, cif
from crystalgfn.crystallography.cif.read import read_structure, read_structures, read_text
from crystalgfn.crystallography.symmetry import settings
from crystalgfn.crystallography.symmetry.search import find_group
from crystalgfn.datasets.standardise import conventional_cell
from crystalgfn.errors import DataError

OCCUPIED = (*SITE, "occupancy")


def read(text):
    """Return the formula of the cell of the file, and the space group."""
    structure = read_structure(text)
    return structure.composition.formula, conventional_cell(structure).space_group


def named(symbol):
    return f"_symmetry_space_group_name_H-M '{symbol}'"


def formula(text, units=None):
    return (f"_chemical_formula_sum '{text}'", *([f"_cell_formula_units_Z {units}"] if units else []))


HEXAGONAL_BI2TE3 = (
    (4.386, 4.386, 30.5, 90, 90, 120),
    ("Bi1 Bi 0 0 0.4001", "Te1 Te 0 0 0", "Te2 Te 0 0 0.2095"),
)
RHOMBOHEDRAL_BI2TE3 = (
    (10.476, 10.476, 10.476, 24.17, 24.17, 24.17),
    ("Bi1 Bi 0.4001 0.4001 0.4001", "Te1 Te 0 0 0", "Te2 Te 0.2095 0.2095 0.2095"),
)
SPINEL_1 = ("Mg1 Mg 0 0 0", "Al1 Al 0.625 0.625 0.625", "O1 O 0.3875 0.3875 0.3875")
SPINEL_2 = ("Mg1 Mg 0.125 0.125 0.125", "Al1 Al 0.5 0.5 0.5", "O1 O 0.2625 0.2625 0.2625")
MONOCLINIC = ("Na1 Na .13 .22 .31", "Cl1 Cl .63 .41 .27")
LAFEO3 = ("La La .99 .04 .25", "Fe Fe .5 0 0", "O1 O .08 .48 .25", "O2 O .7 .29 .04")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (cif(5.64, ROCK_SALT, FM3M), ("Na4 Cl4", 225)),
        (cif(5.64, ROCK_SALT, "_space_group_IT_number 225"), ("Na4 Cl4", 225)),
        (cif(*RHOMBOHEDRAL_BI2TE3, named("R -3 m :R")), ("Bi2 Te3", 166)),
        (cif(*RHOMBOHEDRAL_BI2TE3, named("R -3 m R")), ("Bi2 Te3", 166)),
        (cif(*RHOMBOHEDRAL_BI2TE3, named("R -3 m")), ("Bi2 Te3", 166)),
        (cif(*HEXAGONAL_BI2TE3, named("R -3 m")), ("Bi6 Te9", 166)),
        (cif(*HEXAGONAL_BI2TE3, named("R -3 m :H")), ("Bi6 Te9", 166)),
        (cif(8.08, SPINEL_1, named("F d -3 m :1")), ("Mg8 Al16 O32", 227)),
        (cif(8.08, SPINEL_1, named("F d -3 m S")), ("Mg8 Al16 O32", 227)),
        (cif(8.08, SPINEL_2, named("F d -3 m :2")), ("Mg8 Al16 O32", 227)),
        (cif(8.08, SPINEL_2, named("F d -3 m Z")), ("Mg8 Al16 O32", 227)),
        (cif(8.08, SPINEL_1, named("F d -3 m"), *formula("Mg Al2 O4")), ("Mg8 Al16 O32", 227)),
        (cif(8.08, SPINEL_2, named("F d -3 m"), *formula("Mg Al2 O4")), ("Mg8 Al16 O32", 227)),
        (cif(5.43, ["Si Si 0 0 0"], named("F d -3 m"), *formula("Si", 8)), ("Si8", 227)),
        (cif(5.43, ["Si Si 0 0 0"], named("F d -3 m"), "_exptl_crystal_density_diffrn 2.33"), ("Si8", 227)),
        (cif((5.26, 5.52, 7.49, 90, 90, 90), LAFEO3, named("P b n m"), *formula("Fe La O3", 4)), ("La4 Fe4 O12", 62)),
        (cif((6.2, 7.9, 9.1, 90, 95, 90), MONOCLINIC, named("P 1 21/n 1")), ("Na4 Cl4", 14)),
        (cif((6.2, 7.9, 9.1, 90, 95, 90), MONOCLINIC, named("P 21/n")), ("Na4 Cl4", 14)),
        (cif((6.2, 7.9, 9.1, 90, 90, 95), MONOCLINIC, named("P 21")), ("Na2 Cl2", 4)),
        (cif(4.08, ("Li Li 0 0 0", "D D .5 .5 .5"), FM3M, *formula("D Li", 4)), ("Li4 H4", 225)),
        (cif(5.64, ALL_ATOMS, FM3M, operations=["x,y,z"]), ("Na4 Cl4", 225)),
        (cif(5.64, ALL_ATOMS, FM3M, *formula("Na Cl", 4)), ("Na4 Cl4", 225)),
        (cif(5.64, ROCK_SALT, FM3M, *formula("Na4 Cl4", 4)), ("Na4 Cl4", 225)),
        (cif(3.35, ["Po1 Po 0 0 0"], "_symmetry_equiv_pos_as_xyz x,y,z"), ("Po1", 221)),
    ],
)
def test_crystals_as_their_files_declare_them(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize("hall_number", range(1, settings.SETTINGS + 1, 19))
def test_every_setting_without_a_list(hall_number):
    """Atoms on general positions, in a cell that the group has, come back in their number and space group."""
    setting = settings._all()[hall_number - 1]
    rotations, _ = setting.operations()
    metric = np.array([[420.0, 13.0, -17.0], [13.0, 510.0, 23.0], [-17.0, 23.0, 640.0]])
    metric = np.einsum("gji,jk,gkl->il", rotations, metric, rotations) / len(rotations)
    cell = Lattice(np.linalg.cholesky(metric)).parameters
    sites = ["K1 K 0.1371 0.2719 0.4183", "F1 F 0.0615 0.3872 0.2098"]
    structure = read_structure(cif(cell, sites, named(f"{setting.symbol}{setting.choice and f':{setting.choice}'}")))
    assert structure.composition.formula == f"K{len(rotations)} F{len(rotations)}"
    assert find_group(structure, 1e-3) == setting.number


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (cif(5.64, ROCK_SALT, FM3M, *formula("Ca F2")), "formula: F2 Ca declared, the sites give Na4 Cl4"),
        (cif(5.2, ("Na1 Na 0 0 0", "O1 O .5 .5 .5"), FM3M, *formula("H Na O")), "formula: H O Na declared"),
        (cif(5.64, ROCK_SALT, FM3M, *formula("Na2 Cl")), "formula: Na2 Cl declared"),
        (cif(5.64, ROCK_SALT, *formula("Na Cl", 4)), "Z = 4 of Na Cl declared, the sites give 1"),
        (cif(5.64, ROCK_SALT, *formula("Na4 Cl4")), "0.25 formula units"),
        (cif(5.64, ROCK_SALT, FM3M, "_cell_formula_units_Z 2", *formula("Na Cl")), "Z = 2"),
        (cif(5.64, ROCK_SALT, "_cell_formula_units_Z 4", "_chemical_formula_weight 58.44"), "mass: 4 formula units"),
        (cif(5.64, ROCK_SALT, FM3M, "_cell_volume 44.85"), "volume: 44.85 A.3 declared, the cell has 179.41"),
        (cif(5.64, ROCK_SALT, FM3M, "_exptl_crystal_density_diffrn 0.54"), "density: 0.54 g/cm3 declared"),
        (
            cif(5.64, ROCK_SALT, FM3M, operations=["x,y,z"]),
            "number 225 declared, the 1 listed operations make number 1",
        ),
        (cif(5.64, ROCK_SALT, FM3M, operations=["x,y,z", "-x,-y,-z"]), "number 225 declared"),
        (
            cif(5.43, ["Si Si 0 0 0"], named("F d -3 m")),
            "may be F 4_1/d -3 2/m :1 .* or .* :2 .*the choice in the symbol",
        ),
        (cif(*HEXAGONAL_BI2TE3, named("R -3 m :R")), "does not have the symmetry of R -3 2/m :R"),
        (cif((5.64, 5.64, 5.9, 90, 90, 90), ROCK_SALT, FM3M), "does not have the symmetry"),
        (cif((5.64, 5.64, 0, 90, 90, 90), ROCK_SALT, FM3M), "_cell_length_c: found 0, allowed: above 0"),
        (cif((5.64, 5.64, "?", 90, 90, 90), ROCK_SALT, FM3M), "no _cell_length_c"),
        (cif((5.64, 5.64, 5.64, 90, 90, "."), ROCK_SALT, FM3M), "no _cell_angle_gamma"),
        (cif((5, 5, 5, 120, 120, 120), ROCK_SALT), "angles 120, 120, 120 that enclose no cell"),
        (cif((5, 5, 5, 30, 90, 140), ROCK_SALT), "enclose no cell"),
        (cif(3.6, ["Cu Cu 0 0 0 0.5", "Au Au 0 0 0 0.5"], FM3M, columns=OCCUPIED), "disordered: site Cu"),
        (cif(3.6, ["Cu Cu 0 0 0", "Au Au 0.01 0 0"]), "atoms on top of each other: .* are 0.036 A apart"),
        (cif(3.6, ["Cu Cu 0 0 0", "Au Au 0 0 0"]), "two elements at one place: sites Cu and Au"),
        (cif(3.6, ["Cu Cu 0 0 0", "Cu Cu 0.1 0 0"]), "Cu and Cu are 0.360 A apart, allowed: 0.5 A or more"),
        (cif(5.0, ["Pb Pb 0.04 0 0"], operations=["x,y,z", "-x,y,z"]), "site Pb lies 0.40 A from its own image"),
    ],
)
def test_files_that_contradict_themselves(text, reason):
    with pytest.raises(DataError, match=reason):
        read_structure(text)


@pytest.mark.parametrize("z", ["0.333 0.667", "0.33 0.67", "0.3333 0.6667", "1/3 2/3", "0.3 0.7"])
def test_rounded_thirds_are_thirds(z):
    text = cif(
        (3.25, 3.25, 5.207, 90, 90, 120), [f"Zn Zn {z} 0", f"O O {z} 0.382"], named("P 63 m c"), *formula("Zn O")
    )
    if z == "0.3 0.7":  # 0.2 A off the axis
        with pytest.raises(DataError, match="from its own image"):
            read_structure(text)
        return
    structure = read_structure(text)
    assert structure.composition.formula == "Zn2 O2"
    np.testing.assert_allclose(np.sort(structure.frac_coords[:, 0]), np.array([1, 1, 2, 2]) / 3, atol=1e-9)
    assert conventional_cell(structure).space_group == 186


def test_an_atom_beside_a_mirror_is_on_it():
    sites = ["Pb1 Pb 0.2499 0 0", "S1 S 0.25 0.5 0.31", "S2 S 0.75 0.3 0.87"]
    text = cif((8, 6, 5, 90, 90, 90), sites, named("P m 1 1"), operations=["x,y,z", "-x+1/2,y,z"])
    assert read(text) == ("Pb1 S2", 6)


def test_a_site_that_is_written_twice_is_one():
    rows = ["W1 W 0 0 0", "W2 W 0.5 0.5 0.5", "W3 W 0.001 0 0"]
    assert read(cif(3.16, rows)) == ("W2", 229)
    assert read(cif(3.16, rows, *formula("W", 2)))[0] == "W2"
    with pytest.raises(DataError, match="Z = 3"):
        read_structure(cif(3.16, rows, *formula("W", 3)))


def test_oxidation_states_are_left_out():
    rows = ["Na1 Na+ 0 0 0", "Cl1 Cl- 0.5 0.5 0.5"]
    structure = read_structure(cif(5.64, rows, FM3M) + "loop_\n_atom_type_symbol\n_atom_type_oxidation_number\nNa+ 1\n")
    assert {str(site.specie) for site in structure} == {"Na", "Cl"}


def test_several_blocks_are_several_crystals():
    text = "data_global\n_journal_year 2001\n" + cif(5.64, ROCK_SALT, FM3M, name="salt")
    assert read(text) == ("Na4 Cl4", 225)
    text += cif(4.2, ["Mg Mg 0 0 0", "O O .5 .5 .5"], FM3M, name="oxide") + cif(3.6, ["Vac Vac 0 0 0"], name="void")
    with pytest.raises(DataError, match=r"3 data blocks with a crystal \(salt, oxide, void\), allowed: 1"):
        read_structure(text)
    found = read_structures(text)
    assert [crystal.name for crystal in found] == ["salt", "oxide", "void"]
    assert [crystal.structure and crystal.structure.composition.reduced_formula for crystal in found] == [
        "NaCl",
        "MgO",
        None,
    ]
    assert "site Vac is no element" in found[2].reason
    assert read(found[1].text) == ("Mg4 O4", 225)


def test_a_file_without_a_crystal():
    with pytest.raises(DataError, match="none of the 1 data blocks lists atom sites"):
        read_structures("data_x\n_cell_length_a 5\n")


def test_what_pymatgen_writes_is_read_as_it_was():
    structure = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    for text in (
        structure.to(fmt="cif"),
        structure.to(fmt="cif", symprec=0.01),
        structure.get_primitive_structure().to(fmt="cif"),
    ):
        assert read(text) == ("Ti2 O4", 136)


def test_unreadable_files(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_text(tmp_path / "none.cif")
