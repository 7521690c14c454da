"""Labels: any column of numbers, its unit and transformation, and numbers that cannot be labels."""

import numpy as np
import pandas as pd
import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.proxies.data.labelled import read_labelled
from crystalgfn.proxies.data.labels import BAND_GAP, Transformation, guessed, label_of_column
from property_data import table, write


def with_column(tmp_path, name, values):
    frame = table(len(values)).drop(columns="formation_energy_per_atom")
    return write(frame.assign(**{name: values}), tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 1.0, np.nan, 1.0], Transformation.CLASSES),
        ([0.1, 1.0, 50.0, 900.0], Transformation.LOG),
        ([90.0, 100.0, 180.0], Transformation.NONE),
        ([-1.0, 1000.0, 10.0], Transformation.NONE),
        ([1.0, 1.0], Transformation.NONE),
        ([np.nan], Transformation.NONE),
        ([], Transformation.NONE),
    ],
)
def test_transformations_are_guessed(values, expected):
    assert guessed(np.array(values)) is expected


def test_a_column_is_a_label_with_its_unit(tmp_path):
    crystals = Crystals.from_file(with_column(tmp_path, "my_bulk [GPa]", [90.0, 100.0, 180.0]))
    label = label_of_column(crystals, "my_bulk", source="t.parquet")
    assert (label.name, label.column, label.unit, label.transformation) == ("my_bulk", "my_bulk", "GPa", "none")
    assert label_of_column(crystals, "my_bulk", transformation="log").transformation == "log"
    with pytest.raises(ConfigError, match=r"--unit 'eV': column 'my_bulk \[GPa\]' is in GPa"):
        label_of_column(crystals, "my_bulk", unit="eV")
    with pytest.raises(ConfigError, match=r"unknown target 'my_bluk', .*my_bulk \(nearest: 'my_bulk'\)"):
        label_of_column(crystals, "my_bluk")
    with pytest.raises(ConfigError, match="transformation 'logs', allowed: none, log, classes"):
        label_of_column(crystals, "my_bulk", transformation="logs")
    with pytest.raises(DataError, match="row 2, column 'K': found 'stiff', allowed: numbers"):
        label_of_column(crystals.with_columns(K=["90", "stiff", "1"]), "K")


def test_truth_values_are_classes(tmp_path):
    path = with_column(tmp_path, "stable", [True, False, True])
    label = label_of_column(Crystals.from_file(path), "stable")
    assert label.transformation is Transformation.CLASSES
    assert read_labelled(path, label).target.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("values", "transformation", "message"),
    [
        ([90.0, -999.0, 180.0], "none", "row 2, column 'K': found -999.0, allowed: a finite number, or empty"),
        ([90.0, 1e30, 180.0], "none", "row 2, column 'K': found 1e[+]30"),
        ([90.0, np.inf, 180.0], "none", "row 2, column 'K': found inf"),
        ([90.0, 0.0, 180.0], "log", "row 2, column 'K': found 0.0, allowed: a number above 0"),
        ([1.0, 0.0, 2.0], "classes", "row 3, column 'K': found 2.0, allowed: 0 or 1"),
    ],
)
def test_marks_of_missing_values_are_refused_with_their_row(tmp_path, values, transformation, message):
    path = with_column(tmp_path, "K", values)
    label = label_of_column(Crystals.from_file(path), "K", transformation=transformation)
    with pytest.raises(DataError, match=message):
        read_labelled(path, label)


@pytest.mark.parametrize("value", [-1.0, 99.0, -999.0, 5600.0])
def test_band_gaps_have_a_range(tmp_path, value):
    with pytest.raises(DataError, match=rf"row 2, column 'band_gap': found {value}, allowed: band gap .* 0 to 30 eV"):
        read_labelled(with_column(tmp_path, "band_gap", [5.6, value, 0.0]), BAND_GAP)


def test_99_among_numbers_of_its_size_is_a_number(tmp_path):
    path = with_column(tmp_path, "K", [90.0, 99.0, 180.0])
    assert read_labelled(path, label_of_column(Crystals.from_file(path), "K")).target.tolist() == [90, 99, 180]


def test_predictions_and_other_units_are_no_labels(tmp_path):
    crystals = Crystals.from_dataframe(table(3).drop(columns="formation_energy_per_atom"))
    for named in ("band_gap", "band_gap [eV]"):
        crystals.with_predictions("property model b", **{named: [1.0, 2.0, 3.0]}).to_parquet(tmp_path / "p.parquet")
        with pytest.raises(DataError, match=r"holds predictions \(property model b\), allowed: labels"):
            read_labelled(tmp_path / "p.parquet", BAND_GAP)
    crystals.with_columns(**{"band_gap [meV]": [1.0, 2.0, 3.0]}).to_parquet(tmp_path / "m.parquet")
    with pytest.raises(DataError, match=r"column 'band_gap \[meV\]', allowed: band_gap in eV"):
        read_labelled(tmp_path / "m.parquet", BAND_GAP)


def test_formation_energies_are_found_under_their_other_names(tmp_path):
    frame = table(5).rename(columns={"formation_energy_per_atom": "e_form"})
    assert np.allclose(read_labelled(write(frame, tmp_path / "t.parquet")).target, frame["e_form"])
    frame["e_form"] = pd.Series([-16.8, -24, -25, -26, -27])
    with pytest.raises(DataError, match=r"t.parquet: row 1, column 'e_form': found -16.8"):
        read_labelled(write(frame, tmp_path / "t.parquet"))
