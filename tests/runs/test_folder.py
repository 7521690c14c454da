"""Run folders: a run without a result never blocks the next one, and a difference is named."""

from __future__ import annotations

import os
import sys

import pytest

from crystalgfn.config import CONFIG, parse_config, read_config
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.files.folders import difference
from crystalgfn.runs.folder import METRICS, VERSIONS, begin, check_folder, cut_metrics, is_stub
from crystalgfn.runs.training import train
from small_run import small_config


def test_a_folder_without_a_result_is_used_again(tmp_path):
    folder = tmp_path / "run"
    begin(small_config(), folder)
    cut_metrics(folder / METRICS, "iteration,loss", 0)
    assert {path.name for path in folder.iterdir()} == {CONFIG, VERSIONS, METRICS}
    assert is_stub(folder)
    other = small_config(iterations=4)
    check_folder(other, folder, resume=False)
    train(other, folder)
    assert read_config(folder / CONFIG) == other
    assert not is_stub(folder)
    with pytest.raises(ConfigError, match="holds a run already"):
        check_folder(other, folder, resume=False)


@pytest.mark.parametrize("name", ["policy.safetensors", "notes.txt"])
def test_what_could_be_lost_is_kept(tmp_path, name):
    begin(small_config(), tmp_path)
    (tmp_path / name).write_text("x")
    with pytest.raises(ConfigError, match="holds a run already"):
        check_folder(small_config(), tmp_path, resume=False)


def test_rows_of_metrics_are_a_result(tmp_path):
    begin(small_config(), tmp_path)
    (tmp_path / METRICS).write_text("iteration,loss\n1,2\n")
    assert not is_stub(tmp_path)


def test_a_missing_package_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match="needs the package tensorboard"):
        train(small_config(), tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


def test_resuming_names_the_key_that_differs(tmp_path):
    folder = tmp_path / "run"
    train(small_config(), folder)
    for other, words in (
        (small_config(lr=1e-4), "training.lr was 0.003, found 0.0001"),
        (small_config(iterations=20), "training.iterations was 12, found 20"),
    ):
        with pytest.raises(ConfigError, match="another configuration") as caught:
            train(other, folder, resume=True)
        assert words in str(caught.value)
    content = small_config().model_dump(mode="json")
    content["objective"][0]["goal"] = "minimise"
    with pytest.raises(ConfigError, match=r"objective\[0\].property.goal was 'maximise', found 'minimise'|goal was"):
        train(parse_config(content), folder, resume=True)


def test_differences():
    assert difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == ("a[1].b", "2", "3")
    assert difference({"a": 1}, {"a": 1, "c": 2}) == ("c", "None", "2")
    assert difference([1, 2], [1]) == ("", "[1, 2]", "[1]")
    assert difference({"a": {}}, {"a": {}}) is None
    assert len(difference("x" * 500, "y")[1]) < 100


def test_metrics_that_are_no_file_are_not_read(tmp_path):
    begin(small_config(), tmp_path)
    os.mkfifo(tmp_path / METRICS)  # whoever opens it would wait for ever
    with pytest.raises(DataError, match="not a regular file"):
        is_stub(tmp_path)
