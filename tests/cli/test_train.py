"""``crystalgfn train CONFIG DATA``: a prior from a table of real crystals, as a user trains it."""

from __future__ import annotations

import json

import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.policy.build import policy_of
from crystalgfn.runs import prior as runs_prior
from crystalgfn.runs.build import build_space
from small_run import small_config


@pytest.fixture
def files(tmp_path):
    """A configuration of a prior, and a table of crystals."""
    content = small_config().model_dump(mode="json")
    content["training"] |= {"objective": {"likelihood": {"epochs": 2}}, "batch_size": 16}
    (tmp_path / "prior.yaml").write_text(json.dumps({**content, "objective": []}))
    space = build_space(small_config().constraints)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        states = policy_of(space).sample(40, space, generator=torch.Generator().manual_seed(0)).states
    space.crystals(states).to_parquet(tmp_path / "my data: 1.parquet")
    return str(tmp_path / "prior.yaml"), str(tmp_path / "my data: 1.parquet"), str(tmp_path / "run")


def test_a_prior_is_trained_sampled_and_judged(files, call, tmp_path):
    config, data, run = files
    code, out, err = call("train", config, data, "-o", run, "--no-report")
    assert code == 0, err
    first, *epochs = err.splitlines()
    assert first.startswith("my data: 1.parquet: 40 rows, ")
    assert [line.split(":")[0] for line in epochs] == ["epoch 1", "epoch 2"]
    assert "held out" in epochs[0]
    assert "space group" in epochs[0]
    assert "nats a held-out crystal" in out
    assert f"sample it with: crystalgfn sample {run}" in out
    samples = tmp_path / "samples.parquet"
    code, out, err = call("sample", run, "-n", "30", "-o", str(samples), "--best", "3")
    assert code == 0, err
    assert "effective sample size of the samples: 30 of 30" in out
    assert (Crystals.from_file(samples).columns["log_weight"] == 0).all()
    metrics = tmp_path / "metrics.json"
    args = ("evaluate", run, "-n", "20", "--reference", data, "-o", str(metrics), "--no-smact")
    code, _, err = call(*args)
    assert code == 0, err
    numbers = json.loads(metrics.read_text())["metrics"]["likelihood"]
    parts = [numbers[f"nats_{stage}_reference"]["value"] for stage in ("space_group", "composition", "lattice")]
    assert numbers["nats_reference"]["value"] == pytest.approx(sum(parts))
    assert numbers["nats_samples"]["n"] == 20
    assert "an upper bound" in numbers["nats_reference"]["method"]


def test_after_an_interruption_the_run_goes_on_with_the_same_table(files, call, monkeypatch):
    config, data, run = files
    save = runs_prior.save_prior_checkpoint

    def stop(*args):
        save(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(runs_prior, "save_prior_checkpoint", stop)
    code, _, err = call("train", config, data, "-o", run, "--no-report", "--seed", "3")
    assert code == 130
    said = next(line for line in err.splitlines() if line.startswith("interrupted"))
    assert said.endswith(f"crystalgfn train {config} '{data}' -o {run} --no-report --seed 3 --resume")
    monkeypatch.setattr(runs_prior, "save_prior_checkpoint", save)
    code, out, err = call("train", config, data, "-o", run, "--no-report", "--set=seed=3", "--resume")
    assert code == 0, err
    assert "epoch 1" not in err
    assert "epoch 2" in err
    assert " of 2, " in out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["CONFIG", "-o", "RUN"], "training.data: found no table of real crystals"),
        (["CONFIG", "missing.parquet", "-o", "RUN"], "missing.parquet: no such file"),
        (["CONFIG", "DATA", "-o", "RUN", "--tensorboard"], "not written for priors"),
        (["CONFIG", "DATA", "-o", "RUN", "--set=training.held_out=1"], "likelihood.held_out: found 1"),
        (["CONFIG", "DATA", "-o", "RUN", "--set=constraints.sites=wyckoff"], "found no column 'wyckoff'"),
    ],
)
def test_mistakes_are_one_line(files, call, args, words):
    names = dict(zip(("CONFIG", "DATA", "RUN"), files, strict=True))
    code, _, err = call("train", *(names.get(arg, arg) for arg in args))
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
