"""Priors in run folders: trained from a table, resumed, loaded, sampled; and every table that cannot be used."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from crystalgfn.config import parse_config
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import CheckpointError, ConfigError, DataError
from crystalgfn.policy.build import policy_of
from crystalgfn.runs.build import POLICY, build_policy, build_space
from crystalgfn.runs.folder import CHECKPOINT, METRICS
from crystalgfn.runs.model import load, untrained
from crystalgfn.runs.prior import CARD, build_prior_trainer, train_prior
from crystalgfn.runs.prior_data import hold_out
from crystalgfn.runs.training import train
from small_run import small_config


def prior_config(path, **keys):
    """The small configuration, as a prior: without a reward, in a few short epochs."""
    content = small_config().model_dump(mode="json")
    objective = {"likelihood": {"epochs": 4, "warm_up": 2, **keys}}
    content["training"] |= {"objective": objective, "batch_size": 16, "data": {"path": str(path)}}
    return parse_config({**content, "objective": []})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """60 crystals in the space, of which 5 are high above the hull and 4 of unknown energy, and 3 outside."""
    space = build_space(small_config().constraints)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        states = policy_of(space).sample(69, space, generator=torch.Generator().manual_seed(0)).states
    inside = space.crystals(states)[:69]
    inside = inside[space.states(inside)[1]][:60]
    energies = np.zeros(60)
    energies[10:15], energies[20:24] = 0.2, np.nan
    outside = Crystals((6,), [227] * 3, [[8]] * 3, [[3.57] * 3 + [90.0] * 3] * 3, {"e_above_hull": np.zeros(3)})
    path = tmp_path_factory.mktemp("data") / "data.parquet"
    Crystals.concatenate([inside.with_columns(e_above_hull=energies), outside]).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def whole(table, tmp_path_factory):
    """A run folder of a prior, and what was said on the way."""
    folder, said = tmp_path_factory.mktemp("runs") / "prior", []
    train_prior(
        prior_config(table, citation="J. Doe, 2020"), folder, on_start=said.append, on_epoch=lambda e: said.append(e)
    )
    return folder, said


def test_rows_that_are_not_used_are_counted_by_reason(whole):
    data = whole[1][0]
    assert data.rows == 63
    assert data.left_out == {
        "without energy above the hull": 4,
        "more than 0.1 eV/atom above the hull": 5,
        "outside the space by their space group": 3,
    }
    assert len(data.states) == 51
    assert 0 < data.held_out.sum() < 51
    assert data.formulas[1] == round(0.1 * data.formulas[0])
    assert str(data).startswith(f"data.parquet: 63 rows, 51 used ({data.held_out.sum()} of them held out, with ")


def test_the_folder_holds_what_a_run_holds(whole):
    folder, (data, *epochs) = whole
    assert {file.name for file in folder.iterdir()} == {
        "config.yaml", METRICS, CHECKPOINT, POLICY, "versions.json", CARD,
    }  # fmt: skip
    rows = [line.split(",") for line in (folder / METRICS).read_text().splitlines()]
    assert rows[0][-3:] == ["space_group", "composition", "lattice"]
    assert [float(row[rows[0].index("validation")]) for row in rows[1:]] == pytest.approx(
        [e.validation for e in epochs]
    )
    card = (folder / CARD).read_text()
    best = min(epochs, key=lambda epoch: epoch.validation)
    for words in ("J. Doe, 2020", data.sha256, "63 rows", f"weights of epoch {best.epoch}", f"{best.validation:.3f} |"):
        assert words in card
    assert len(card.splitlines()) < 40  # no rows of data


def test_a_killed_run_goes_on_to_the_same_weights_and_metrics(whole, table, tmp_path):
    class Killed(Exception):
        pass

    def kill(epoch):
        if epoch.epoch == 2:
            raise Killed

    config, folder = prior_config(table, citation="J. Doe, 2020"), tmp_path / "killed"
    with pytest.raises(Killed):
        train_prior(config, folder, on_epoch=kill)
    assert len(load(folder).sample(3)) == 3  # what is there can be sampled
    with pytest.raises(ConfigError, match="--resume"):
        train_prior(config, folder)
    train_prior(config, folder, resume=True)
    for name in (POLICY, METRICS):
        assert (whole[0] / name).read_bytes() == (folder / name).read_bytes(), name
    one, other = load_file(whole[0] / CHECKPOINT), load_file(folder / CHECKPOINT)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_does_not_go_on_with_another_table(table, tmp_path):
    path = tmp_path / "data.parquet"
    path.write_bytes(table.read_bytes())
    config = prior_config(path, epochs=1)
    train_prior(config, tmp_path / "run")
    Crystals.from_file(path)[:55].to_parquet(path)
    with pytest.raises(CheckpointError, match="has changed since the run began"):
        train_prior(config, tmp_path / "run", resume=True)


def test_a_prior_is_a_model_whose_target_is_itself(whole):
    model = load(whole[0])
    samples = model.sample(20, seed=1)
    assert (samples.columns["log_reward"] == 0).all()
    assert (samples.columns["log_weight"] == 0).all()
    assert np.isfinite(samples.columns["log_pf"]).all()
    assert len(model.resample(5, pool=20)) == 5
    assert all("O" in formula for formula in model.restricted(required=["O"]).sample(10).formulas)
    found = model.likelihoods(samples).columns
    assert np.array_equal(found["log_prior"], found["log_likelihood"])


def test_a_prior_learns_on_to_its_conditional_distribution(whole):
    """The weights of a narrower prior are log P_prior - log P_F, which are equal where P_F is the conditional prior."""
    narrow = load(whole[0]).restricted(required=["O"], n_elements=2)
    tuned = narrow.finetuned(iterations=150, seed=0)
    before, after = (model.sample(1000, seed=5).columns for model in (narrow, tuned))
    assert after["log_weight"].std() < 0.8 * before["log_weight"].std()
    assert np.array_equal(after["log_weight"] != 0, np.ones(1000, dtype=bool))  # the prior itself did not learn on


def test_the_target_of_a_prior_with_a_reward_is_their_product(table, tmp_path):
    content = prior_config(table, epochs=1).model_dump(mode="json")
    train_prior(parse_config({**content, "objective": [{"property": "density"}]}), tmp_path / "run")
    samples = load(tmp_path / "run").sample(10)
    assert samples.columns["log_reward"].std() > 0
    assert np.array_equal(samples.columns["log_weight"], samples.columns["log_reward"])
    assert "density [g/cm3]" in samples.columns


def test_nats_by_part_bound_the_likelihood(whole, table):
    model, crystals = load(whole[0]), Crystals.from_file(table)
    parts = model.nats(crystals)
    assert {name: len(part) for name, part in parts.items()} == dict.fromkeys(model.policy.stages, 60)
    likelihoods = model.likelihoods(crystals, trajectories=200).columns["log_likelihood"]
    assert sum(parts.values()).mean() > -likelihoods.mean() - 0.2
    assert {name: len(part) for name, part in model.nats(crystals[60:]).items()} == dict.fromkeys(parts, 0)


def test_formulas_are_held_out_whole_and_whatever_the_order_of_rows():
    formulas = [f"Mg{i % 40}O" for i in range(200)]
    out = hold_out(formulas, 0.1, seed=3)
    drawn = {formula for formula, mark in zip(formulas, out, strict=True) if mark}
    assert len(drawn) == 4
    assert out.sum() == 20
    assert (hold_out(formulas[::-1], 0.1, seed=3)[::-1] == out).all()
    assert (hold_out(formulas, 0.1, seed=4) != out).any()
    fewer = [formula for formula in formulas if formula not in ("Mg1O", "Mg2O")]
    kept = {f for f, mark in zip(fewer, hold_out(fewer, 0.1, seed=3), strict=True) if mark}
    assert len(kept & drawn) >= len(drawn) - 1  # another table holds out the same formulas, but for rounding
    assert not hold_out(formulas, 0.0, seed=3).any()
    assert hold_out(formulas[:3], 0.01, seed=3).sum() == 1


def test_all_rows_are_used_if_asked(table, tmp_path):
    seen = []
    train_prior(prior_config(table, epochs=1, max_above_hull=None, held_out=0), tmp_path / "run", on_start=seen.append)
    assert len(seen[0].states) == 60
    assert not seen[0].held_out.any()
    assert "held-out crystal" not in (tmp_path / "run" / CARD).read_text()


def _text_energies(crystals):
    return crystals.with_columns(e_above_hull=np.array(["low"] * len(crystals), dtype=object))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda crystals: crystals[60:],
            "3 rows, 0 used .* not used: 3 outside the space by their space group; allowed",
        ),
        (lambda crystals: crystals[10:15], "0 used .*5 more than 0.1 eV/atom above the hull"),
        (lambda crystals: crystals[:1], "1 used .*allowed: crystals of 2 or more formulas"),
        (_text_energies, "row 1, column 'e_above_hull': found 'low', allowed: numbers"),
    ],
    ids=["outside", "high", "one formula", "text"],
)
def test_tables_that_cannot_be_learned_from(table, tmp_path, change, words):
    change(Crystals.from_file(table)).to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match=words) as refused:
        train_prior(prior_config(tmp_path / "bad.parquet"), tmp_path / "run")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_configurations_that_say_nothing_to_learn(tmp_path):
    content = small_config().model_dump(mode="json")
    with pytest.raises(ConfigError, match=r"objective: found no term, allowed: 1 or more; none with"):
        parse_config({**content, "objective": []})
    prior = parse_config({**content, "objective": []}, ["training.objective=likelihood"])
    assert prior.is_prior
    assert parse_config(json.loads(json.dumps(prior.model_dump(mode="json")))) == prior
    with pytest.raises(ConfigError, match=r"training\.data: found no table"):
        train_prior(prior, tmp_path / "run")
    with pytest.raises(ConfigError, match="allowed for a prior: likelihood"):
        train_prior(small_config(), tmp_path / "run")
    with pytest.raises(ConfigError, match="found likelihood"):
        train(prior, tmp_path / "run")


def _wyckoff(crystals):
    """The column ``wyckoff`` of crystals with sites."""
    sites, texts = crystals.sites, []
    for group, elements, letters in zip(crystals.space_group.tolist(), sites.elements, sites.letters, strict=True):
        orbits = [
            (SYMBOLS[z], WYCKOFF[group][i]) for z, i in zip(elements.tolist(), letters.tolist(), strict=True) if z
        ]
        texts.append(json.dumps([[symbol, place.letter, place.multiplicity] for symbol, place in orbits]))
    return texts


def _table_with_sites(path):
    """80 crystals of the small space with sites, and the configuration of a prior that learns from them."""
    content = prior_config(path, epochs=3).model_dump(mode="json")
    content["constraints"]["sites"] = "wyckoff"
    content["policy"] |= {"dropout": 0.1, "remembered_patterns": 20}
    config = parse_config(content)
    crystals = untrained(config).sample(80, seed=2)
    crystals.with_columns(wyckoff=_wyckoff(crystals)).to_parquet(path)
    return config


def test_a_refusal_counts_the_rows_of_the_file_not_those_that_are_used(tmp_path):
    config = _table_with_sites(tmp_path / "data.parquet")
    crystals = Crystals.from_file(tmp_path / "data.parquet")
    energies, sites = np.zeros(80), crystals.columns["wyckoff"].copy()
    energies[:30], sites[:40] = 0.5, None  # the first 30 rows are not used, so they need no sites
    crystals.with_columns(e_above_hull=energies, wyckoff=sites).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(DataError, match=r"data\.parquet: row 31: sites: found 'None'"):
        train_prior(config, tmp_path / "run")


def test_a_prior_over_crystals_with_sites_remembers_their_patterns(tmp_path):
    config, seen = _table_with_sites(tmp_path / "data.parquet"), []
    trainer = train_prior(config, tmp_path / "run", on_epoch=seen.append)
    assert seen[-1].train < seen[0].train
    table, in_training = load(tmp_path / "run").policy.stages["sites"].table, trainer.policy.stages["sites"].table
    assert table.used.any()
    assert not in_training.used.any()
    model = load(tmp_path / "run")
    samples = model.sample(30, seed=1)
    nats = model.nats(samples)
    assert list(nats) == ["space_group", "sites", "elements", "lattice"]
    same = np.isclose(sum(nats.values()), -samples.columns["log_pf"], atol=1e-3)  # exact: one path to each writing
    assert same.mean() > 0.5  # of the others, another writing was sampled
    again = model.likelihoods(samples, trajectories=7)
    assert again.columns["log_likelihood"] == pytest.approx(-sum(nats.values()), abs=1e-6)
    assert (again.columns["log_likelihood_error"] == 0).all()
    assert (again.columns["log_prior"] == again.columns["log_likelihood"]).all()


def test_a_prior_that_starts_from_another_trains_beside_an_empty_table(tmp_path):
    config = _table_with_sites(tmp_path / "data.parquet")
    train_prior(config, tmp_path / "first")
    Crystals.from_file(tmp_path / "data.parquet")[40:].to_parquet(tmp_path / "other.parquet")
    keys = {"start": str(tmp_path / "first"), "data": {"path": str(tmp_path / "other.parquet")}}
    content = config.model_dump(mode="json")
    config = parse_config({**content, "training": {**content["training"], **keys}})
    trainer, data = build_prior_trainer(config)
    first, policy = load(tmp_path / "first").policy, trainer.policy
    assert first.stages["sites"].table.used.any()
    assert not policy.stages["sites"].table.used.any()
    network = {name: value for name, value in policy.state_dict().items() if ".table." not in name}
    assert all(torch.equal(value, first.state_dict()[name]) for name, value in network.items())
    train_prior(config, tmp_path / "second")
    own = build_policy(config, trainer.space)
    own.remember(data.states[torch.from_numpy(~data.held_out)])
    table = load(tmp_path / "second").policy.stages["sites"].table
    assert torch.equal(table.letters, own.stages["sites"].table.letters)  # of the new crystals alone
