"""CSV files of CIFs: what is read, what fails with a reason, and what is refused."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets import import_source
from crystalgfn.datasets.csv import CsvFile
from crystalgfn.errors import DataError
from import_data import cifs, write_csv


@pytest.mark.filterwarnings("ignore")
def test_csv_of_cifs(tmp_path):
    path = write_csv(
        tmp_path / "mine.csv", material_id=["x1", None, "x3", "x4"], e_form=[-3.0, None, -1.0, 0.0], K=[160, 110, 90, 1]
    )
    source = CsvFile(path, labels={"formation_energy_per_atom": "e_form"}, keep=["K"])
    report = import_source(source, tmp_path / "data.csv")
    read = Crystals.from_file(tmp_path / "data.csv")
    assert read.formulas == ["MgO", "CaO", "SrO"]
    assert read.column("material_id").tolist() == ["x1", "mine-000002", "x3"]
    assert read.column("source").tolist() == ["mine"] * 3
    assert read.column("K").tolist() == [160, 110, 90]
    assert math.isnan(read.column("formation_energy_per_atom")[1])
    assert report.failures[0][0] == "x4"
    failures = pd.read_csv(report.failures_path)
    assert failures.material_id.tolist() == ["x4"]
    assert report.failures_path.name == "data.failures.csv"
    assert "wrote 3 crystals" in report.summary()
    assert "1 failed" in report.summary()
    assert "x4" in report.summary()


@pytest.mark.filterwarnings("ignore")
def test_broken_cifs_are_failures_with_reasons(tmp_path):
    good = cifs()[0]
    endless, infinite = "data_\n" + "x" * 1_000_001, re.sub(r"(_cell_length_a +)\S+", r"\1 inf", good)
    texts = [good, "", "not a cif", good[: len(good) // 2], endless, infinite]
    pd.DataFrame({"cif": texts}).to_csv(tmp_path / "x.csv", index=False)
    report = import_source(CsvFile(tmp_path / "x.csv"), tmp_path / "data.parquet", chunk=2)
    assert report.written == 1
    assert [name for name, _ in report.failures] == [f"x-{row:06d}" for row in range(2, 7)]
    assert all(reason for _, reason in report.failures)


def test_wrong_csv_files_are_refused(tmp_path):
    path = write_csv(tmp_path / "x.csv", energy=["a", "b", None, "d"], K=[1, 2, 3, 4])
    for arguments, message in (
        ({"labels": {"e_form": "K"}}, r"label 'e_form', allowed: formation_energy_per_atom"),
        ({"labels": {"band_gap": "gap"}}, "no column 'gap'"),
        ({"labels": {"band_gap": "energy"}}, "row 1, column 'energy': found 'a', allowed: numbers"),
        ({"keep": ["energies"]}, r"no column 'energies'.*nearest: 'energy'"),
        ({"keep": ["cif"]}, "taken over anyway"),
    ):
        with pytest.raises(DataError, match=message):
            CsvFile(path, **arguments)
    (tmp_path / "no.csv").write_text("structure\ndata_\n")
    with pytest.raises(DataError, match="no column 'cif', found: structure"):
        CsvFile(tmp_path / "no.csv")
    with pytest.raises(DataError, match=r"allowed: a \.csv file"):
        CsvFile(tmp_path / "x.parquet")


@pytest.mark.filterwarnings("ignore")
def test_what_is_left_out_is_said(tmp_path):
    path = write_csv(tmp_path / "x.csv", e_form=[-1, 0.5, 0, 0], K=[1, 2, 3, 4], band_gap=[1.0, "inf", 0, "-inf"])
    report = import_source(CsvFile(path), tmp_path / "data.parquet")
    assert "not taken over: e_form, K (--keep takes numbers over" in report.summary()
    assert "2 of column 'band_gap' taken as missing: inf (row 2)" in report.summary()
    assert np.isnan(Crystals.from_file(tmp_path / "data.parquet").column("band_gap")).tolist()[:2] == [False, True]
    kept = import_source(CsvFile(path, keep=["K", "e_form"]), tmp_path / "kept.parquet")
    assert "not taken over" not in kept.summary()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("formation_energy_per_atom", [-1, -999, 0, 0], "row 2, column 'formation_energy_per_atom': found -999"),
        ("formation_energy_per_atom", [-300, -200, -1, 0], "row 1, column 'formation_energy_per_atom': found -300"),
        ("e_above_hull", [0, 0, -1, 0], "row 3, column 'e_above_hull': found -1"),
        ("band_gap", [0, 99, 1, 0], "row 2, column 'band_gap': found 99"),
        ("formation_energy_per_atom [kJ/mol]", [-1, -1.5, 0, 0], r"'formation_energy_per_atom \[kJ/mol\]', allowed"),
        ("band_gap [meV]", [1, 1, 0, 0], r"column 'band_gap \[meV\]', allowed: band_gap in eV"),
    ],
)
def test_labels_of_another_unit_are_refused(tmp_path, column, values, message):
    with pytest.raises(DataError, match=message):
        CsvFile(write_csv(tmp_path / "x.csv", **{column: values}))


@pytest.mark.filterwarnings("ignore")
def test_labels_that_their_crystals_cannot_have_are_refused(tmp_path):
    path = write_csv(tmp_path / "x.csv", formation_energy_per_atom=[-3.0, -5.2, -3.1, None])  # CaO per formula unit
    with pytest.raises(DataError, match=r"row 2, column 'formation_energy_per_atom': found -5.2, .*far below"):
        import_source(CsvFile(path), tmp_path / "data.parquet")


@pytest.mark.filterwarnings("ignore")
def test_units_of_labels_and_kept_columns(tmp_path):
    path = write_csv(tmp_path / "x.csv", **{"band_gap [eV]": [4.0, 3.5, 3, 0], "K [GPa]": [160, 110, 90, 1]})
    import_source(CsvFile(path, keep=["K [GPa]"]), tmp_path / "data.parquet")
    read = Crystals.from_file(tmp_path / "data.parquet")
    assert read.column("band_gap").tolist() == [4.0, 3.5, 3.0]
    assert read.column("K").tolist() == [160, 110, 90]


def test_a_doubled_column_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("cif,cif\na,b\n")
    with pytest.raises(DataError, match="column 'cif' appears twice"):
        CsvFile(tmp_path / "x.csv")
