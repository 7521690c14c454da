"""What training shows: a display on a terminal, a line a minute elsewhere, and how to go on after Ctrl-C."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest

from crystalgfn.cli import main, training_view
from crystalgfn.cli.training_view import TrainingView
from crystalgfn.config import Config
from crystalgfn.gflownet.trainer import Progress
from crystalgfn.rewards.terms.property import PropertyTermConfig
from crystalgfn.rewards.terms.stability import StabilityConfig
from crystalgfn.runs import training as run
from small_run import small_config

FIRST = Progress(2, 32, 0.5, 38.414, 38.0, 0.25, 1.0, 2.0, 0, -2.914, -3.426, 87, float("nan"))
SHOWN = (
    "iteration 6 of 12",
    "loss 0.5, log Z 38.41, ESS 25% (one batch)",
    "density median -2.91, best -3.43 g/cm3, 87 space groups (last rollout)",
    "1 trajectories/s, 0:01:32 left",
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch, seconds: float, config: Config | None = None) -> str:
    """What stands on stderr after four more iterations with 32 trajectories in so many seconds."""
    now = [0.0]
    monkeypatch.setattr(training_view.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with TrainingView(config or small_config()) as view:
        view(FIRST)
        now[0] += seconds
        view(replace(FIRST, iteration=6, trajectories=64))
    return stderr.getvalue()


@pytest.mark.parametrize("stderr", [Terminal(), io.StringIO()], ids=["terminal", "pipe"])
def test_every_number_is_shown(stderr, monkeypatch, capsys):
    shown = show(stderr, monkeypatch, seconds=61)
    for expected in SHOWN:
        assert expected in shown
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("term", "shown"),
    [
        (StabilityConfig(), "energy_above_hull median -2.91, best -3.43 eV/atom, 87 space groups"),
        (PropertyTermConfig(property="n_elements"), "n_elements median -2.91, best -3.43, 87 space groups"),
    ],
    ids=["stability", "pure number"],
)
def test_what_the_reward_begins_with_has_a_name_and_a_unit(term, shown, monkeypatch):
    config = small_config().model_copy(update={"objective": [term]})
    assert shown in show(io.StringIO(), monkeypatch, seconds=61, config=config)


@pytest.mark.parametrize(
    ("stderr", "seconds"), [(Terminal(), 1.9), (io.StringIO(), 59.0)], ids=["short", "no terminal"]
)
def test_silence(stderr, seconds, monkeypatch):
    assert show(stderr, monkeypatch, seconds) == ""


def test_after_an_interruption_one_line_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "c.yaml").write_text(small_config().to_yaml())
    save, folder = run._save, str(tmp_path / "a run")

    def stop(*args):
        save(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_save", stop)
    command = ["train", str(tmp_path / "c.yaml"), "-o", folder]
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--seed", "3"])
    assert stopped.value.code == 130
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].endswith(f"-o '{folder}' --seed 3 --resume")
    monkeypatch.setattr(run, "_save", save)
    with pytest.raises(SystemExit) as ended:
        main([*command, "--seed", "3", "--resume"])
    assert not ended.value.code
