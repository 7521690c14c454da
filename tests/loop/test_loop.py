"""The loop: a real round with a real potential, what a kill does to it, and what is refused before any work."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from candidate_setup import salt
from crystalgfn.cli import main
from crystalgfn.config import load_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, ConstraintError, DataError
from crystalgfn.loop import rounds as module
from crystalgfn.loop.following import objective
from crystalgfn.loop.labels import relaxed_before
from crystalgfn.loop.plan import Plan, energy_model, first_models
from crystalgfn.loop.rounds import loop
from crystalgfn.proxies.data.orbit_rows import read_relaxed
from crystalgfn.proxies.refine import Lesson
from crystalgfn.rewards.terms.chemical_classes import ChemicalClassesConfig
from crystalgfn.runs.model import load
from crystalgfn.spaces.site_encoding import crystal_keys
from vasprun_file import vasprun, write_vasprun

PLAN = Plan(limits={"chemsys": "Li-F", "n_atoms_primitive": [2, 4]}, rounds=1, candidates=3, iterations=3, seed=1)
"""Small cells, which relax in a second."""

ARGUMENTS = ["--chemsys", "Li-F", "--n-atoms-primitive", "2:4", "--candidates", "3", "--iterations", "3", "--seed", "1"]

CLOCK = ["cpu_seconds_training", "cpu_seconds_relaxing"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    pytest.importorskip("chgnet", reason="the extra 'structures' is not installed")
    folder, said = tmp_path_factory.mktemp("loop") / "loop", []
    return folder, loop(PLAN, folder, workers=1, say=said.append), said


def same(log, other):
    one, two = (pd.DataFrame(rows).drop(columns=CLOCK) for rows in (log, other))
    pd.testing.assert_frame_equal(one, two, check_dtype=False, rtol=1e-6)


def test_a_round_learns_follows_and_relaxes_what_is_new(whole):
    folder, log, said = whole
    assert [row["round"] for row in log] == [0, 1]
    assert [row["labels"] for row in log] == [0, 3]
    assert said[:2] == ["round 0: relaxing 3 samples", "round 1: learning from the labels of 1 round"]
    assert "held-back labels" in said[2]
    assert np.isnan(log[0]["held_back_error_after"])
    assert log[1]["held_back_error_after"] > 0
    first, second = (Crystals.from_file(folder / f"round-{number}" / "candidates.parquet") for number in (0, 1))
    assert not set(crystal_keys(first).tolist()) & set(crystal_keys(second).tolist())
    card = json.loads((folder / "round-1" / "energy_above_hull" / "card.json").read_text())
    assert card["refined"]["labels"] == 3
    assert sum(log[1][f"{name}_prior"] for name in ("halides", "intermetallics", "others")) == pytest.approx(1)


def test_the_labels_of_all_rounds_can_be_trained_with(whole):
    folder, _, _ = whole
    parts = [Crystals.from_file(folder / f"round-{number}" / "rows.parquet") for number in (0, 1)]
    assert len(read_relaxed(folder / "labels.parquet").target) == sum(map(len, parts))


def test_what_earlier_rounds_relaxed_counts_as_known(whole):
    folder, _, _ = whole
    earlier = [folder / "round-0" / "rows.parquet"]
    tables = [Crystals.from_file(folder / f"round-{number}" / "pool.parquet") for number in (0, 1)]
    before, after = (np.asarray(t.column("known"), dtype=bool)[relaxed_before(t, earlier)] for t in tables)
    assert not before.all()
    assert len(after)
    assert after.all()


def test_the_sampler_of_a_round_takes_any_limits_of_the_first_model(whole):
    folder, _, _ = whole
    sampler = load(folder / "round-1" / "sampler").restricted(chemsys="Na-Cl", n_atoms_primitive=[2, 4])
    assert set("".join(sampler.sample(20, seed=0).formulas)) <= set("NaCl0123456789")


def test_a_loop_that_is_killed_between_steps_ends_as_if_it_had_not_been(whole, tmp_path):
    folder, log, _ = whole
    copy = shutil.copytree(folder, tmp_path / "loop")
    for name in ("rounds.csv", "labels.parquet", "round-1/candidates.parquet", "round-1/rows.parquet"):
        (copy / name).unlink()
    shutil.rmtree(copy / "round-1" / "structures")
    trained = copy / "round-1" / "sampler" / "policy.safetensors"
    before = trained.stat().st_mtime_ns
    same(loop(PLAN, copy, workers=1, resume=True), log)
    assert trained.stat().st_mtime_ns == before


def test_a_loop_that_is_killed_while_it_relaxes_goes_on_to_the_same_end(whole, tmp_path):
    _, log, _ = whole
    where = tmp_path / "loop"
    command = [sys.executable, "-m", "crystalgfn", "loop", "default", "-o", str(where), "--rounds", "0", *ARGUMENTS]
    process = subprocess.Popen([*command, "--workers", "1"], start_new_session=True)
    deadline = time.monotonic() + 300
    while not list(where.glob("round-0/structures/parts/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (where / "rounds.csv").exists()
    same(loop(replace(PLAN, rounds=0), where, workers=1, resume=True), log[:1])


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A round that learns from DFT too: LiF and a worse polymorph from finished VASP runs."""
    pytest.importorskip("chgnet", reason="the extra 'structures' is not installed")
    place = tmp_path_factory.mktemp("taught")
    salts = {"rocksalt": salt("Li", "F", a=4.07), "caesium": salt("Li", "F", "caesium", a=2.5)}
    for (name, structure), energy in zip(salts.items(), (-9.72, -9.3), strict=True):
        cell = structure.get_primitive_structure()
        write_vasprun(place / "runs" / name, vasprun(cell, energy, {"Li": "Li_sv", "F": "F"}))
    labels = place / "labels.parquet"
    with pytest.raises(SystemExit) as ended:
        main(["data", "from-vasp", str(place / "runs"), "-o", str(labels)])
    assert ended.value.code == 0
    plan, said = replace(PLAN, labels=(str(labels),)), []
    return plan, place / "loop", loop(plan, place / "loop", workers=1, say=said.append), said


def test_labels_by_dft_are_learned_beside_the_loops_own(taught, whole):
    plan, folder, log, said = taught
    dft = Crystals.from_file(plan.labels[0])
    kept = Crystals.from_file(folder / "given-labels.parquet")
    assert kept["e_above_hull"] == pytest.approx(dft["e_above_hull"])
    assert said[0] == (
        "labels.parquet: 2 of 2 rows taken as labels (formation energy per atom, VASP, MP2020 corrections; above the "
        "hull builtin)"
    )
    assert said[1].startswith("labels of two methods: VASP, MP2020 corrections, and the loop's own by chgnet")
    assert said[3] == "round 1: learning from the labels of 1 round, and 2 given ones"
    assert [row["labels"] for row in log] == [0, 5]
    card = json.loads((folder / "round-1" / "energy_above_hull" / "card.json").read_text())
    assert card["refined"]["labels"] == 5
    together = Crystals.from_file(folder / "labels.parquet")
    assert together["source"][:2].tolist() == ["labels.parquet; VASP, MP2020 corrections, hull builtin"] * 2
    assert len(together) == 5 + len(Crystals.from_file(folder / "round-1" / "rows.parquet"))
    tried = Crystals.from_file(folder / "round-1" / "candidates.parquet")
    assert not relaxed_before(tried, [folder / "given-labels.parquet"]).any()
    assert str((folder / "given-labels.parquet").resolve()) in (folder / "round-1/sampler/config.yaml").read_text()
    _, before, _ = whole
    assert log[1]["held_back_error_after"] != before[1]["held_back_error_after"]  # the labels changed the model


def test_a_loop_with_labels_goes_on_with_the_same_ones(taught, tmp_path):
    plan, folder, log, _ = taught
    copy, moved, said = shutil.copytree(folder, tmp_path / "loop"), tmp_path / "moved.parquet", []
    shutil.copy(plan.labels[0], moved)
    (copy / "rounds.csv").unlink()
    again = replace(plan, labels=(str(moved),))
    same(loop(again, copy, workers=1, resume=True, say=said.append), log)
    assert not any("rows taken" in text for text in said)
    assert json.loads((copy / "loop.json").read_text())["labels"] == [str(moved)]
    with pytest.raises(DataError, match=r"was started with labels_sha256 \['.*'\], found None"):
        loop(PLAN, copy, workers=1, resume=True)
    Crystals.from_file(moved)[:1].to_parquet(moved)
    with pytest.raises(DataError, match="was started with labels_sha256"):
        loop(again, copy, workers=1, resume=True)


def test_a_loop_without_labels_takes_none_later(whole):
    folder, _, _ = whole
    with pytest.raises(DataError, match="was started with labels_sha256 None"):
        loop(replace(PLAN, labels=(str(folder / "labels.parquet"),)), folder, resume=True)
    assert not (folder / "given-labels.parquet").exists()


def test_it_stops_when_learning_no_longer_helps(whole, tmp_path, monkeypatch):
    folder, log, _ = whole
    copy, said, learn = shutil.copytree(folder, tmp_path / "loop"), [], module.learn_round

    def learned(labels, where, *, base, new, trust):
        if where.name == "round-1":
            return learn(labels, where, base=base, new=new, trust=trust)
        return Lesson(None, {"n": 6, "mae": 0.1}, {"n": 6, "mae": 0.2})

    monkeypatch.setattr(module, "learn_round", learned)
    same(loop(replace(PLAN, rounds=3), copy, workers=1, resume=True, say=said.append), log)
    assert said[-1].startswith("stopped before round 2: error of 6 held-back labels 0.100 eV/atom before learning")


def test_the_command_prints_the_rounds_and_how_to_go_on(whole, capsys):
    folder, _, _ = whole
    with pytest.raises(SystemExit) as ended:
        main(["loop", "default", "-o", str(folder), "--rounds", "1", *ARGUMENTS, "--workers", "1", "--resume"])
    out = capsys.readouterr().out
    assert ended.value.code == 0, out
    assert "S.U.N. at 0.08" in out
    assert "crystalgfn report" in out
    assert "crystalgfn sample" in out


def test_a_folder_of_something_else_is_refused(whole, tmp_path):
    folder, _, _ = whole
    with pytest.raises(DataError, match="--resume"):
        loop(PLAN, folder)
    with pytest.raises(DataError, match="was started with candidates 3, found 4"):
        loop(replace(PLAN, candidates=4), folder, resume=True)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="other files"):
        loop(PLAN, tmp_path)


@pytest.mark.parametrize(
    ("start", "kind"), [("prior", "a prior"), ("twelve-elements", "a model of crystals without sites")]
)
def test_a_start_that_is_not_prior_times_reward_is_refused(start, kind):
    with pytest.raises(ConfigError, match=f"loop: found {start}, {kind}, allowed: a model trained to prior x reward"):
        first_models(Plan(start=start))


def test_a_hull_that_lacks_an_element_is_refused_before_any_work(tmp_path):
    hull = tmp_path / "hull.csv"
    hull.write_text('elements,formation_energy_per_atom\n"{""Li"": 1}",0.0\n"{""Li"": 1, ""F"": 1}",-3.0\n')
    with pytest.raises(ConfigError, match="has no phase with O"):
        loop(replace(PLAN, limits={"chemsys": "Li-F-O"}, hull=str(hull)), tmp_path / "loop")
    assert not (tmp_path / "loop").exists()


def test_limits_that_leave_no_crystal_are_refused(tmp_path):
    with pytest.raises((ConstraintError, ConfigError)):
        loop(replace(PLAN, limits={"chemsys": "Li-F", "required": ["O"]}), tmp_path / "loop")
    assert not (tmp_path / "loop").exists()


def test_the_objective_of_a_round_names_its_model_and_its_known_crystals(tmp_path):
    config = load_config("default")
    assert energy_model(config) == "energy_above_hull"
    energy, known = tmp_path / "energy_above_hull", [tmp_path / "rows.parquet"]
    stability, novelty, *others = objective(config.objective, energy=energy, known=known)
    first = [term for term in config.objective if not isinstance(term, ChemicalClassesConfig)]
    assert stability == first[0].model_copy(update={"property": str(energy)})
    assert novelty == first[1].model_copy(update={"known": [str(known[0])]})
    assert others == first[2:]
    assert [type(term) for term in objective([], energy=energy, known=known)] == [type(stability), type(novelty)]


def test_a_mistyped_preset_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["loop", "defualt", "-o", str(tmp_path / "loop")])
    assert ended.value.code == 2
    assert "default" in capsys.readouterr().err
