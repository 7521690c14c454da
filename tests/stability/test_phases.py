"""Tables of phases: what is written is read back, and elements keep their ground states."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crystalgfn.errors import DataError
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.phases import ground_states, read_phase_table, read_phases, write_phases

ROWS = [
    {"elements": '{"Si": 1}', "formation_energy_per_atom": 0.15, "spacegroup": 194, "source": "element"},
    {"elements": '{"Si": 1}', "formation_energy_per_atom": 0.1, "spacegroup": 227, "source": "element"},
    {"elements": '{"O": 1}', "formation_energy_per_atom": -0.02, "spacegroup": 12, "source": "element"},
    {"elements": '{"Si": 1, "O": 2}', "formation_energy_per_atom": -3.2, "protostructure": "AB2_cF24_227_a_b:Si-O"},
]


def test_a_table_is_read_as_it_was_written(tmp_path):
    write_phases(tmp_path / "phases.parquet", ROWS, "emt")
    assert read_phase_table(tmp_path / "phases.parquet").potential == "emt"
    phases = read_phases(tmp_path / "phases.parquet")
    assert phases == [({"Si": 1.0}, 0.15), ({"Si": 1.0}, 0.1), ({"O": 1.0}, -0.02), ({"Si": 1.0, "O": 2.0}, -3.2)]
    assert ground_states(phases) == {"Si": 0.1, "O": -0.02}


def test_a_hull_ends_at_the_ground_states_that_it_is_given():
    phases = [({"Si": 1}, 0.15), ({"Si": 1}, 0.1), ({"Mg": 2, "Si": 1}, -0.1)]
    given = Hull(phases, elements=ground_states(phases))
    assert given.energy_above_hull({"Si": 8}, 0.15).value == pytest.approx(0.05)
    assert given.energy_above_hull({"Mg": 1}, 0.0).value == 0
    assert given.energy_above_hull({"Mg": 1, "Si": 1}, 0.0).hull == pytest.approx(-0.1 * 3 / 4 + 0.1 / 4)
    # elements of a reference stay at 0, by which its formation energies are defined
    assert Hull(phases).energy_above_hull({"Si": 8}, 0.15).value == 0.15


def hull_table(tmp_path, *rows, header="elements,formation_energy_per_atom", name="hull.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


NACL = '"{""Na"": 1, ""Cl"": 1}"'


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((f"{NACL},-2.1", '"NaCl",-1.0'), "row 2, column 'elements': found 'NaCl', allowed: JSON counts"),
        ((f"{NACL},-2.1", '"{""Xx"": 1}",-1.0'), r"row 2, .*not 'Xx' \(nearest: 'Xe'\)"),
        (('"{""Fe"": 1, ""O"": 1, ""Fe"": 2}",-0.5',), "row 1, .*each element once, not Fe twice"),
        (('"{""Fe"": -1, ""O"": 1}",-0.5',), "row 1, .*counts above 0"),
        (('"{""Fe"": true}",-0.5',), "row 1, .*counts above 0"),
        ((f'{NACL},"-2,1"',), "row 1, .*found '-2,1', allowed: a number .*with a decimal point"),
        ((f'{NACL},"2,1"',), "row 1, .*found '2,1', allowed: a number"),
        ((f"{NACL},-2.1", f"{NACL},abc"), r"row 2, .*found 'abc', allowed: a number \(eV/atom\), or empty"),
        ((f"{NACL},NA",), "no row of 1 has a formation_energy_per_atom"),
        ((f"{NACL},-2.1", f"{NACL},-inf"), "row 2, .*found -inf"),
        (('"{""Na"": 4, ""Cl"": 4}",-16.8',), "row 1, .*eV per cell"),
        ((f"{NACL},-205.5",), "row 1, .*kJ/mol"),
        ((f"{NACL},-3.4", '"{""Na"": 1}",-1.31', '"{""Cl"": 2}",-1.84'), "row 2, .*total energy"),
        ((f"{NACL},-0.077",), "row 1, .*Hartree"),
        (("",), "no row of 0|no row of 1"),
    ],
)
def test_a_table_of_phases_is_refused_by_the_row_that_is_wrong(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_phases(hull_table(tmp_path, *rows))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("elements,formation_energy_per_atom [kJ/mol]", r"'formation_energy_per_atom \[kJ/mol\]', allowed: .*eV/atom"),
        ("elements,formation_energy", r"no column 'formation_energy_per_atom' \(nearest: 'formation_energy'\)"),
        ("elements,formation_energy_per_atom_std", "no column 'formation_energy_per_atom'"),
    ],
)
def test_only_the_exact_name_and_unit_is_read(tmp_path, header, message):
    with pytest.raises(DataError, match=message):
        read_phases(hull_table(tmp_path, f"{NACL},-2.1", header=header))


def test_fractions_units_and_missing_rows_are_understood(tmp_path):
    header = "elements,formation_energy_per_atom [eV/atom],e_above_hull"
    rows = ('"{""Na"": 0.5, ""Cl"": 0.5}",-2.0,0.1', f"{NACL},,", '"NaCl",NA,', '"{""Mg"": 1, ""O"": 1}",-3.0,')
    assert read_phases(hull_table(tmp_path, *rows, header=header)) == [
        ({"Na": 0.5, "Cl": 0.5}, -2.1),
        ({"Na": 0.5, "Cl": 0.5}, -2.0),
        ({"Mg": 1.0, "O": 1.0}, -3.0),
    ]


def test_energies_above_hull_in_another_unit_imply_an_impossible_hull(tmp_path):
    header = "elements,formation_energy_per_atom,e_above_hull"
    with pytest.raises(DataError, match=r"row 1, column 'e_above_hull': found 8.0, .*meV/atom"):
        read_phases(hull_table(tmp_path, f"{NACL},-2.0,8", header=header))
    for value in ("-1", "999", "inf"):
        with pytest.raises(DataError, match="row 1, column 'e_above_hull': found"):
            read_phases(hull_table(tmp_path, f"{NACL},-2.0,{value}", header=header))


def test_the_unit_in_the_metadata_of_a_parquet_file_is_honoured(tmp_path):
    field = pa.field("formation_energy_per_atom", pa.float64(), metadata={"unit": "kJ/mol"})
    schema = pa.schema([pa.field("elements", pa.string()), field])
    pq.write_table(
        pa.table({"elements": ['{"Na": 1, "Cl": 1}'], field.name: [-2.1]}, schema=schema), tmp_path / "h.parquet"
    )
    with pytest.raises(DataError, match="is in kJ/mol by its metadata, allowed: eV/atom"):
        read_phases(tmp_path / "h.parquet")
