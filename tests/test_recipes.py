"""The recipes of the documentation: each is read, trained for a moment in a small space, and sampled."""

from pathlib import Path

import numpy as np
import pytest

import crystalgfn
from crystalgfn.config import load_config
from crystalgfn.gflownet.weights import effective_sample_size
from crystalgfn.runs.training import train

RECIPES = sorted((Path(__file__).resolve().parents[1] / "examples" / "recipes").glob("*.yaml"))
TINY = [
    "training.iterations=20",
    "training.batch_size=16",
    "training.rollout_batches=2",
    "policy.width=16",
    "policy.layers=2",
    "constraints.n_atoms_primitive=[1, 10]",
]


def test_there_is_a_recipe_for_each_promise():
    assert {path.stem for path in RECIPES} >= {"formation_energy", "band_gap", "density", "polar_oxide", "preferences"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_train_and_sample(path, tmp_path):
    config = load_config(path, TINY)
    train(config, tmp_path / "run")
    model = crystalgfn.load(tmp_path / "run")
    crystals = model.sample(50, seed=0)
    for term in model.target.reward.terms:
        assert np.isfinite(crystals.column(term.criterion.column)).all()
    assert effective_sample_size(crystals.column("log_weight")) >= 1
    if path.stem == "polar_oxide":
        oxygen = crystals.counts[:, crystals.elements.index(8)]
        assert bool((oxygen * 2 >= crystals.n_atoms).all())
        assert not bool(crystals.counts[:, [z == 82 for z in crystals.elements]].any())
    if path.stem == "preferences":
        assert not model.weighted(band_gap=4).sample(50, seed=0).equals(crystals)
