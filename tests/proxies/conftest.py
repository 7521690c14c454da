"""Real crystals, strained copies and their split, made up once."""

import pytest

from crystalgfn.proxies.data.energy_rows import energy_data
from crystalgfn.proxies.data.labelled import LabelledCrystals, read_labelled
from crystalgfn.proxies.data.rows import TrainingData
from crystalgfn.proxies.data.splits import Split, grouped_split
from crystalgfn.proxies.data.strain_rows import strain_data
from property_data import SMALL_FIT, strained, table, write


@pytest.fixture(scope="session")
def tables(tmp_path_factory) -> tuple[LabelledCrystals, LabelledCrystals, Split]:
    folder = tmp_path_factory.mktemp("tables")
    frame = table(160)
    real = read_labelled(write(frame, folder / "real.parquet"))
    copies = read_labelled(write(strained(frame), folder / "strained.parquet"))
    return real, copies, grouped_split(real.crystals.formulas, real.target, seed=0)


@pytest.fixture(scope="session")
def data(tables) -> TrainingData:
    real, copies, split = tables
    return strain_data(real, split, SMALL_FIT, copies)


@pytest.fixture(scope="session")
def energies(tables) -> TrainingData:
    real, _, split = tables
    return energy_data(real, split, SMALL_FIT, hull=None, seed=0)
