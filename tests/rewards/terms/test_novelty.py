"""Factors for known crystals and for site patterns never seen, from properties that look at the sites."""

import json
import math

import numpy as np
import pytest
import torch

from crystalgfn.config import parse_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals
from crystalgfn.crystals.property import CheckedProperty
from crystalgfn.errors import ConfigError, DataError, PropertyError
from crystalgfn.properties.known import KnownPattern
from crystalgfn.properties.registry import resolve
from crystalgfn.rewards.terms.factor import FactorTerm
from crystalgfn.rewards.values import Values
from crystalgfn.runs.build import build_reward
from crystalgfn.runs.model import load, untrained
from crystalgfn.runs.training import POSTERIOR, train
from cubic_crystals import ROWS, cubic


def site_config(**changes):
    """A small space of crystals with sites."""
    return parse_config(
        {
            "constraints": {
                "sites": "wyckoff",
                "elements": ["Li", "O", "F", "Mg"],
                "space_groups": [62, 166, 225],
                "n_elements": [1, 3],
                "n_atoms_primitive": [1, 6],
                "atoms_per_element": [1, 32],
            },
            "objective": [{"novelty": {}}, {"pattern": {}}],
            "policy": {"width": 32, "layers": 2},
            "training": {"iterations": 12, "batch_size": 16, "checkpoint_every": 12, **changes.pop("training", {})},
            **changes,
        }
    )


def train_posterior(folder, *, iterations, **changes):
    """Train a prior, and from it a policy to prior x reward: the folders ``prior`` and ``run``."""
    prior = str(folder / "prior")
    train(site_config(objective=[{"property": "n_elements", "goal": "maximise"}]), folder / "prior")
    training = {"objective": "rtb", "prior": prior, "start": prior, "iterations": iterations}
    train(site_config(training=training, **changes), folder / "run")


def test_a_formula_is_known_whatever_its_structure(tmp_path):
    crystals = cubic(*ROWS)
    mine = tmp_path / "mine.parquet"
    cubic(ROWS[3]).to_parquet(mine)
    for keys, known in (({}, [1, 1, 1, 0]), ({"known": [str(mine)]}, [1, 1, 1, 1])):
        reward = build_reward(site_config(objective=[{"formula": {"factor": 0.2, **keys}}]), crystals.elements)
        values = Values(crystals)
        torch.testing.assert_close(reward(values), math.log(0.2) * torch.tensor(known).float())
        assert reward.columns(values)["known_formula"].tolist() == known


def test_a_posterior_avoids_known_formulas(tmp_path):
    """Prior x formula in a space small enough to know the answer: the mean factor of the prior's samples is Z."""
    policy = {"width": 32, "layers": 2, "recognised_formulas": 50_000}
    train_posterior(tmp_path, iterations=80, objective=[{"formula": {"factor": 0.05}}], policy=policy)
    before = load(tmp_path / "prior").sample(4000, seed=1).columns["known_formula"].mean()
    after = load(tmp_path / "run", trust=True).sample(4000, seed=0).columns["known_formula"].mean()
    wanted = 0.05 * before / (0.05 * before + 1 - before)
    assert before > 0.1
    assert after == pytest.approx(wanted, abs=0.25 * (before - wanted))


def test_terms_are_factors_of_the_reward(tmp_path):
    mine = tmp_path / "mine.parquet"
    cubic(ROWS[2]).to_parquet(mine)
    crystals = cubic(*ROWS)
    for keys, known in (({}, [1, 1, 0, 0]), ({"known": [str(mine)]}, [1, 1, 1, 0])):
        config = site_config(objective=[{"novelty": {"factor": 0.2, **keys}}])
        reward = build_reward(config, crystals.elements)
        values = Values(crystals)
        torch.testing.assert_close(reward(values), math.log(0.2) * torch.tensor(known).float())
        assert reward.columns(values)["known"].tolist() == known
        assert reward.ranking == ("log_reward", ["known"])
    for table, seen in ((KnownCrystals.of(cubic(ROWS[0])), [1, 1, 1, 0]), (KnownCrystals.builtin(), [1, 1, 1, 1])):
        prop = CheckedProperty("known_pattern", KnownPattern(table))
        term = FactorTerm(prop, 0.5, of=0)
        torch.testing.assert_close(term.log_reward(Values(crystals)), math.log(0.5) * (1 - torch.tensor(seen).float()))
        assert term.criterion.goal(torch.tensor([0.0, 1.0])).tolist() == [0, 1]  # a known pattern is better


def test_a_posterior_seeks_what_the_factors_ask_for(tmp_path):
    """From a prior over crystals with sites to prior x novelty x pattern, through folders and narrower limits."""
    train_posterior(tmp_path, iterations=60, objective=[{"novelty": {"factor": 0.02}}, {"pattern": {"factor": 0.1}}])
    found = json.loads((tmp_path / "run" / POSTERIOR).read_text())
    assert found["log_z"] == pytest.approx(found["log_z_of_prior"], abs=4 * found["log_z_of_prior_error"] + 0.05)
    assert found["coverage"] > 0.9
    model, before = load(tmp_path / "run", trust=True), load(tmp_path / "prior")
    columns = model.sample(1000, seed=0).columns
    log_reward = math.log(0.02) * columns["known"] + math.log(0.1) * (1 - columns["known_pattern"])
    np.testing.assert_allclose(columns["log_reward"], log_reward, atol=1e-5)
    log_weight = columns["log_reward"] + columns["log_prior"] - columns["log_pf"]
    np.testing.assert_allclose(columns["log_weight"], log_weight, rtol=1e-4, atol=1e-4)
    real = before.sample(1000, seed=0)
    assert columns["known_pattern"].mean() > resolve("known_pattern")(real).mean() + 0.1
    # one path leads to each crystal, so that narrower limits leave log_prior what it was
    narrow = model.restricted(required=["O"], n_elements=[2, 2], density=[1, 6]).sample(200, seed=0)
    assert np.isfinite(narrow.columns["log_weight"]).all()


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"novelty\.factor: found 0"):
        site_config(objective=[{"novelty": {"factor": 0}}])
    bare = tmp_path / "bare.parquet"
    crystals = cubic(ROWS[0])
    Crystals(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice).to_parquet(bare)
    with pytest.raises(DataError, match="found no column 'wyckoff'"):
        build_reward(site_config(objective=[{"novelty": {"known": [str(bare)]}}]), crystals.elements)
    without = untrained(site_config(constraints={**site_config().constraints.model_dump(), "sites": "none"}))
    with pytest.raises(PropertyError, match="property 'known': no sites: found no column 'wyckoff'") as caught:
        without.sample(5)
    assert "\n" not in str(caught.value)
