"""Trained models: loading, sampling, narrower constraints, streaming to a table."""

import hashlib
import json
import math

import numpy as np
import pytest
import torch

import crystalgfn
from crystalgfn.config import load_preset, parse_config, preset_path, presets
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import CheckpointError, ConfigError, ConstraintError
from crystalgfn.evaluation.validity import check
from crystalgfn.proxies.models import WEIGHTS, model_folder
from crystalgfn.runs.model import CHUNK, load, untrained
from crystalgfn.runs.training import METRICS, POSTERIOR, train
from small_run import small_config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(small_config(), folder)
    return folder


def test_sampling_is_deterministic_and_independent_of_how_many(run):
    model = load(run)
    one, two = model.sample(CHUNK + 50, seed=3), model.sample(CHUNK, seed=3)
    assert one[:CHUNK].equals(two)
    assert not model.sample(50, seed=4).equals(one[:50])
    assert set(one.columns) == {
        "density [g/cm3]",
        "domain_distance",
        "log_reward",
        "log_pf",
        "log_pb",
        "log_weight",
    }
    np.testing.assert_allclose(one.columns["log_reward"], one.columns["density [g/cm3]"], rtol=1e-6)


def test_importance_weights_of_samples_estimate_log_z(run):
    crystals = load(run).sample(4000, seed=0)
    log_w = crystals.columns["log_reward"] + crystals.columns["log_pb"] - crystals.columns["log_pf"]
    assert np.isfinite(log_w).all()


def test_narrower_constraints_hold_for_every_sample(run):
    model = load(run).restricted(required=["O"], forbidden=["F"], crystal_system=["cubic"], n_atoms=[1, 16])
    crystals = model.sample(300, seed=0)
    column = {z: d for d, z in enumerate(crystals.elements)}
    assert bool((crystals.counts[:, column[8]] > 0).all())
    assert bool((crystals.counts[:, column[9]] == 0).all())
    assert set(crystals.space_group.tolist()) == {225}
    assert int(crystals.n_atoms.max()) <= 16


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"n_atoms_primitive": [1, 40]}, "within"),
        ({"space_groups": [1]}, "not in training"),
        ({"charge": "none"}, "stricter"),
        ({"requird": ["O"]}, "nearest: 'required'"),
        ({"wyckoff": False}, "wyckoff"),
    ],
)
def test_wider_constraints_are_refused(run, limits, words):
    with pytest.raises(ConfigError, match=words):
        load(run).restricted(**limits)


def test_constraints_that_leave_nothing_say_why(run):
    with pytest.raises(ConstraintError, match="n_atoms"):
        load(run).restricted(required=["Li", "O"], n_atoms=[1, 2], n_elements=[2, 2])


def test_what_cannot_be_loaded(tmp_path, run):
    with pytest.raises(CheckpointError, match="no trained weights"):
        load("periodic-table")
    with pytest.raises(ConfigError, match="no such run folder"):
        load("runs/nothing")
    with pytest.raises(ConfigError, match="nearest"):
        load("defaul")
    with pytest.raises(ConfigError, match="1 or more"):
        load(run).sample(0)


def test_a_killed_sample_goes_on_with_complete_rows(tmp_path, run, monkeypatch):
    from crystalgfn.cli import main
    from crystalgfn.runs.model import Model

    def cli(*args):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, args)])
        return caught.value.code

    whole, killed = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    assert cli("sample", run, "-n", 2 * CHUNK + 10, "-o", whole) == 0
    draw, calls = Model._draw, []

    def failing(self, n, **kwargs):
        calls.append(n)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return draw(self, n, **kwargs)

    monkeypatch.setattr(Model, "_draw", failing)
    assert cli("sample", run, "-n", 2 * CHUNK + 10, "-o", killed) == 130
    assert not killed.exists()
    assert cli("sample", run, "-n", 2 * CHUNK + 10, "-o", killed, "--seed", 1) == 2  # another run than the one begun
    assert cli("sample", run, "-n", 2 * CHUNK + 10, "-o", killed) == 0
    assert len(calls) == 4  # only the last chunk was drawn again
    assert Crystals.from_file(killed).equals(Crystals.from_file(whole))


@pytest.mark.parametrize("preset", [p for p in presets() if p in ("twelve-elements", "paper-fast")])
def test_shipped_weights_load_and_sample_valid_crystals(preset):
    model = crystalgfn.load(preset)
    crystals = model.sample(200, seed=0)
    assert torch.isfinite(crystals.lattice).all()
    report = check(crystals, model.space.composition.constraints)
    assert report.ok, str(report)


@pytest.mark.parametrize("preset", ["twelve-elements", "paper-fast"])
def test_shipped_policies_were_trained_on_the_shipped_property(preset):
    folder = preset_path(preset)
    card = json.loads((folder / "card.json").read_text())
    proxy = model_folder(load_preset(preset).first_property) / WEIGHTS
    assert card["property_weights_sha256"] == hashlib.sha256(proxy.read_bytes()).hexdigest()
    assert card["policy_sha256"] == hashlib.sha256((folder / "policy.safetensors").read_bytes()).hexdigest()


def test_a_run_may_start_from_trained_weights(run, tmp_path):
    config = small_config(start=str(run), iterations=1, lr=1e-12, rollout_batches=1)
    train(config, tmp_path / "more")
    one, two = load(run).sample(50, seed=0), load(tmp_path / "more").sample(50, seed=0)
    assert one.formulas == two.formulas
    np.testing.assert_allclose(one.columns["log_pf"], two.columns["log_pf"], rtol=1e-4)


@pytest.mark.parametrize(("start", "words"), [("defualt", "nearest: 'default'"), ("paper", "no trained weights")])
def test_a_start_without_weights_is_refused_and_leaves_no_folder(tmp_path, start, words):
    with pytest.raises((ConfigError, CheckpointError), match=words):
        train(small_config(start=start), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def posterior(run, tmp_path_factory):
    """A run to prior x density, from the prior's weights; a few updates."""
    folder = tmp_path_factory.mktemp("runs") / "posterior"
    train(small_config(objective="rtb", prior=str(run), start=str(run), lr=1e-4), folder)
    return folder


def test_samples_of_a_posterior_are_weighted_to_prior_times_reward(run, posterior):
    columns = load(posterior, trust=True).sample(500, seed=0).columns
    log_weight = columns["log_reward"] + columns["log_prior"] - columns["log_pf"]
    np.testing.assert_allclose(columns["log_weight"], log_weight, rtol=1e-5, atol=1e-4)
    near = columns["log_prior"] - columns["log_pf"]  # hardly trained: still near the prior
    assert 0 < np.abs(near).max() < 0.5
    assert "log_prior" not in load(run).sample(5).columns
    found = json.loads((posterior / POSTERIOR).read_text())
    assert found["log_z"] == pytest.approx(found["log_z_of_prior"], abs=4 * found["log_z_of_prior_error"])
    rows = (posterior / METRICS).read_text().splitlines()
    assert rows[0].endswith(",kl_to_prior")
    assert abs(float(rows[-1].split(",")[-1])) < 1
    assert (run / METRICS).read_text().splitlines()[-1].endswith(",nan")


def test_a_posterior_under_narrower_constraints_keeps_its_prior(posterior):
    """The mean of P_prior / P_F is the share of the prior's crystals that satisfy the constraints."""
    model = load(posterior, trust=True)
    whole = model.prior.policy.sample(4000, model.space, generator=torch.Generator().manual_seed(0)).states
    oxygen = 1 + model.space.elements.index(8)
    share = float((whole.elements == oxygen).any(1).double().mean())
    narrow = model.restricted(required=["O"], n_elements=[2, 3]).sample(2000, seed=0).columns
    weights = np.exp(narrow["log_prior"] - narrow["log_pf"])
    assert 0 < share < 1
    assert weights.mean() < share + 4 * weights.std() / 2000**0.5 + 0.03
    tuned = model.restricted(required=["O"]).finetuned(iterations=3).sample(300).columns
    weights = np.exp(tuned["log_prior"] - tuned["log_pf"])
    assert weights.mean() == pytest.approx(share, abs=4 * weights.std() / 300**0.5 + 0.03)


def test_likelihoods_of_a_posterior_come_with_those_of_its_prior(run, posterior):
    model = load(posterior, trust=True)
    samples = model.sample(60, seed=4)
    found = model.likelihoods(samples, trajectories=200).columns
    of_prior = load(run).likelihoods(samples, trajectories=200).columns
    assert np.median(np.abs(found["log_prior"] - of_prior["log_likelihood"])) < 0.15  # not 0: other ways back
    narrow = model.restricted(required=["O"], n_elements=[2, 3])
    inside = narrow.space.states(samples)[1].numpy()
    again = narrow.likelihoods(samples, trajectories=200).columns["log_prior"]
    assert len(inside) > 5
    assert np.median(np.abs(again - found["log_prior"][inside])) < 0.15  # not normalised again
    assert "log_prior" not in of_prior
    assert model.likelihoods(samples[:0]).columns.keys() >= {"log_prior", "log_reward"}


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"objective": "rtb"}, r"training: found no prior, allowed: objective rtb with a prior"),
        ({"prior": "default"}, r"training: found prior default, allowed: objective rtb with a prior"),
        ({"objective": "rtb", "prior": "defualt"}, "nearest: 'default'"),
        ({"objective": "rtb", "prior": "paper"}, "no trained weights"),
        ({"objective": "rtb", "prior": "runs/nothing"}, "no such run folder"),
    ],
)
def test_a_prior_that_cannot_be_is_one_line(tmp_path, training, words):
    with pytest.raises((ConfigError, CheckpointError), match=words) as caught:
        train(small_config(**training), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_prior_brings_its_own_measure(run):
    content = small_config(objective="rtb", prior=str(run)).model_dump(mode="json")
    with pytest.raises(ConfigError, match=r"found lebesgue, allowed: constraints\.measure cube"):
        parse_config(content, ["constraints.measure=lebesgue"])


def test_weights_of_another_space_are_refused(run, tmp_path):
    with pytest.raises(CheckpointError):
        train(small_config(start="paper-fast"), tmp_path / "run")


def test_tables_of_ones_own_count_as_known(tmp_path):
    model = untrained(load_preset("default"))
    crystals = model.sample(40, seed=1)
    new = crystals.columns["known"] == 0
    assert new.sum() > 20
    crystals[:10].to_parquet(tmp_path / "mine.parquet")
    again = model.knowing(tmp_path / "mine.parquet").sample(40, seed=1)
    assert again.columns["known"][:10].all()
    assert (again.columns["known"][10:] == crystals.columns["known"][10:]).mean() > 0.9
    lower = again.columns["log_reward"] - crystals.columns["log_reward"]
    assert again.columns["known_formula"][:10].all()
    terms = 1 + (crystals.columns["known_formula"][:10] == 0)  # novelty, and where the formula was new, formula
    assert np.allclose(lower[:10][new[:10]], (math.log(0.05) * terms)[new[:10]], atol=1e-4)
    with pytest.raises(ConfigError, match="known: the objective has no term novelty"):
        untrained(load_preset("twelve-elements")).knowing(tmp_path / "mine.parquet")


def test_stable_samples_are_all_predicted_near_the_hull(monkeypatch):
    sampler = load("default")
    column = "energy_above_hull [eV/atom]"
    drawn = sampler.at_most(0.01).sample(60, seed=3)
    assert len(drawn) == 60
    assert max(drawn.columns[column]) <= 0.01
    assert max(sampler.sample(60, seed=3).columns[column]) > 0.01
    assert drawn.equals(sampler.at_most(0.01).sample(60, seed=3))
    monkeypatch.setattr("crystalgfn.runs.model.BARREN_DRAWS", 1)
    with pytest.raises(ConfigError, match=r"found 0 of 1,000 .* energy_above_hull up to -9 eV/atom"):
        sampler.at_most(-9).sample(5)
    with pytest.raises(ConfigError, match=r"energy_above_hull: found .*nan"):
        sampler.at_most(float("nan"))
