"""A file appears whole or not at all."""

import json

import pytest

from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_atomically, write_json, write_text


def test_text_and_json_are_written(tmp_path):
    write_text(tmp_path / "a.txt", "Å\n")
    assert (tmp_path / "a.txt").read_bytes() == "Å\n".encode()
    write_json(tmp_path / "a.json", {"b": [1, 2]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2]}
    write_json(tmp_path / "a.json", {"b": 1}, indent=None)
    assert (tmp_path / "a.json").read_text() == '{"b": 1}'


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="halfway"), write_atomically(path) as stream:
        stream.write(b"new")
        raise RuntimeError("halfway")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_files_have_the_permissions_of_any_new_file(tmp_path):
    write_text(tmp_path / "ours", "")
    (tmp_path / "theirs").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        write_text(tmp_path / "none" / "a.txt", "")
