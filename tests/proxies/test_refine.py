"""Learning from relaxed samples of one space: what is learned, what stays, and that errors are of labels held back."""

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.orbit_inputs import OrbitFeaturiser
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.refine import learn
from property_data import SYMBOLS_USED, sited

CRYSTALS = Crystals.from_dataframe(sited(500))
OF_SPACE, ELSEWHERE = np.arange(150), np.arange(150, 500)
FLUORITES = np.array(["c" in text and "8" in text for text in CRYSTALS.columns["wyckoff"]])
CARD = {"name": "energy_above_hull", "unit": "eV/atom", "domain": {"elements": SYMBOLS_USED}}
NETWORK = NetworkConfig(kind="orbits", members=2, hidden=16, blocks=1, token_size=8, blind=True)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    network = build(NETWORK)
    network.fit_scaling(OrbitFeaturiser()(CRYSTALS), torch.stack([torch.zeros(500), torch.linspace(-3, 0, 500)], 1))
    with torch.no_grad():
        network.correction_bias += 0.2  # far from the ends of what is learned
    return ProxyProperty(network.eval(), CARD)


def energies(model: ProxyProperty) -> np.ndarray:
    return model(CRYSTALS).double().numpy()


def labels(model, error, rows) -> LabelledCrystals:
    """Labels that differ from a model's predictions by an error (500,)."""
    return LabelledCrystals(CRYSTALS[rows], (energies(model) + error)[rows], "0" * 64, "made up")


def test_an_error_that_the_sites_explain_is_learned_and_the_first_model_is_left_alone(model):
    error, first = np.where(FLUORITES, 0.2, 0.0), energies(model)
    lesson = learn(model, labels(model, error, OF_SPACE), rehearsed=labels(model, error, ELSEWHERE))
    assert lesson.helps
    assert lesson.before["mae"] == pytest.approx(error[OF_SPACE].mean(), abs=1e-4)
    assert lesson.after["mae"] < 0.65 * lesson.before["mae"]
    assert np.abs(energies(lesson.model) - first - error).mean() < 0.65 * error.mean()
    assert np.array_equal(energies(model), first)
    assert lesson.model.card["refined"] == {
        "labels": 150,
        "sha256": "0" * 64,
        "before": lesson.before,
        "after": lesson.after,
    }
    assert "150 held-back labels" in str(lesson)


def test_rehearsed_samples_hold_what_is_true_elsewhere(model):
    first, right, wrong = energies(model), np.zeros(500), np.full(500, 0.2)
    new = labels(model, wrong, OF_SPACE)
    apart, together = (learn(model, new, rehearsed=labels(model, error, ELSEWHERE)).model for error in (right, wrong))
    assert np.abs(energies(together) - first).mean() > 0.19
    assert np.abs(energies(apart) - first)[ELSEWHERE].mean() < 0.08


def test_labels_of_one_formula_say_nothing_about_themselves(model):
    alike = np.flatnonzero(np.array(CRYSTALS.formulas) == CRYSTALS.formulas[0])[:1].repeat(40)
    shifted = np.full(500, 0.2)
    lesson = learn(model, labels(model, shifted, alike), rehearsed=labels(model, np.zeros(500), ELSEWHERE))
    assert lesson.after["mae"] == pytest.approx(0.2, abs=1e-4)
    assert not lesson.helps
    moved = energies(lesson.model) - energies(model)
    assert moved[alike[0]] > 0.02


def test_only_labels_of_the_newest_round_are_new(model):
    error = np.where(FLUORITES, 0.2, 0.0)
    table, known = labels(model, error, OF_SPACE), labels(model, error, ELSEWHERE[:20])
    none, half = np.zeros(150, dtype=bool), np.arange(150) >= 75
    nothing_new = learn(model, table, rehearsed=known, new=none)
    assert nothing_new.before["mae"] == nothing_new.after["mae"]
    assert not nothing_new.helps
    first, second = learn(model, table, rehearsed=known), learn(model, table, rehearsed=known, new=half)
    assert second.after["mae"] == first.after["mae"]
    assert first.after["mae"] < second.before["mae"] < first.before["mae"]


def test_the_deviation_grows_with_the_errors_that_are_left(model):
    noise = np.random.default_rng(0).normal(0, 0.15, 500)
    quiet, loud = (
        learn(model, labels(model, size * noise, OF_SPACE), rehearsed=labels(model, np.zeros(500), ELSEWHERE)).model
        for size in (0.1, 1.0)
    )
    low, high = (learned.with_deviation(CRYSTALS)[1].mean() for learned in (quiet, loud))
    assert high > 3 * low


def test_a_network_without_sites_learns_from_no_relaxed_samples(model):
    other = ProxyProperty(build(NetworkConfig(kind="table1", members=1)), {**CARD, "name": "old"})
    table = labels(model, np.zeros(500), OF_SPACE)
    with pytest.raises(PropertyError, match="old: a network of kind 'table1' learns from no relaxed samples"):
        learn(other, table, rehearsed=table)
