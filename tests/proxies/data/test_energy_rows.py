"""Rows of the energy: entries of the hull, and structures lent to their compositions."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.proxies.data.energy_rows import energy_data, read_hull_entries
from crystalgfn.proxies.hyperparameters import RECIPES
from crystalgfn.proxies.phases import phases_of
from property_data import SYMBOLS_USED, table, write


def test_hull_entries_teach_compositions_of_training_formulas_alone(tables, tmp_path):
    real, _, split = tables
    hull = tmp_path / "hull.parquet"
    write(table(160).rename(columns={"material_id": "entry"}), hull)
    data = energy_data(real, split, replace(RECIPES["best"], bound_weight=0.0), hull=hull, seed=0)
    assert data.extra is not None
    formulas = np.asarray(real.crystals.formulas, dtype=object)
    assert len(data.extra) == len(set(formulas[split.train]))
    assert int(data.extra.inputs.space_group.max()) == 0


def test_compositions_borrow_the_structures_of_crystals_with_their_fractions(tables, tmp_path):
    real, _, split = tables
    hull = write(table(160), tmp_path / "hull.parquet")
    hyperparameters = replace(phases_of("best", strained=False, base=True)[0].hyperparameters, bound_weight=0.0)
    data = energy_data(real, split, hyperparameters, hull=hull, seed=0)
    assert data.borrowed is not None
    groups = set(data.train.inputs.space_group.tolist())
    assert set(data.borrowed.inputs.space_group.tolist()) <= groups
    lent = {tuple(row[row > 0].tolist()) for row in data.train.inputs.fractions.numpy().round(3)}
    assert {tuple(row[row > 0].tolist()) for row in data.borrowed.inputs.fractions.numpy().round(3)} <= lent


def test_hull_entries_of_hidden_formulas_are_left_out(tmp_path):
    frame = pd.DataFrame(
        {
            "elements": [
                json.dumps(e) for e in ({"Li": 2, "O": 1}, {"Li": 4, "O": 2}, {"Mg": 1, "O": 1}, {"U": 1, "O": 2})
            ],
            "formation_energy_per_atom": [-2.0, -1.9, -3.0, -3.5],
            "e_above_hull": [0.0, 0.1, np.nan, 0.0],
        }
    )
    path = tmp_path / "hull.parquet"
    frame.to_parquet(path)
    elements = tuple(Crystals.from_dataframe(table(100)).elements)
    assert len(elements) == len(SYMBOLS_USED)
    counts, energy = read_hull_entries(path, elements, set())
    assert energy == pytest.approx([-2.0, -2.0, -3.0])
    counts, energy = read_hull_entries(path, elements, {"Li2O"})
    assert (len(counts), energy.tolist()) == (1, [-3.0])
    path.write_bytes(b"no table")
    with pytest.raises(DataError, match="allowed: a parquet file"):
        read_hull_entries(path, elements, set())
