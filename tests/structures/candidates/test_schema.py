"""The columns of the table of candidates: their names in files, and what files say of potential, unit and hull."""

import math

import pandas as pd
import pyarrow.parquet as pq
import pytest

from crystalgfn.errors import DataError
from crystalgfn.evaluation.inputs import energy_methods, read_data
from crystalgfn.report.candidates import candidates_table
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row, Status, headers
from crystalgfn.structures.candidates.table import CandidateTable, write_tables

NAMES = ["chgnet", "7net-l3i5", "my_pot:make", "a [b]:c", "initial_of:make"]
FIRST = ["row", "formula", "status", "reason", "space_group"]


def row(number, potential="chgnet", above=0.1, **more):
    energies = {
        PotentialColumn(Quantity.TOTAL, potential): -5.0,
        PotentialColumn(Quantity.FORMATION, potential): -1.5,
        PotentialColumn(Quantity.ABOVE_HULL, potential, "mine"): above,
        PotentialColumn(Quantity.FORMATION, "7net-0"): -1.4,
    }
    base = Row(row=number, formula="MgO", status=Status.RELAXED, space_group=225, energies=energies, hull="mine")
    values = {"counts": {"Mg": 4, "O": 4}, "initial_placements": 3, "inputs": {"formation_energy [eV/atom]": -1.0}}
    return Row(**{**vars(base), **values, "volume_per_atom": 9.4, "flags": "", "space_group_asked": 225, **more})


@pytest.mark.parametrize("potential", NAMES)
@pytest.mark.parametrize("quantity", list(Quantity))
def test_names_are_read_back(quantity, potential):
    column = PotentialColumn(quantity, potential, "mp" if quantity is Quantity.ABOVE_HULL else "")
    if quantity is not Quantity.TOTAL or not potential.startswith("initial"):  # which the name alone cannot tell
        assert PotentialColumn.parse(column.name, hull="mp") == column
    assert PotentialColumn.from_metadata(column.metadata()) == column


@pytest.mark.parametrize(
    "name", ["row", "density [g/cm^3]", "formation_energy [eV/atom]", "energy_ [eV/atom]", "flags"]
)
def test_other_columns_are_none_of_a_potential(name):
    assert PotentialColumn.parse(name) is None


@pytest.mark.parametrize("potential", ["chgnet", "my_pot:make", "initial_of:make"])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_says_potential_and_hull(tmp_path, suffix, potential):
    rows = [Row(row=0, formula="Xx", reason="no"), row(1, potential), row(2, potential, above=math.nan, novel=True)]
    write_tables(tmp_path, lambda: rows)
    table = CandidateTable.read(tmp_path / f"structures.{suffix}")
    assert (table.above_hull.potential, table.above_hull.hull) == (potential, "mine")
    assert table.formation.potential == potential
    assert table.hull == "mine"
    assert [one.status for one in table.rows] == [Status.FAILED, Status.RELAXED, Status.RELAXED]
    assert [one.energy(table.above_hull) for one in table.rows] == pytest.approx([math.nan, 0.1, math.nan], nan_ok=True)
    assert table.rows[1].counts == {"Mg": 4, "O": 4}
    assert table.rows[1].inputs == {"formation_energy [eV/atom]": -1.0}
    assert [one.novel for one in table.rows] == [None, None, True]
    assert [one.row for one in table.ranked()] == [1]
    assert f"energies by {potential}, above the mine hull" in candidates_table(table, 3).title
    data = read_data(_folder(tmp_path))
    assert energy_methods(data.crystals, data.candidates) == {}  # no structure could be read


def _folder(path):
    (path / "manifest.json").write_text("{}")
    return path


def test_columns_stand_in_one_order_and_state_unit_and_method(tmp_path):
    rows = [Row(row=0, formula="Xx", reason="no", seconds=1.0), row(1)]
    write_tables(tmp_path, lambda: rows)
    frame = pd.read_parquet(tmp_path / "structures.parquet")
    above, formation = "e_above_hull_chgnet [eV/atom]", "formation_energy_chgnet [eV/atom]"
    assert list(frame)[:8] == [*FIRST, above, formation, "formation_energy_7net-0 [eV/atom]"]
    assert list(frame)[-3:] == ["energy_chgnet [eV/atom]", "volume_per_atom [A^3]", "seconds"]
    schema = pq.read_schema(tmp_path / "structures.parquet")
    said = {key.decode(): value.decode() for key, value in schema.field(above).metadata.items()}
    assert said == {"unit": "eV/atom", "quantity": "e_above_hull", "method": "chgnet", "hull": "mine"}
    assert schema.field("volume_per_atom [A^3]").metadata == {b"unit": b"A^3"}
    assert [header.name for header in headers(rows)] == list(frame)


def test_a_table_of_before_is_read(tmp_path):
    """Without metadata, and with the number of placements under its former name."""
    cells = {"row": [0], "formula": ["MgO"], "status": ["relaxed"], "starts": [7], "hull": ["builtin"]}
    pd.DataFrame({**cells, "e_above_hull_chgnet [eV/atom]": [0.2]}).to_parquet(tmp_path / "structures.parquet")
    table = CandidateTable.read(tmp_path / "structures.parquet")
    assert table.rows[0].initial_placements == 7
    assert table.above_hull == PotentialColumn(Quantity.ABOVE_HULL, "chgnet", "builtin")


def test_wrong_tables_are_errors(tmp_path):
    path = tmp_path / "structures.parquet"
    pd.DataFrame({"row": [0], "formula": ["MgO"]}).to_parquet(path)
    with pytest.raises(DataError, match="no column 'status'"):
        CandidateTable.read(path)
    pd.DataFrame({"row": [0], "formula": ["MgO"], "status": ["great"]}).to_parquet(path)
    with pytest.raises(DataError, match="found 'great', allowed: placed, relaxed, failed"):
        CandidateTable.read(path)


def test_the_first_potential_is_the_one_that_relaxed():
    rows = (row(0), row(1))
    energies = {**rows[0].energies, PotentialColumn(Quantity.FORMATION, "chgnet"): math.nan}
    assert CandidateTable((row(0, energies=energies), rows[1])).formation.potential == "chgnet"
