"""A kind of term is a class with its keys and an entry in the registry."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from crystalgfn.config import parse_config
from crystalgfn.errors import ConfigError
from crystalgfn.rewards.asks import Asks
from crystalgfn.rewards.goals import Minimise
from crystalgfn.rewards.terms.registry import TERMS
from crystalgfn.rewards.terms.term import Criterion, TermConfig
from crystalgfn.runs.model import load
from crystalgfn.runs.training import train
from small_run import small_config


@dataclass(frozen=True)
class FewSpeciesTerm:
    """-penalty for each element beyond the first."""

    penalty: float
    weights: None = None
    criterion = Criterion("species", "", Minimise())

    def log_reward(self, values):
        return -self.penalty * (values.once("species", lambda: (values.crystals.counts > 0).sum(1).float()) - 1)

    @property
    def asks(self):
        return Asks.PROPERTY

    def columns(self, values):
        return {"species": values.once("species", lambda: (values.crystals.counts > 0).sum(1).float())}


class FewSpeciesConfig(TermConfig):
    penalty: float = 1.0

    def build(self, surroundings):
        return FewSpeciesTerm(self.penalty)


def written(**changes):
    """The small configuration as a file would have it, with keys changed."""
    return {**small_config().model_dump(mode="json"), **changes}


def test_a_kind_that_is_added_is_configured_trained_and_written(monkeypatch, tmp_path):
    monkeypatch.setitem(TERMS, "few_species", FewSpeciesConfig)
    config = parse_config(written(few_species={"penalty": 2}))
    assert config.objective[1] == FewSpeciesConfig(penalty=2.0)
    assert "few_species: {penalty: 2.0}" in config.to_yaml()
    train(config, tmp_path / "run")
    model = load(tmp_path / "run")
    crystals = model.sample(60, seed=0)
    species = (crystals.counts > 0).sum(1).numpy()
    np.testing.assert_array_equal(crystals.columns["species"], species)
    expected = crystals.columns["density [g/cm3]"] - 2 * (species - 1)
    np.testing.assert_allclose(crystals.columns["log_reward"], expected, rtol=1e-5)
    assert model.target.reward.ranking == ("log_reward", ["density [g/cm3]", "species"])
    with pytest.raises(ConfigError, match=r"few_species\.penalti: unknown key, allowed: penalty \(nearest: 'penalty'"):
        parse_config(written(few_species={"penalti": 2}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stability": {"betta": 1}}, r"objective\[1\]\.stability\.betta: unknown key, .*nearest: 'beta'"),
        ({"stabilty": {}}, "stabilty: unknown key, .*nearest: 'stability'"),
        ({"objective": [{"stability": {"beta": 1}, "property": "density"}]}, "found stability, property, allowed: one"),
        ({"objective": ["densty"]}, r"found 'densty', allowed: .*\{property: \.\.\.\}"),
    ],
)
def test_mistakes_are_one_line(changes, words):
    with pytest.raises(ConfigError, match=words) as caught:
        parse_config(written(**changes))
    assert "\n" not in str(caught.value)


def test_the_first_property_that_is_named_is_the_one_of_the_objective():
    assert parse_config(written(objective=[{"stability": {}}, {"property": "density"}])).first_property == "density"
    assert parse_config(written(objective=[{"stability": {}}])).first_property == "formation_energy"
    explicit = written(objective=[{"stability": {"property": "formation_energy_paper"}}])
    assert parse_config(explicit).first_property == "formation_energy_paper"


def test_a_reward_without_properties_is_a_reward(tmp_path):
    """Stability alone: trained, shown, and ranked by the energy above the hull."""
    config = parse_config(written(objective=[{"stability": {}}]))
    seen = []
    train(config, tmp_path / "run", on_iteration=seen.append)
    model = load(tmp_path / "run")
    crystals = model.sample(20, seed=0)
    above = crystals.columns["energy_above_hull [eV/atom]"]
    np.testing.assert_allclose(crystals.columns["log_reward"], -20 * np.maximum(above, 0.05), rtol=1e-5)
    assert model.target.reward.ranking == ("energy_above_hull [eV/atom]", [])
    assert all(torch.isfinite(torch.tensor(progress.property_best)) for progress in seen)
