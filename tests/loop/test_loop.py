"""The loop: two real rounds with a real potential, and what stopping does to it."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
from crystalgfn.rewards.terms.success_probability import SuccessProbabilityConfig
from crystalgfn.runs.loop.rounds import Plan, _objective, loop

from crystalgfn.cli import main
from crystalgfn.config import load_config, parse_config
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.runs.model import load
from crystalgfn.runs.training import train
from small_run import small_config

pytest.importorskip("chgnet", reason="the extra 'structures' is not installed")

SMALL = ["constraints.n_atoms=[2, 8]", "constraints.n_elements=[2, 3]", "policy.width=32", "training.iterations=20"]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A loop that begins with a model of small cells, which relax in seconds."""
    start = tmp_path_factory.mktemp("start") / "run"
    train(load_config("twelve-elements", SMALL), start)
    return Plan(start=str(start), rounds=1, candidates=3, iterations=10, placements=2, seed=1)


@pytest.fixture(scope="module")
def rounds(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop") / "loop"
    said = []
    log = loop(plan, folder, workers=1, say=said.append)
    return folder, log, said


def test_a_round_learns_and_samples_anew(rounds):
    folder, log, said = rounds
    assert [row["round"] for row in log] == [0, 1]
    assert said == ["round 0: relaxing 3 samples", "round 1: learning from 3 candidates", "round 1: relaxing 3 samples"]
    for number in (0, 1):
        for name in ("crystals.parquet", "rows.parquet", "structures/structures.parquet"):
            assert (folder / f"round-{number}" / name).is_file()
    assert log[0]["error of outcomes [eV/atom]"] == log[0]["error of outcomes, first model [eV/atom]"]
    assert log[1]["error of outcomes [eV/atom]"] != log[1]["error of outcomes, first model [eV/atom]"]
    card = json.loads((folder / "round-1" / "proxy" / "card.json").read_text())
    assert card["refined"][0]["outcomes"] == round(3 * log[0]["relaxed"])
    sampler = load(folder / "round-1" / "sampler")
    assert sampler.config.objective[-1].power == 2
    assert {"formation_energy [eV/atom]", "success_probability"} <= set(sampler.sample(5, seed=0).columns)


def test_going_on_does_nothing_twice(plan, rounds):
    folder, log, _ = rounds
    kept = ("round-1/crystals.parquet", "round-1/sampler/policy.safetensors", "round-1/structures/structures.parquet")
    before = {name: (folder / name).stat().st_mtime_ns for name in kept}
    (folder / "rounds.csv").unlink()
    again = loop(plan, folder, workers=1, resume=True)
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == before
    wall = {"wall_seconds"}
    pd.testing.assert_frame_equal(
        pd.DataFrame(again).drop(columns=wall), pd.DataFrame(log).drop(columns=wall), check_exact=False
    )


def test_a_loop_that_is_killed_goes_on_to_the_same_end(plan, rounds, tmp_path):
    _, log, _ = rounds
    where = tmp_path / "loop"
    command = [sys.executable, "-m", "crystalgfn", "loop", plan.start, "-o", str(where), "--rounds", "1"]
    command += ["--candidates", "3", "--iterations", "10", "--starts", "2", "--seed", "1", "--workers", "1"]
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 300
    while not list(where.glob("round-0/structures/parts/*.json")) and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (where / "rounds.csv").exists()
    subprocess.run([*command, "--resume"], check=True, timeout=600)
    clock = ["wall_seconds", "seconds"]
    again = pd.read_csv(where / "rounds.csv").drop(columns=clock)
    pd.testing.assert_frame_equal(again, pd.DataFrame(log).drop(columns=clock), check_dtype=False, rtol=1e-6)


def test_a_folder_of_something_else_is_refused(plan, rounds, tmp_path):
    folder, _, _ = rounds
    with pytest.raises(DataError, match="--resume"):
        loop(plan, folder)
    with pytest.raises(DataError, match=r"started with power 2\.0, found 1"):
        loop(replace(plan, power=1.0), folder, resume=True)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="other files"):
        loop(plan, tmp_path)


def test_the_command_prints_the_rounds(plan, rounds, capsys):
    folder, _, _ = rounds
    arguments = ["loop", plan.start, "-o", str(folder), "--rounds", "1", "--candidates", "3", "--iterations", "10"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--seed", "1", "--starts", "2", "--workers", "1", "--resume"])
    out = capsys.readouterr().out
    assert ended.value.code == 0, out
    assert "S.U.N." in out
    assert "written to" in out


def test_a_hull_that_lacks_an_element_is_refused_before_any_work(tmp_path):
    hull = tmp_path / "hull.csv"
    hull.write_text('elements,formation_energy_per_atom\n"{""Li"": 2, ""O"": 1}",-2.0\n')
    with pytest.raises(ConfigError, match="no phase with H, C, N"):
        loop(Plan(hull=str(hull)), tmp_path / "loop")
    assert not (tmp_path / "loop" / "round-0").exists()


def test_the_objective_of_a_round_is_that_of_the_start_with_what_was_learned(tmp_path):
    terms = [{"property": "formation_energy"}, {"property": "density"}, {"stability": {}}]
    terms.append({"success_probability": {"model": "of another loop", "power": 9}})
    start = parse_config({**small_config().model_dump(mode="json"), "objective": terms})
    energy, density, stability, success = _objective(start, tmp_path, 2.0)
    assert energy.property == str(tmp_path / "proxy")
    assert (density, stability) == (start.objective[1], start.objective[2])  # stability has the first term's property
    assert success == SuccessProbabilityConfig(model=str(tmp_path / "success_probability.json"), power=2.0)


def test_a_start_without_a_property_is_refused(tmp_path):
    config = parse_config({**small_config().model_dump(mode="json"), "objective": [{"stability": {}}]})
    train(config, tmp_path / "run")
    with pytest.raises(ConfigError, match="names a property, allowed: one to refine"):
        loop(Plan(start=str(tmp_path / "run")), tmp_path / "loop")


def test_a_mistyped_preset_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["loop", "defualt", "-o", str(tmp_path / "loop")])
    assert ended.value.code == 2
    assert "default" in capsys.readouterr().err
