"""The correction of an orbit network by relaxed samples: what it learns, what it leaves alone."""

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.proxies.correction import correct
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.orbit_inputs import OrbitFeaturiser
from crystalgfn.proxies.networks.orbits import OrbitNetwork
from crystalgfn.proxies.networks.registry import build
from property_data import sited

SMALL = NetworkConfig(kind="orbits", members=2, hidden=16, blocks=1, token_size=8, blind=True)
CRYSTALS = Crystals.from_dataframe(sited(300))
INPUTS = OrbitFeaturiser()(CRYSTALS).for_all_members()


def samples(energy, rows=None) -> LabelledCrystals:
    table = LabelledCrystals(CRYSTALS, np.asarray(energy, dtype=float), "0" * 64, "made up")
    return table if rows is None else table[np.isin(np.arange(300), rows)]


def network() -> OrbitNetwork:
    torch.manual_seed(0)
    built = build(SMALL)
    assert isinstance(built, OrbitNetwork)
    built.fit_scaling(OrbitFeaturiser()(CRYSTALS), torch.stack([torch.zeros(300), torch.linspace(-3, 0, 300)], 1))
    return built.eval()


def energies(model: OrbitNetwork) -> np.ndarray:
    with torch.no_grad():
        return model.terms(INPUTS, model.tables()).energy.mean(0).double().numpy()


def test_an_error_that_all_samples_share_is_taken_away():
    model = network()
    target = np.clip(energies(model) + 0.2, -0.1, 0.6)
    correct(model, samples(target))
    assert np.abs(energies(model) - target).mean() < 0.02
    assert abs((energies(model) - target).mean()) < 1e-3


def test_an_error_that_the_sites_explain_is_foretold_for_samples_left_out():
    model = network()
    many = np.array([len(text.split("],")) == 3 for text in CRYSTALS.columns["wyckoff"]])
    target = np.clip(energies(model) + np.where(many, 0.3, 0.0), -0.1, 0.6)
    before = np.abs(energies(model) - target)[200:].mean()
    correct(model, samples(target, np.arange(200)))
    assert np.abs(energies(model) - target)[200:].mean() < 0.3 * before


def test_noise_is_not_learned():
    model = network()
    first = energies(model)
    noise = np.random.default_rng(0).normal(0, 0.02, 300)
    ridge = correct(model, samples(np.clip(first + noise, -0.1, 0.6)))
    assert ridge >= 1000
    assert np.abs(energies(model) - first).max() < 0.03


def test_a_correction_replaces_the_one_before_and_weighs_samples():
    model = network()
    first = energies(model)
    correct(model, samples(np.full(300, 0.5)))
    correct(model, samples(np.clip(first, -0.1, 0.6)))
    assert np.abs(energies(model) - np.clip(first, -0.1, 0.6)).mean() < 0.02
    target = np.clip(np.where(np.arange(300) < 150, 0.1, 0.4), -0.1, 0.6)
    correct(model, samples(target), weights=np.where(np.arange(300) < 150, 1e-6, 1.0))
    assert energies(model).mean() == pytest.approx(0.4, abs=0.05)


def test_too_few_samples_are_refused():
    with pytest.raises(DataError, match="made up: 10 relaxed samples, allowed: 20 or more"):
        correct(network(), samples(np.zeros(300), np.arange(10)))


def test_real_crystals_are_rehearsed_beside_samples():
    """Samples that end high teach nothing about real crystals that differ from them in something seen."""
    many = np.array([len(text.split("],")) == 3 for text in CRYSTALS.columns["wyckoff"]])
    assert 20 < many.sum() < 280
    left = {}
    for rehearsed in (False, True):
        model = network()
        first = np.clip(energies(model), -0.1, 0.6)
        real = samples(first, np.flatnonzero(~many)) if rehearsed else None
        correct(model, samples(np.clip(first + 0.3, -0.1, 0.6), np.flatnonzero(many)), real=real)
        left[rehearsed] = np.abs(energies(model) - first)[~many].mean()
        assert (energies(model) - first)[many].mean() == pytest.approx(0.3, abs=0.05)
    assert left[False] > 0.2
    assert left[True] < 0.05
