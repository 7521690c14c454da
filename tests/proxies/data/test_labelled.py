"""Labelled crystals: read, and the labels by name."""

import pytest

from crystalgfn.errors import ConfigError, DataError
from crystalgfn.proxies.data.labelled import read_labelled
from crystalgfn.proxies.data.labels import BAND_GAP, find_label
from property_data import table, write


def test_rows_without_a_gap_are_left_out(tmp_path):
    frame = table(30)
    frame["band_gap"] = [float("nan")] * 10 + [1.0] * 20
    assert len(read_labelled(write(frame, tmp_path / "some.parquet"), BAND_GAP).target) == 20
    frame["band_gap"] = float("nan")
    with pytest.raises(DataError, match="no rows with band_gap"):
        read_labelled(write(frame, tmp_path / "none.parquet"), BAND_GAP)


def test_unknown_target():
    with pytest.raises(ConfigError, match=r"unknown target 'bandgap', allowed: formation_energy, band_gap"):
        find_label("bandgap")
