"""Success probabilities: learned from outcomes, kept in a file, a factor of the reward."""

import json

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.properties.registry import CheckedProperty
from crystalgfn.proxies.data.bounds import random_crystals
from crystalgfn.rewards.goals import Minimise
from crystalgfn.rewards.reward import Reward
from crystalgfn.rewards.success_probability import SuccessProbability
from crystalgfn.rewards.terms.property import PropertyTerm
from crystalgfn.rewards.terms.success_probability import SuccessProbabilityTerm
from crystalgfn.rewards.values import Values

ELEMENTS = (3, 8, 9, 12)
LIKE = Crystals(ELEMENTS, torch.arange(1, 231), torch.ones(230, 4, dtype=torch.int64), torch.ones(230, 6))


def outcomes(number, seed):
    """Crystals without oxygen succeed, and small ones more often."""
    crystals = random_crystals(LIKE, number, seed=seed)
    oxygen = (crystals.counts[:, 1] > 0).numpy()
    small = crystals.n_atoms.numpy() < np.median(crystals.n_atoms.numpy())
    luck = np.random.default_rng(seed).random(number)
    return crystals, ~oxygen & (luck < np.where(small, 0.9, 0.4))


def test_it_tells_successes_from_failures_that_it_has_not_seen():
    model = SuccessProbability.fit(*outcomes(100, 0))
    crystals, success = outcomes(400, 1)
    found = model(crystals).numpy()
    assert found.shape == (400,)
    assert ((found > 0) & (found < 1)).all()
    assert found[success].mean() > 3 * found[~success].mean()
    assert (found.mean() / success.mean()) == pytest.approx(1, abs=0.4)  # calibrated, but for the penalty


def test_the_order_of_elements_does_not_matter_and_unknown_ones_do_not_count():
    model = SuccessProbability.fit(*outcomes(60, 0))
    crystals, _ = outcomes(20, 1)
    turned = Crystals(
        (26, *reversed(ELEMENTS)),
        crystals.space_group,
        torch.nn.functional.pad(crystals.counts.flip(1), (1, 0)),
        crystals.lattice,
    )
    torch.testing.assert_close(model(turned), model(crystals))


@pytest.mark.parametrize("success", [np.zeros(30, dtype=bool), np.ones(30, dtype=bool)], ids=["none", "all"])
def test_outcomes_that_are_all_alike_leave_a_probability_between(success):
    crystals, _ = outcomes(30, 0)
    found = SuccessProbability.fit(crystals, success)(crystals)
    assert ((found > 0.01) & (found < 0.99)).all()
    assert bool((found > 0.9).all() if success.all() else (found < 0.1).all())


def test_it_is_kept_in_a_file(tmp_path):
    model = SuccessProbability.fit(*outcomes(60, 0))
    model.save(tmp_path / "success_probability.json")
    assert SuccessProbability.load(tmp_path / "success_probability.json") == model


@pytest.mark.parametrize(
    "damage", [{"weights": [1.0]}, {"elements": ["Xx"] * 4}, {"bias": None}, {"spread": [0.0] * 6}]
)
def test_a_damaged_file_is_one_line(tmp_path, damage):
    path = tmp_path / "success_probability.json"
    SuccessProbability.fit(*outcomes(60, 0)).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(DataError, match="no model of success probabilities"):
        SuccessProbability.load(path)
    with pytest.raises(DataError, match="no model of success probabilities"):
        SuccessProbability.load(tmp_path / "none.json")


def test_nothing_to_learn_from_is_an_error():
    crystals, success = outcomes(10, 0)
    with pytest.raises(DataError, match="one for each"):
        SuccessProbability.fit(crystals, success[:5])


def test_a_reward_counts_it_to_a_power():
    model = SuccessProbability.fit(*outcomes(60, 0))
    crystals, _ = outcomes(20, 1)
    zero = CheckedProperty("zero", lambda c: torch.zeros(len(c)))
    reward = Reward([PropertyTerm(zero, Minimise(), strength=8), SuccessProbabilityTerm(model, power=2)])
    values = Values(crystals)
    log_reward, columns = reward(values), reward.columns(values)
    np.testing.assert_allclose(columns["success_probability"], model(crystals))
    np.testing.assert_allclose(log_reward, 2 * model(crystals).log().numpy(), rtol=1e-5)
