"""A file appears whole or not at all."""

import json
from pathlib import Path

import pytest

from crystalgfn.errors import DataError
from crystalgfn.files.atomic import sweep, write_atomically, write_json, write_text, write_together


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


def test_files_that_belong_together_are_replaced_or_left_together(tmp_path, monkeypatch):
    write_together(tmp_path, {"card": b"1", "weights": b"one"})
    order, replace = [], Path.replace

    def watched(self, target):
        order.append((target.name, (tmp_path / "card").exists()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_together(tmp_path, {"card": b"2", "weights": b"two"})
    assert order == [("weights", False), ("card", False)]  # at no time stand new weights beside the old card
    assert ((tmp_path / "card").read_bytes(), (tmp_path / "weights").read_bytes()) == (b"2", b"two")
    with pytest.raises(DataError, match="no folder"):
        write_together(tmp_path, {"card": b"3", "missing/weights": b"three"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card", "weights"]
    assert (tmp_path / "card").read_bytes() == b"2"


def test_only_what_killed_writers_left_is_swept(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    (run / "parts").mkdir(parents=True)
    (run / ".folder.abcd1234.tmp").mkdir()
    other.mkdir()
    (run / "link").symlink_to(other, target_is_directory=True)
    left = [run / ".config.yaml.abcd1234.tmp", run / "parts" / ".1.json.a_c4e6g8.tmp"]
    kept = [run / name for name in ("notes.tmp", ".notes.tmp", ".draft.ABCD1234.tmp")]
    kept.append(other / ".config.yaml.abcd1234.tmp")
    for path in left + kept:
        path.write_text("x")
    sweep(run)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)
    assert (run / ".folder.abcd1234.tmp").is_dir()
