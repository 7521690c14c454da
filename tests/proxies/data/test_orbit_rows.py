"""Rows of crystals with sites: what is held back, what is learned, what is unknown."""

import numpy as np
import pytest

from crystalgfn.errors import DataError
from crystalgfn.proxies.data.labelled import read_labelled
from crystalgfn.proxies.data.labels import ENERGY_ABOVE_HULL
from crystalgfn.proxies.data.orbit_rows import held_back, learned_energy, orbit_data, read_relaxed, within_elements
from crystalgfn.proxies.data.splits import grouped_split
from property_data import sited, write


def test_energies_far_below_the_hull_count_as_far_above_it():
    energies = np.array([-2.0, -0.3, -0.1, -0.05, 0.0, 0.2, 0.6, 3.0])
    assert learned_energy(energies).tolist() == [0.6, 0.3, -0.1, -0.05, 0.0, 0.2, 0.6, 0.6]


def test_held_back_formulas_reach_no_training_row(tmp_path):
    real = read_labelled(write(sited(200), tmp_path / "real.parquet"), ENERGY_ABOVE_HULL)
    relaxed = read_relaxed(write(sited(200, seed=1), tmp_path / "relaxed.parquet"))
    split = grouped_split(real.crystals.formulas, real.target, seed=0)
    data = orbit_data(real, split, relaxed=relaxed, hull=None)
    back = held_back(relaxed.crystals.formulas)
    assert 0.05 < back.mean() < 0.4
    hidden = set(np.array(relaxed.crystals.formulas)[back])
    kept = split.train & ~np.isin(real.crystals.formulas, list(hidden))
    assert kept.sum() < split.train.sum()
    assert len(data.train) == kept.sum()
    assert data.train.target.shape == (kept.sum(), 2)


def test_hull_entries_teach_formation_energies_alone(tmp_path):
    real = read_labelled(write(sited(100), tmp_path / "real.parquet"), ENERGY_ABOVE_HULL)
    split = grouped_split(real.crystals.formulas, real.target, seed=0)
    hull = tmp_path / "hull.csv"
    hull.write_text(
        'elements,formation_energy_per_atom,e_above_hull\n"{""Li"": 1, ""F"": 1}",-3.1,0.1\n'
        '"{""Li"": 2, ""F"": 2}",-3.0,0\n'
    )
    extra = orbit_data(real, split, relaxed=None, hull=hull).extra
    assert extra is not None
    assert len(extra) == 1
    assert np.isnan(float(extra.target[0, 0]))
    assert float(extra.target[0, 1]) == pytest.approx(-3.2)


def test_samples_without_energy_count_as_unstable(tmp_path):
    frame = sited(5)
    frame.loc[2, "e_above_hull"] = None
    assert read_relaxed(write(frame, tmp_path / "some.parquet")).target[2] == 0.6
    frame.loc[3, "e_above_hull"] = np.inf
    with pytest.raises(DataError, match="row 4 has e_above_hull inf"):
        read_relaxed(write(frame, tmp_path / "infinite.parquet"))


def test_samples_of_other_elements_are_left_out(tmp_path):
    real = read_labelled(write(sited(60), tmp_path / "real.parquet"), ENERGY_ABOVE_HULL)
    frame = sited(6, seed=1)
    frame.loc[0, "elements"] = '{"U": 1, "Ir": 1}'
    frame.loc[0, "spacegroup"] = 221
    frame.loc[0, "wyckoff"] = '[["U", "a", 1], ["Ir", "b", 1]]'
    relaxed = read_relaxed(write(frame, tmp_path / "relaxed.parquet"))
    left = within_elements(relaxed, real)
    assert len(left.target) == len(left.crystals) == 5
    assert "UIr" not in left.crystals.formulas
