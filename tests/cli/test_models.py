"""A run or preset in place of a table: samples of it, and what tells it from a file."""

import pytest
from typer.testing import CliRunner

from crystalgfn.cli.evaluate import app as evaluate
from crystalgfn.cli.models import consent, is_model, sampled
from crystalgfn.runs.training import train
from small_run import small_config

pytest.importorskip("plotly")


def test_samples_of_a_run_say_where_they_come_from(tmp_path):
    train(small_config(), tmp_path / "run")
    found = sampled(tmp_path / "run", 10, 3)
    assert len(found.crystals) == 10
    assert found.provenance["seed"] == 3
    assert "iterations: 12" in found.provenance["configuration"]
    assert "torch" in found.provenance["trained with"]
    assert found.constraints["n_atoms_primitive"] == (1, 8)
    ran = CliRunner().invoke(
        evaluate, [str(tmp_path / "run"), "-n", "30", "-o", str(tmp_path / "m.json"), "--no-smact"]
    )
    assert ran.exit_code == 0, ran.output
    assert "pearson_samples" in (tmp_path / "m.json").read_text()


def test_presets_come_before_files_and_folders_of_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_model("default")
    assert not is_model("defaults")
    assert not is_model("./default")
    (tmp_path / "default").mkdir()
    assert is_model("default")
    assert not is_model("./default")
    (tmp_path / "default" / "config.yaml").touch()
    assert is_model("./default")


def test_a_run_that_asks_for_what_lies_elsewhere_needs_consent(tmp_path):
    train(small_config(iterations=4), tmp_path / "run")
    assert consent(tmp_path / "run") == ""
    text = (tmp_path / "run" / "config.yaml").read_text()
    (tmp_path / "run" / "config.yaml").write_text(text.replace("property: density", "property: some:code"))
    assert consent(tmp_path / "run") == " --trust"
