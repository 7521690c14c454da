"""How a model of the energy above the hull is judged and calibrated on relaxed samples."""

from dataclasses import replace

import numpy as np
import pytest

from crystalgfn.errors import ConfigError, PropertyError
from crystalgfn.proxies.correction import correct
from crystalgfn.proxies.data.labelled import read_labelled
from crystalgfn.proxies.data.labels import ENERGY_ABOVE_HULL
from crystalgfn.proxies.data.orbit_rows import held_back, orbit_data, read_relaxed
from crystalgfn.proxies.data.splits import grouped_split
from crystalgfn.proxies.hyperparameters import ORBITS
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.orbits import OrbitNetwork
from crystalgfn.proxies.options import FitOptions
from crystalgfn.proxies.relaxed import calibrate, evaluate_formation, evaluate_relaxed
from crystalgfn.proxies.training import fit_network
from crystalgfn.proxies.workflow import fit_model
from property_data import SYMBOLS_USED, sited, write

SMALL = replace(
    ORBITS,
    network=NetworkConfig(kind="orbits", members=2, token_size=16, hidden=32, blocks=1, blind=True),
    epochs=20,
    batch_size=32,
    ema=0.9,
    learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    return write(sited(400), folder / "real.parquet"), write(sited(600, seed=1), folder / "relaxed.parquet")


@pytest.fixture(scope="module")
def fitted(tables):
    real, relaxed = read_labelled(tables[0], ENERGY_ABOVE_HULL), read_relaxed(tables[1])
    split = grouped_split(real.crystals.formulas, real.target, seed=0)
    network, _ = fit_network(SMALL, orbit_data(real, split, relaxed=relaxed, hull=None), seed=0)
    assert isinstance(network, OrbitNetwork)
    correct(network, relaxed[~held_back(relaxed.crystals.formulas)])
    calibrate(network, relaxed)
    card = {"name": "energy_above_hull", "unit": "eV/atom", "domain": {"elements": SYMBOLS_USED}}
    return ProxyProperty(network, card), real, relaxed, split


def test_it_learns_what_the_sites_say(fitted):
    model, _, relaxed, _ = fitted
    found = evaluate_relaxed(model, relaxed)
    groups = found["groups"]
    assert groups["all"]["n"] == held_back(relaxed.crystals.formulas).sum()
    assert groups["all"]["auc"] > 0.95
    assert groups["all"]["mae"] < 0.05
    assert sum(measures["n"] for name, measures in groups.items() if name != "all") == groups["all"]["n"]


def test_deviations_are_calibrated(fitted):
    model, _, relaxed, _ = fitted
    assert 0.45 < evaluate_relaxed(model, relaxed)["within_deviation"] < 0.9
    _, deviation = model.with_deviation(relaxed.crystals[:10])
    assert float(deviation.min()) >= float(model.network.deviation_floor) > 0


def test_formation_energies_come_beside(fitted):
    model, real, relaxed, split = fitted
    found = evaluate_formation(model, real, split)
    assert found["n"] == split.test.sum()
    assert found["mae"] < 0.3
    energies = model.formation_energy(relaxed.crystals[:50]).numpy()
    true = np.asarray(relaxed.crystals[:50].column("formation_energy_per_atom"), dtype=float)
    assert np.corrcoef(energies, true)[0, 1] > 0.4
    with pytest.raises(PropertyError, match="has one output"):
        ProxyProperty.load("formation_energy").formation_energy(relaxed.crystals[:1])


def test_the_workflow_writes_it_into_the_card(tables, tmp_path):
    options = FitOptions(target="energy_above_hull", relaxed=tables[1], members=2, epochs=1)
    card = fit_model(tables[0], tmp_path / "above", options=options)
    assert card["data"]["relaxed_rows"] == 600
    assert "--relaxed relaxed.parquet" in card["command"]
    assert card["metrics"]["relaxed"]["groups"]["all"]["n"] > 50
    text = (tmp_path / "above" / "card.md").read_text()
    assert "## Held-back relaxed samples" in text
    assert "within one standard deviation" in text


def test_relaxed_samples_are_for_this_target_alone(tables, tmp_path):
    with pytest.raises(ConfigError, match="--relaxed: allowed for the target energy_above_hull"):
        fit_model(tables[0], tmp_path / "m", options=FitOptions(relaxed=tables[1]))
