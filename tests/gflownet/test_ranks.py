"""Two processes that torchrun starts on this machine train as one would: gradients, weights, resuming, errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crystalgfn.cli.processes import launcher, training_processes
from crystalgfn.errors import CheckpointError, ConfigError
from crystalgfn.gflownet.ranks import Ranks
from crystalgfn.runs.build import POLICY, build_recipe
from crystalgfn.runs.folder import CHECKPOINT, METRICS
from crystalgfn.runs.training import train
from small_run import small_config

SCRIPT = Path(__file__).resolve().parents[1] / "helpers" / "train_on_ranks.py"
LAUNCHER = ["-m", "torch.distributed.run", "--nnodes=1", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
LAUNCHER += ["--local-addr=127.0.0.1", "--nproc-per-node=2"]


def torchrun(*args) -> subprocess.CompletedProcess:
    loopback = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *LAUNCHER, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=loopback, check=False)


def small():
    replay = {"share": 0.25, "capacity": 40, "start": 10}
    return small_config(rollout_batches=2, replay=replay)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks") / "run"


@pytest.fixture(scope="module")
def failed(folder):
    """The run that an error on the second process ended, in its folder."""
    config = folder.with_suffix(".yaml")
    config.write_text(small().to_yaml())
    return torchrun(SCRIPT, "train", config, "-o", folder, "--no-report")


@pytest.fixture(scope="module")
def found(failed, folder):
    """What both processes measured."""
    return [json.loads(Path(f"{folder}-{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("objective", ["vargrad", "tb", "subtb", "rtb"])
def test_gradients_are_those_of_one_process_for_the_same_trajectories(found, objective):
    for of_rank in found:
        assert of_rank[objective]["gradient"] > 0
        assert of_rank[objective]["difference"] < 1e-5 * of_rank[objective]["gradient"]


def test_processes_hold_the_same_weights_and_draw_different_trajectories(found):
    assert found[0]["weights"] == found[1]["weights"]
    assert found[0]["generator"] != found[1]["generator"]


def test_a_prior_learns_on_two_processes_what_it_learns_on_one(found):
    assert found[0]["prior"]["weights"] == found[1]["prior"]["weights"]
    assert max(of_rank["prior"]["difference"] for of_rank in found) < 1e-4


def test_metrics_count_all_trajectories(found, folder):
    rows = Path(f"{folder}-whole", METRICS).read_text().splitlines()
    counted = [tuple(map(int, row.split(",")[:2])) for row in rows[1:]]
    assert counted == [(2 * n, 32 + 24 * (n - 1)) for n in range(1, 7)]  # a quarter is replayed after the first rollout


def test_an_error_on_one_process_ends_both_and_is_told_once(failed):
    assert failed.returncode != 0
    lines = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
    assert lines == ["error: density: NaN on the second process"]


def test_a_run_goes_on_to_the_same_files_on_as_many_processes_only(failed, found, folder):
    assert not (folder / METRICS).read_text().splitlines()[-1].startswith("12,")
    with pytest.raises(CheckpointError, match="found 1 process, allowed: 2, as when the run began"):
        train(small(), folder, resume=True)
    done = torchrun("-m", "crystalgfn", "train", folder.with_suffix(".yaml"), "-o", folder, "--no-report", "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sample it with") == 1
    for name in (POLICY, CHECKPOINT, METRICS):
        assert (folder / name).read_bytes() == Path(f"{folder}-whole", name).read_bytes(), name


def test_batches_are_divided_evenly():
    recipe = build_recipe(small_config(batch_size=15).training)
    assert recipe.share(3).batch_size == 5
    with pytest.raises(ConfigError, match="found 15 for 2 processes, allowed: a multiple of 2, such as 14 or 16"):
        recipe.share(2)
    with pytest.raises(ConfigError, match="such as 16"):
        recipe.share(16)
    buffers = build_recipe(small().training).share(4)
    assert (buffers.replay_capacity, buffers.replay_start) == (10, 3)


def test_every_process_has_a_seed_of_its_own():
    seeds = [Ranks(rank, 4).seed(seed) for seed in (0, 1) for rank in range(4)]
    assert len(set(seeds)) == 8
    assert seeds[0] == 0  # the first process draws as one process alone does


def test_processes_that_do_not_find_each_other_are_told_how_to_start(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    refused = pytest.raises(ConfigError, match=r"WORLD_SIZE: found 2, .*; allowed: start them with torchrun")
    with refused, training_processes("cpu"):
        pass


def test_an_interrupted_run_says_how_to_start_as_many_processes_again(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert launcher() == ["crystalgfn"]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launcher() == ["torchrun", "--nproc-per-node", "4", "-m", "crystalgfn"]
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert launcher()[:3] == ["torchrun", "--nnodes", "2"]
