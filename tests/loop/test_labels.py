"""The samples of a round: by weight, new, distinct, and as many as were asked for."""

import numpy as np
import pytest

from crystalgfn.config import load_preset
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.loop.labels import CANDIDATES, CRYSTALS, draw, in_turn
from crystalgfn.runs.model import untrained
from crystalgfn.spaces.site_encoding import crystal_keys

N = 60


class Sampler:
    """Gives the same crystals, whatever it is asked for, with chosen weights."""

    def __init__(self, crystals, log_weight):
        self.crystals = crystals.with_columns(log_weight=np.asarray(log_weight, dtype=float))

    def sample(self, n, *, seed):
        return self.crystals


@pytest.fixture(scope="module")
def crystals():
    """Distinct crystals with sites."""
    drawn = untrained(load_preset("default")).sample(2 * N, seed=4)
    _, first = np.unique(crystal_keys(drawn), return_index=True)
    return drawn[np.sort(first)[:N]]


@pytest.fixture
def earlier(crystals, tmp_path):
    crystals[:5].to_parquet(tmp_path / "earlier.parquet")
    return [tmp_path / "earlier.parquet"]


def chosen(where):
    return crystal_keys(Crystals.from_file(where / CANDIDATES))


def test_round_0_takes_samples_as_they_come(crystals, tmp_path):
    draw(Sampler(crystals, np.zeros(N)), tmp_path, candidates=10, earlier=[], seed=0)
    assert (chosen(tmp_path) == crystal_keys(crystals)[:10]).all()


@pytest.mark.parametrize("log_weight", [np.zeros(N), np.where(np.arange(N) == 40, 1700.0, 0.0)])
def test_a_round_has_as_many_new_and_distinct_crystals_as_it_should(crystals, tmp_path, earlier, log_weight):
    """Also where one sample carries all the weight: it comes first, and does not stand for all of them."""
    draw(Sampler(crystals, log_weight), tmp_path, candidates=30, earlier=earlier, seed=0)
    keys = chosen(tmp_path)
    assert len(keys) == len(set(keys)) == 30
    assert not set(keys) & set(crystal_keys(crystals)[:5])
    if log_weight.any():
        assert keys[0] == crystal_keys(crystals)[40]
        heavy = crystal_keys(Crystals.from_file(tmp_path / CRYSTALS)) == crystal_keys(crystals)[40]
        assert heavy.mean() > 0.99


def test_no_more_than_there_are(crystals, tmp_path, earlier):
    draw(Sampler(crystals, np.zeros(N)), tmp_path, candidates=500, earlier=earlier, seed=0)
    assert set(chosen(tmp_path)) == set(crystal_keys(crystals)[5:])


def test_the_turn_follows_the_weights():
    """The first row is a draw by weight; every row comes once."""
    logs, rng = np.log([0.5, 0.3, 0.2]), np.random.default_rng(1)
    turns = np.array([in_turn(logs, rng) for _ in range(4_000)])
    assert (np.sort(turns, axis=1) == np.arange(3)).all()
    shares = np.bincount(turns[:, 0]) / len(turns)
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.03)
