"""Probabilities of given crystals under a policy: they add up to 1, and are those of its own samples."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from typer.testing import CliRunner

from crystalgfn.cli.evaluate import app
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.analytic import AnalyticTarget
from crystalgfn.evaluation.likelihood import correlation, likelihood_numbers
from crystalgfn.gflownet.likelihood import log_likelihood
from crystalgfn.runs.model import untrained
from crystalgfn.spaces.states import CrystalStates
from policy_setup import random_policy, short_ways_back, small_space
from small_run import small_config


def test_probabilities_add_up_to_one():
    space = small_space(groups=(2, 62, 225), n_atoms_primitive=(1, 5))
    target = AnalyticTarget(space, 0, group_scale=0.3, composition_scale=0.3, lattice_scale=0.3)
    policy = short_ways_back(random_policy(space, 0, scale=1.0), back=1.0, out=4.0)
    generator = torch.Generator().manual_seed(0)
    states = target.sample(4000, generator=generator)
    log_p, _ = log_likelihood(policy, space, states, trajectories=3, generator=generator)
    ratio = torch.exp(log_p - target.log_reward(states) + target.log_z)  # p over the exact density they are drawn from
    assert ratio.mean().item() == pytest.approx(1, abs=4 * ratio.std().item() / 4000**0.5)


def test_probability_of_a_composition_is_its_frequency_among_samples():
    space = small_space(groups=(225, 227), n_atoms_primitive=(1, 3), n_elements=(1, 2))
    policy = short_ways_back(random_policy(space, 1, scale=1.0), back=1.0, out=4.0)
    generator = torch.Generator().manual_seed(0)
    drawn = policy.sample(20_000, space, generator=generator).states
    kinds = torch.cat((drawn.space_group[:, None], drawn.elements, drawn.counts), 1)
    distinct, numbers = torch.unique(kinds, dim=0, return_counts=True)
    common = numbers > 200
    assert common.sum() > 10
    m = space.max_elements
    for kind, number in zip(distinct[common], numbers[common].tolist(), strict=True):
        n = 400
        u = torch.zeros(n, 6, dtype=torch.float64)
        u[:, 0] = (torch.arange(n) + 0.5) / n  # cubic groups: one free parameter, integrated by the midpoint rule
        group, elements, counts = kind[:1], kind[1 : 1 + m], kind[1 + m :]
        states = CrystalStates(group.expand(n), elements.expand(n, m), counts.expand(n, m), u)
        log_p, error = log_likelihood(policy, space, states, trajectories=4, generator=generator)
        p, share = torch.exp(log_p).mean().item(), number / 20_000
        tolerance = 4 * ((share / 20_000) ** 0.5 + torch.exp(log_p).mul(error).square().sum().sqrt().item() / n)
        assert p == pytest.approx(share, abs=tolerance)


def test_more_trajectories_give_the_same_with_a_smaller_error():
    space = small_space(groups=(2, 62), n_atoms_primitive=(1, 4))
    policy = short_ways_back(random_policy(space, 0, scale=1.0), back=1.0, out=4.0)
    states = policy.sample(30, space, generator=torch.Generator().manual_seed(0)).states
    few, error = log_likelihood(policy, space, states, trajectories=60, generator=torch.Generator().manual_seed(1))
    many, less = log_likelihood(policy, space, states, trajectories=6000, generator=torch.Generator().manual_seed(2))
    assert (few - many).abs().median() < 2 * error.median()
    assert less.median() < 0.25 * error.median()
    again, _ = log_likelihood(policy, space, states, trajectories=60, generator=torch.Generator().manual_seed(1))
    assert torch.equal(few, again)


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=30))
def test_correlations_are_those_of_scipy(pairs):
    x, y = np.array(pairs, dtype=float).T
    found = correlation(x, y, repeats=3)
    if x.std() == 0 or y.std() == 0:
        assert np.isnan(found.pearson)
        return
    assert found.pearson == pytest.approx(pearsonr(x, y)[0], abs=1e-9)
    assert found.spearman == pytest.approx(spearmanr(x, y)[0], abs=1e-9)


def test_the_bootstrap_error_is_the_spread_over_data_sets():
    def data(seed, n=200):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=n)
        return x, 0.8 * x + 0.6 * rng.normal(size=n)

    values = [correlation(*data(seed), repeats=1) for seed in range(400)]
    once = correlation(*data(1000), repeats=1000)
    assert once.pearson == pytest.approx(0.8, abs=4 * once.pearson_error)
    assert once.pearson_error == pytest.approx(np.std([v.pearson for v in values]), rel=0.3)
    assert once.spearman_error == pytest.approx(np.std([v.spearman for v in values]), rel=0.3)


@pytest.fixture(scope="module")
def model():
    return untrained(small_config())


def test_a_model_judges_crystals_that_lie_in_its_space(model):
    samples = model.sample(40, seed=3)
    found = model.likelihoods(samples, seed=1)
    assert len(found) == 40
    assert found.columns["log_reward"] == pytest.approx(samples.columns["log_reward"], abs=1e-4)
    # of one trajectory log P_F - log P_B: log p but for the chance of this trajectory
    ratio = samples.columns["log_pf"] - samples.columns["log_pb"]
    assert np.corrcoef(found.columns["log_likelihood"], ratio)[0, 1] > 0.5
    foreign = Crystals((11, 17), [225], [[4, 4]], [[5.6] * 3 + [90.0] * 3])
    assert len(model.likelihoods(foreign)) == 0
    few = likelihood_numbers(model.likelihoods(foreign), "salts", "reference")
    assert {number["value"] for number in few.values()} == {None}
    assert "0 of salts lie in" in few["pearson_reference"]["method"]


def test_the_verb_measures_a_preset(tmp_path):
    crystals = Crystals((3, 9), [225] * 30, [[4, 4]] * 30, [[a] * 3 + [90.0] * 3 for a in np.linspace(4.0, 5.0, 30)])
    crystals.to_parquet(tmp_path / "known.parquet")
    output = tmp_path / "metrics.json"
    args = [
        "twelve-elements",
        "-n",
        "60",
        "--reference",
        str(tmp_path / "known.parquet"),
        "-o",
        str(output),
        "--no-smact",
    ]
    ran = CliRunner().invoke(app, args)
    assert ran.exit_code == 0, ran.output
    found = json.loads(output.read_text())
    assert found["input"]["preset"] == "twelve-elements"
    numbers = found["metrics"]["likelihood"]
    assert numbers["pearson_samples"]["n"] == 60
    assert numbers["pearson_reference"]["n"] == 30
    assert 0.5 < numbers["pearson_samples"]["value"] <= 1
    assert 0 < numbers["pearson_samples_error"]["value"] < 0.5
    assert "bootstrap" in numbers["spearman_reference_error"]["method"]
    weights = found["metrics"]["weights"]
    assert weights["elbo"]["value"] < weights["log_z"]["value"] < weights["eubo"]["value"]
