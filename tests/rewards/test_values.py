"""Values: each is worked out once, however many terms and columns ask for it."""

import numpy as np
import pytest
import torch

from crystalgfn.config import load_preset
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.errors import ConfigError
from crystalgfn.rewards.goals import Maximise, Minimise
from crystalgfn.rewards.reward import Reward
from crystalgfn.rewards.terms.property import PropertyTerm
from crystalgfn.rewards.terms.stability import StabilityTerm
from crystalgfn.rewards.values import Values
from crystalgfn.stability.facets import Facets
from crystalgfn.stability.hull import Hull

CRYSTALS = Crystals((3, 8), torch.tensor([225, 221]), torch.tensor([[8, 4], [2, 2]]), torch.full((2, 6), 90.0))


class Ensemble:
    """An energy with a deviation, which counts its calls."""

    def __init__(self):
        self.plain = self.both = 0

    def __call__(self, crystals):
        self.plain += 1
        return torch.tensor([-1.5, -2.5])

    def with_deviation(self, crystals):
        self.both += 1
        return torch.tensor([-1.5, -2.5]), torch.tensor([0.1, 0.2])


@pytest.fixture
def setting():
    ensemble = Ensemble()
    energy = CheckedProperty("energy", ensemble, "eV/atom")
    hull = Facets(Hull([({"Li": 2, "O": 1}, -2.0)]))
    terms = [PropertyTerm(energy, Minimise()), PropertyTerm(energy, Maximise()), StabilityTerm(energy, hull, 10, 0)]
    return ensemble, energy, terms


def test_training_asks_each_property_once_and_no_deviations(setting):
    ensemble, _, terms = setting
    values, reward = Values(CRYSTALS), Reward(terms)
    assert torch.equal(reward(values), reward(values))
    assert set(reward.columns(values)) == {"energy [eV/atom]", "energy_above_hull [eV/atom]"}
    assert (ensemble.plain, ensemble.both) == (1, 0)


def test_tables_get_deviations_from_the_same_pass(setting):
    ensemble, _, terms = setting
    values, reward = Values(CRYSTALS, deviations=True), Reward(terms)
    plain = reward(Values(CRYSTALS))
    ensemble.plain = 0
    assert torch.equal(reward(values), plain)
    np.testing.assert_allclose(reward.columns(values)["energy_std [eV/atom]"], [0.1, 0.2])
    assert (ensemble.plain, ensemble.both) == (0, 1)


def test_hull_energies_are_worked_out_once(setting, monkeypatch):
    _, _, terms = setting
    asked, energies = [], Facets.energies
    monkeypatch.setattr(Facets, "energies", lambda *given: asked.append(1) or energies(*given))
    values, reward = Values(CRYSTALS), Reward(terms)
    reward(values)
    reward.columns(values)
    assert len(asked) == 1


def test_caution_takes_the_worse_end(setting):
    _, energy, _ = setting
    term = PropertyTerm(energy, Minimise(), strength=2, caution=3)
    torch.testing.assert_close(term.log_reward(Values(CRYSTALS)), torch.tensor([2 * (1.5 - 0.3), 2 * (2.5 - 0.6)]))
    with pytest.raises(ConfigError, match="no ensemble"):
        PropertyTerm(CheckedProperty("plain", lambda c: torch.zeros(len(c))), Minimise(), caution=1)


def test_a_reward_without_terms_is_one():
    assert Reward([])(Values(CRYSTALS)).tolist() == [0.0] * len(CRYSTALS)  # the configuration allows it to priors alone
    with pytest.raises(ConfigError, match="found no term, allowed: 1 or more"):
        load_preset("twelve-elements", ["objective=[]"])
