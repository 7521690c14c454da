"""Commands that work in a folder: a second one is refused in one line while a real process is at work there."""

from __future__ import annotations

import pytest

from command_line import is_one_line
from crystalgfn.crystals.crystal import Crystals
from holder import holding
from property_data import cubic, one, table, write
from small_run import small_config


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A folder with inputs, and folders of runs that another process works in."""
    place = tmp_path_factory.mktemp("busy")
    (place / "config.yaml").write_text(small_config().to_yaml())
    write(table(30), place / "data.parquet")
    Crystals.concatenate([one({"Mg": 4, "O": 4}, 225, cubic(4.2))]).to_parquet(place / "crystals.parquet")
    runs = [place / name for name in ("train", "proxy", "structures", "loop", "keep", "design", "demo")]
    with holding(*runs) as process:
        yield place, process.pid


@pytest.mark.parametrize(
    "command",
    [
        "train config.yaml -o train",
        "proxy train data.parquet -o proxy",
        "structures crystals.parquet -o structures --relax none",
        "loop default -o loop",
        "design --chemsys Li-F -o design",
        "demo -o demo",
        "sample twelve-elements -n 5 -o new.parquet --finetune 1 --keep keep",
    ],
)
def test_a_folder_in_use_is_refused(busy, call, command, monkeypatch):
    place, pid = busy
    monkeypatch.chdir(place)
    code, out, err = call(*command.split())
    assert (code, out) == (2, "")
    assert is_one_line(err), err
    assert f"in use by process {pid} on " in err


INTERRUPTED = {
    "train config.yaml -o run --no-report": ("crystalgfn.runs.training.train", "go on with: ", " --resume"),
    "proxy train data.parquet -o run --resume": ("crystalgfn.proxies.workflow.fit_model", "go on with: ", " --resume"),
    "loop default -o run": ("crystalgfn.loop.rounds.loop", "go on with: ", " --resume"),
    "design --chemsys Li-F": ("crystalgfn.wishes.design", "go on with: ", " --resume"),
    "sample twelve-elements -n 5 -o new.csv": (
        "crystalgfn.runs.model.Model.chunks",
        "go on with the same command: ",
        "",
    ),
    "data import csv mine.csv -o new.csv": ("crystalgfn.datasets.import_source", "go on with the same command: ", ""),
}


@pytest.mark.parametrize("command", INTERRUPTED)
def test_an_interrupted_command_says_how_to_go_on(tmp_path, call, monkeypatch, command):
    place, words, end = INTERRUPTED[command]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "config.yaml").write_text(small_config().to_yaml())
    (tmp_path / "mine.csv").write_text("cif\nx\n")

    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, stop)
    code, _, err = call(*command.split())
    assert code == 130, err
    assert err.startswith(f"interrupted; {words}crystalgfn {command.removesuffix(end)}{end}\n")


def test_a_key_is_not_printed(call, monkeypatch, tmp_path):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("crystalgfn.datasets.import_source", stop)
    monkeypatch.setattr("crystalgfn.datasets.materials_project.MaterialsProject", dict)
    code, out, err = call("data", "import", "mp", "--api-key", "secret", "-o", str(tmp_path / "new.csv"))
    assert code == 130
    assert "the same command goes on" in err
    assert "secret" not in out + err
