"""Folders of long runs: made for one request, gone on with for the same, and used again where nothing was done."""

from __future__ import annotations

import json

import pytest

from crystalgfn.errors import DataError
from crystalgfn.files.folders import open_folder


def test_a_folder_without_a_result_is_used_again(tmp_path):
    folder = tmp_path / "run"
    open_folder(folder, "manifest.json", {"n": 1}, resume=False)
    (folder / "parts").mkdir()
    open_folder(folder, "manifest.json", {"n": 2}, resume=False)
    assert json.loads((folder / "manifest.json").read_text()) == {"n": 2}
    open_folder(folder, "manifest.json", {"n": 3}, resume=True)
    assert json.loads((folder / "manifest.json").read_text()) == {"n": 3}


def test_a_damaged_request_of_a_run_without_a_result_is_replaced(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    open_folder(tmp_path, "manifest.json", {"n": 1}, resume=True)
    assert json.loads((tmp_path / "manifest.json").read_text()) == {"n": 1}


@pytest.mark.parametrize("name", ["parts/0.json", "notes.txt"])
def test_a_folder_with_a_result_is_kept(tmp_path, name):
    open_folder(tmp_path, "manifest.json", {"n": 1}, resume=False)
    (tmp_path / "parts").mkdir()
    (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match="holds a run already"):
        open_folder(tmp_path, "manifest.json", {"n": 1}, resume=False)
    with pytest.raises(DataError, match="was started with n 1, found 2"):
        open_folder(tmp_path, "manifest.json", {"n": 2}, resume=True)
    open_folder(tmp_path, "manifest.json", {"n": 1}, resume=True)


def test_a_link_is_a_result(tmp_path):
    open_folder(tmp_path / "run", "manifest.json", {"n": 1}, resume=False)
    (tmp_path / "run" / "parts").symlink_to(tmp_path)
    with pytest.raises(DataError, match="holds a run already"):
        open_folder(tmp_path / "run", "manifest.json", {"n": 1}, resume=False)


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="other files"):
        open_folder(tmp_path, "manifest.json", {"n": 1}, resume=False)
