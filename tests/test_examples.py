"""The examples run from any folder, and do what they say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cubic_crystals import ROWS, cubic

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, cwd=folder, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    return folder, run("train.py", folder, "tiny", "50")


def test_train(trained):
    folder, output = trained
    assert "iteration 50: loss" in output
    assert "200 crystals" in output
    assert (folder / "tiny" / "policy.safetensors").is_file()


def test_sample_and_read(trained):
    folder, _ = trained
    output = run("sample_and_read.py", folder, "tiny", "100")
    assert output.count("(predicted)") == 5
    assert "read back unchanged: True" in output
    assert (folder / "crystals.parquet").is_file()


def test_sample_and_read_a_model_with_sites(tmp_path):
    output = run("sample_and_read.py", tmp_path, "prior", "60")
    assert "of 60 are not among the known crystals" in output
    assert output.count(" A^3/atom  A") == 5  # labels of protostructures
    assert "read back unchanged: True" in output


def test_own_property(tmp_path):
    output = run("own_property.py", tmp_path, "lithium", "120")
    numbers = output.split("lithium: ")[1].split(" trained")[0].replace(" wt%", "").split(" untrained, ")
    before, after = map(float, numbers)
    assert after > 2 * before


def test_every_example_is_run():
    text = Path(__file__).read_text()
    assert all(f'"{path.name}"' in text for path in EXAMPLES.glob("*.py"))


def test_an_array_of_shards_and_their_merging(tmp_path):
    """The scripts for SLURM, with a stand-in for the scheduler: each task is a call with the variables of its own."""
    command = tmp_path / "bin" / "crystalgfn"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m crystalgfn "$@" $MORE\n')
    command.chmod(0o755)
    cubic(*ROWS).to_parquet(tmp_path / "crystals.parquet")
    quick = "--relax none --library none --placements 1"
    variables = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "SLURM_CPUS_PER_TASK": "1"}

    def call(script, *arguments, **more):
        lines = ["bash", str(EXAMPLES / "slurm" / script), *arguments]
        subprocess.run(lines, cwd=tmp_path, env={**variables, **more}, check=True, capture_output=True)

    for task in ("1", "2"):
        array = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "2", "MORE": quick}
        call("shards.sh", "crystals.parquet", "4", "candidates", **array)
    call("merge.sh", "candidates", MORE="")
    assert len(list((tmp_path / "candidates" / "all" / "cif").glob("*.cif"))) == 4
