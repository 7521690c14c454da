"""Labelled crystals: read, joined, and the labels by name."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.proxies.data.labelled import LabelledCrystals, join, read_labelled
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


def test_tables_are_joined_over_all_their_elements():
    few = replace(Crystals.from_dataframe(table(3)), columns={"source": np.array(["a"] * 3)})
    one = LabelledCrystals(few, np.arange(3.0), "0", "one")
    two = LabelledCrystals(
        Crystals((92, 8), torch.tensor([1]), torch.tensor([[1, 1]]), torch.ones(1, 6)), np.ones(1), "1", "two"
    )
    joined = join([one, two])
    assert set(joined.crystals.elements) == {*few.elements, 92, 8}
    assert joined.target.tolist() == [0, 1, 2, 1]
    assert joined.crystals.columns == {}
