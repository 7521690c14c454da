"""Labels that a user gives to a loop: which rows are taken, on which scale, and what is refused before any work."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from command_line import is_one_line
from crystalgfn.cli import main
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import parse_sites
from crystalgfn.errors import DataError
from crystalgfn.loop.given import read_given
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import load_hull

SALT = '[["{0}", "a", 4], ["{1}", "b", 4]]'
HULL = Hull([({"Mg": 1, "O": 1}, -3.0), ({"Na": 1, "Cl": 1}, -2.0), ({"Li": 1, "F": 1}, -3.2)], name="mine")
ELEMENTS = ("Mg", "O", "Na", "Cl", "Li", "F")


def salt(first, second, a=4.2, **columns):
    cell = dict(zip(("a", "b", "c", "alpha", "beta", "gamma"), (a, a, a, 90.0, 90.0, 90.0), strict=True))
    counts = f'{{"{first}": 4, "{second}": 4}}'
    return {"elements": counts, "spacegroup": 225, **cell, "wyckoff": SALT.format(first, second), **columns}


def written(path, *rows, metadata=None):
    """A table of rows; ``metadata`` of columns by name."""
    if path.suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
        return path
    Crystals.from_dataframe(pd.DataFrame(rows)).to_parquet(path)
    table = pq.read_table(path)
    for name, content in (metadata or {}).items():
        place = table.schema.get_field_index(name)
        table = table.cast(table.schema.set(place, table.schema.field(place).with_metadata(content)))
    pq.write_table(table, path)
    return path


def given(*paths, hull=HULL, elements=ELEMENTS):
    return read_given(paths, elements=elements, hull=hull, potential="chgnet")


def refused(path, **more):
    with pytest.raises(DataError) as caught:
        given(path, **more)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_formation_energies_are_measured_from_the_hull_of_the_loop(tmp_path, suffix):
    rows = [salt("Mg", "O", formation_energy_per_atom=-2.9, e_above_hull=0.7), salt("Na", "Cl", 5.6, e_above_hull=0.1)]
    labels = given(written(tmp_path / f"mine{suffix}", *rows))
    assert labels.crystals.formulas == ["MgO"]
    assert labels.crystals["e_above_hull"] == pytest.approx([0.1])
    assert labels.crystals["formation_energy_per_atom"] == pytest.approx([-2.9])
    assert labels.notes == (
        f"mine{suffix}: 1 of 2 rows taken as labels (formation energy per atom, as given; above the hull mine); left "
        "out: 1 without an energy",
        "labels of two methods: as given, and the loop's own by chgnet, all above the hull mine",
    )


def test_energies_above_hull_count_where_there_are_no_formation_energies(tmp_path):
    path = written(tmp_path / "a.csv", salt("Mg", "O", formation_energy_per_atom=None, e_above_hull=0.25))
    labels = given(path)
    assert labels.crystals["e_above_hull"] == pytest.approx([0.25])
    assert np.isnan(labels.crystals["formation_energy_per_atom"]).all()


def test_of_a_crystal_in_several_rows_and_files_the_lowest_counts(tmp_path):
    one = written(tmp_path / "one.csv", *(salt("Mg", "O", formation_energy_per_atom=e) for e in (-2.5, -2.8)))
    two = written(tmp_path / "two.csv", salt("Mg", "O", 4.3, formation_energy_per_atom=-2.7), salt("Li", "F", e_form=1))
    labels = given(one, two.rename(tmp_path / "two.csv"))
    assert labels.crystals["e_above_hull"] == pytest.approx([0.2])
    assert "one.csv: 1 of 2 rows" in labels.notes[0]
    assert "left out: 1 higher than another of the same crystal" in labels.notes[0]
    assert "two.csv: 0 of 2 rows" in labels.notes[1]


def test_protostructure_labels_are_sites(tmp_path):
    row = salt("Mg", "O", protostructure="AB_cF8_225_a_b:Mg-O", formation_energy_per_atom=-2.9)
    del row["wyckoff"]
    labels = given(written(tmp_path / "a.csv", row))
    assert parse_sites(labels.crystals["wyckoff"][0], 225) == parse_sites(SALT.format("Mg", "O"), 225)
    for label, message in {
        "AB_cF8_225_a_b": "row 1: 'AB_cF8_225_a_b': no elements",
        "AB_cP2_221_a_b:Mg-O": "of space group 221, allowed: 225, as the row says",
        "rocksalt": "row 1: 'rocksalt' is no protostructure label",
        "AB_cF8_225_a_b:Na-O": "row 1: sites hold 4 atoms of Na in the conventional cell, the composition has 0",
    }.items():
        assert message in refused(written(tmp_path / "b.csv", row | {"protostructure": label}))


def test_rows_without_sites_or_of_many_orbits_or_off_the_hull_are_left_out_and_counted(tmp_path):
    orbits = ", ".join(['["Mg", "a", 1]'] * 7 + ['["O", "a", 1]'] * 6)
    cell = {"a": 5.0, "b": 6.0, "c": 7.0, "alpha": 80.0, "beta": 85.0, "gamma": 95.0}
    wide = {
        "elements": '{"Mg": 7, "O": 6}',
        "spacegroup": 1,
        **cell,
        "wyckoff": f"[{orbits}]",
        "e_form [eV/atom]": -1.0,
    }
    rows = [
        salt("Mg", "O", **{"e_form [eV/atom]": -2.9}),
        salt("Mg", "O", 4.4, **{"e_form [eV/atom]": -2.0}) | {"wyckoff": ""},
        salt("Li", "O", **{"e_form [eV/atom]": -1.5}) | {"elements": '{"Li": 4, "O": 4}'},
        wide,
        salt("Cs", "Cl", 7.0, **{"e_form [eV/atom]": -2.1}),
    ]
    labels = given(written(tmp_path / "a.csv", *rows), elements=(*ELEMENTS, "Cs"))
    assert sorted(labels.crystals.formulas) == ["LiO", "MgO"]
    assert labels.notes[0].endswith(
        "left out: 1 without sites; 1 of more than 12 orbits; 1 that the hull does not reach"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wyckoff": None}, "no row can be a label (1 without sites), allowed: 1 or more"),
        ({"wyckoff": "[]"}, "row 1: sites: found an empty list"),
        ({"formation_energy_per_atom": None}, "no row has an energy"),
        ({"formation_energy_per_atom": np.inf}, "formation energy in eV/atom from -5.5 to 12"),
        ({"formation_energy_per_atom": -999.0}, "or empty where the value is missing"),
        ({"formation_energy_per_atom": -290.0}, "kJ/mol"),
        ({"formation_energy_per_atom": "low"}, "row 1, column 'formation_energy_per_atom': found 'low'"),
    ],
)
def test_cells_that_are_no_labels(tmp_path, change, message):
    row = salt("Mg", "O", formation_energy_per_atom=-2.9) | change
    assert message in refused(written(tmp_path / "a.csv", row))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"formation_energy_std [eV/atom]": 0.1}, "no energies among"),
        ({"formation_energy_per_atom [kJ/mol]": -290.0}, "allowed: formation_energy_per_atom in eV/atom"),
        (
            {"formation_energy_predicted [eV/atom]": -2.9},
            "[eV/atom]' holds predictions, allowed: labels",
        ),
        ({"e_above_hull_7net-l3i5 [eV/atom]": 0.1}, "is by 7net-l3i5, the loop's own are by chgnet"),
        (
            {"e_form": -2.9, "source": "VASP R2SCAN, no corrections"},
            "is by VASP, no corrections, the loop's own are by",
        ),
        ({"e_above_hull": 0.1, "source": "round-0; 7net-l3i5, hull mine"}, "is by 7net-l3i5"),
        (
            {"e_above_hull": 0.1, "source": "round-0; chgnet, hull mp"},
            "is above the hull mp, the loop's own are above mine",
        ),
    ],
)
def test_columns_that_hold_no_comparable_energies(tmp_path, columns, message):
    assert message in refused(written(tmp_path / "a.csv", salt("Mg", "O", **columns)))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"method": "VASP, no corrections; elements: mine"}, "is by VASP, no corrections"),
        ({"method": "7net-l3i5; elements: 7net-l3i5"}, "is by 7net-l3i5"),
        ({"method": "VASP, MP2020 corrections; elements: 7net-l3i5"}, "is relative to the elements of 7net-l3i5"),
        ({"unit": "kJ/mol"}, "is in kJ/mol by its metadata"),
    ],
)
def test_metadata_that_say_that_energies_are_not_comparable(tmp_path, metadata, message):
    row = salt("Mg", "O", formation_energy_per_atom=-2.9)
    path = written(tmp_path / "a.parquet", row, metadata={"formation_energy_per_atom": metadata})
    assert message in refused(path)


def test_labels_of_another_loop_are_taken_row_by_row(tmp_path):
    rows = [
        salt("Mg", "O", e_above_hull=0.1, source="round-1; chgnet, hull mine"),
        salt("Na", "Cl", 5.6, e_above_hull=0.2, source="dft.parquet; VASP, MP2020 corrections, hull mine"),
        salt("Li", "F", 4.0, e_above_hull=0.3, source="x.csv; as given, hull mine"),
    ]
    labels = given(written(tmp_path / "a.csv", *rows))
    assert labels.crystals["source"].tolist() == [
        "a.csv; chgnet, hull mine",
        "a.csv; VASP, MP2020 corrections, hull mine",
        "a.csv; as given, hull mine",
    ]
    assert "labels of two methods: VASP, MP2020 corrections, as given, and the loop's own" in labels.notes[1]
    assert len(given(written(tmp_path / "b.csv", rows[0])).notes) == 1  # nothing is mixed


def test_copies_of_candidates_that_are_not_relaxed_are_left_out(tmp_path):
    energies = {"chgnet": -2.8, "chgnet scaled": -2.9, "chgnet placed": -2.95, "chgnet symmetric": -2.7}
    rows = [salt("Mg", "O", formation_energy_per_atom=e, source=source) for source, e in energies.items()]
    labels = given(written(tmp_path / "a.csv", *rows))
    assert labels.crystals["e_above_hull"] == pytest.approx([0.2])
    assert labels.notes[0].endswith("left out: 2 not relaxed; 1 higher than another of the same crystal")


def test_elements_that_the_model_does_not_know(tmp_path):
    rows = [salt("Mg", "O", formation_energy_per_atom=-2.9), salt("Po", "O", formation_energy_per_atom=-1.0)]
    text = refused(written(tmp_path / "a.csv", *rows), elements=ProxyProperty.load("energy_above_hull").elements)
    assert "row 2 (PoO) holds Po, which the model of the energy above the hull does not know" in text


def test_the_builtin_hull_measures_labels(tmp_path):
    labels = given(
        written(tmp_path / "a.csv", salt("Mg", "O", formation_energy_per_atom=-2.9)),
        hull=load_hull("builtin", potential="chgnet"),
    )
    assert labels.notes[1].endswith("all above the hull builtin of chgnet")


@pytest.mark.parametrize("name", ["none.parquet", "a.csv"])
def test_the_command_refuses_in_one_line_and_makes_no_folder(tmp_path, capsys, name):
    row = salt("Mg", "O")
    written(tmp_path / "a.csv", row)
    with pytest.raises(SystemExit) as ended:
        main(["loop", "default", "-o", str(tmp_path / "loop"), "--labels", str(tmp_path / name), "--chemsys", "Mg-O"])
    assert ended.value.code == 2
    assert is_one_line(capsys.readouterr().err)
    assert not (tmp_path / "loop").exists()
