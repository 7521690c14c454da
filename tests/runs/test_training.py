"""Training into run folders: what an interruption leaves is gone on with to the result of an uninterrupted run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from crystalgfn.errors import DataError
from crystalgfn.files.locks import LOCK
from crystalgfn.files.reading import sha256
from crystalgfn.interruption import terminable
from crystalgfn.runs.build import POLICY
from crystalgfn.runs.folder import CHECKPOINT
from crystalgfn.runs.training import train
from holder import holding
from small_run import small_config

RARE = {"checkpoint_every": 10_000, "log_every": 1, "rollout_batches": 3}
"""No checkpoint but those that interruptions write; rounds of several updates."""


@pytest.fixture(autouse=True)
def interruptible():
    """Ctrl-C interrupts, also where the suite runs in the background of a shell, which has processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_loses_nothing(tmp_path, number):
    config, said = small_config(**RARE), []
    whole = train(config, tmp_path / "whole")

    def interrupt(progress):
        if progress.iteration == 4:
            os.kill(os.getpid(), number)

    with terminable(), pytest.raises(KeyboardInterrupt):
        train(
            config, tmp_path / "run", on_iteration=interrupt, on_interrupt=lambda: said.append(trainer_files(tmp_path))
        )
    assert said == [[]]  # told at once, before the checkpoint
    assert trainer_files(tmp_path) == [CHECKPOINT, POLICY]
    first = []
    resumed = train(config, tmp_path / "run", resume=True, on_iteration=lambda p: first.append(p.iteration))
    assert first[0] == 7  # the end of the round that was under way is kept
    assert resumed.trajectories == whole.trajectories
    assert sha256(tmp_path / "run" / POLICY) == sha256(tmp_path / "whole" / POLICY)
    assert (tmp_path / "run" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()


def trainer_files(folder):
    return sorted(path.name for path in (folder / "run").glob("*.safetensors"))


def test_a_second_interruption_ends_at_once(tmp_path):
    def interrupt(progress):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(small_config(**RARE), tmp_path / "run", on_iteration=interrupt)
    assert trainer_files(tmp_path) == []


def test_the_folder_may_be_text_and_belongs_to_one_process(tmp_path):
    run = tmp_path / "run"
    with holding(run) as process, pytest.raises(DataError, match=f"in use by process {process.pid} on"):
        train(small_config(), str(run))
    train(small_config(), str(run))
    assert LOCK not in os.listdir(run)


def test_sigterm_to_the_command_keeps_all_and_says_how_to_go_on(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(small_config(**RARE | {"iterations": 100_000}).to_yaml())
    command = [sys.executable, "-m", "crystalgfn", "train", str(config), "-o", str(tmp_path / "run"), "--no-report"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and not (tmp_path / "run" / "metrics.csv").is_file():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1.0)  # some rounds
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert trainer_files(tmp_path) == [CHECKPOINT, POLICY]
    assert "interrupted: writing a checkpoint" in said
    assert f"go on with: crystalgfn train {config} -o {tmp_path / 'run'} --no-report --resume" in said


def test_what_a_kill_leaves_of_the_first_write_is_swept(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / ".config.yaml.abcd1234.tmp").write_text("half")
    (run / LOCK).write_text("")
    train(small_config(), run)
    assert not list(run.glob(".*"))
