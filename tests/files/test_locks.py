"""One process at a time in a folder: a live one is named, a killed one holds nobody back, no file of a user is lost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crystalgfn.errors import DataError
from crystalgfn.files.locks import LOCK, in_use
from holder import holding


def test_a_second_process_is_told_who_is_at_work(tmp_path):
    with holding(tmp_path) as process:
        with pytest.raises(DataError) as refused, in_use(tmp_path):
            pass
        assert str(refused.value).startswith(f"{tmp_path}: in use by process {process.pid} on ")
        assert " since 20" in str(refused.value)
    with in_use(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_holds_nobody_back(tmp_path):
    with holding(tmp_path) as process:
        process.kill()
        process.wait()
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == process.pid
        with in_use(tmp_path):
            assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


def test_a_number_that_another_process_has_by_now_is_no_owner(tmp_path):
    with in_use(tmp_path):
        record = json.loads((tmp_path / LOCK).read_text())
    (tmp_path / LOCK).write_text(json.dumps({**record, "pid": os.getppid()}))  # alive, and not at work here
    with in_use(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


def test_a_lock_of_another_host_is_kept_and_named(tmp_path):
    with in_use(tmp_path):
        record = json.loads((tmp_path / LOCK).read_text())
    text = json.dumps({**record, "host": "node17", "command": "crystalgfn train mine.yaml"})
    (tmp_path / LOCK).write_text(text)
    with pytest.raises(DataError) as refused, in_use(tmp_path):
        pass
    assert " on node17 since " in str(refused.value)
    assert str(refused.value).endswith(f"(crystalgfn train mine.yaml); if that has ended, delete {tmp_path / LOCK}")
    assert (tmp_path / LOCK).read_text() == text


@pytest.mark.parametrize("kind", ["file", "link", "hard link", "pipe"])
def test_what_is_no_lock_is_left_alone(tmp_path, kind):
    mine, folder = tmp_path / "mine.txt", tmp_path / "run"
    folder.mkdir()
    mine.write_text("mine")
    place = folder / LOCK
    make = {"file": lambda: place.write_text("mine"), "link": lambda: place.symlink_to(mine)}
    make |= {"hard link": lambda: place.hardlink_to(mine), "pipe": lambda: os.mkfifo(place)}
    make[kind]()
    with pytest.raises(DataError, match=rf"{LOCK}: (no lock|a link|no regular file)"), in_use(folder):
        pass
    assert mine.read_text() == "mine"
    assert os.path.lexists(place)


def test_a_folder_that_stays_empty_is_removed_with_those_above_it(tmp_path):
    with pytest.raises(ValueError, match="no result"), in_use(tmp_path / "runs" / "one"):
        raise ValueError("no result")
    assert list(tmp_path.iterdir()) == []
    with in_use(tmp_path / "runs" / "one"):
        (tmp_path / "runs" / "one" / "result").write_text("x")
    assert [path.name for path in (tmp_path / "runs" / "one").iterdir()] == ["result"]


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "run").write_text("mine")
    for place in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(DataError, match="a file, allowed: a folder to write into"), in_use(place):
            pass


def test_options_of_a_command_are_not_written(tmp_path):
    code = "import sys; from pathlib import Path; from crystalgfn.files.locks import in_use\n"
    code += f"with in_use(Path({str(tmp_path)!r})): print(Path({str(tmp_path / LOCK)!r}).read_text())"
    command = [sys.executable, "-c", code, "data", "import", "--api-key", "secret"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(said)["command"] == "-c data import"


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("crystalgfn.files.locks.Lock._write", full)
    with pytest.raises(DataError, match=r"cannot write .*\.lock: No space left"), in_use(tmp_path / "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_without_locks_of_the_system_the_folder_is_used(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*args):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with in_use(tmp_path):
        assert (Path(tmp_path) / LOCK).is_file()
