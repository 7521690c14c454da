"""Options of several verbs: what a command would replace is kept unless the user says so."""

from __future__ import annotations

import pytest

from crystalgfn.cli.options import check_outputs
from crystalgfn.errors import DataError


def test_files_that_hold_something_are_kept(tmp_path):
    old, empty, new = (tmp_path / name for name in ("old.csv", "empty.csv", "new.csv"))
    old.write_text("mine")
    empty.touch()
    check_outputs(empty, new, None, force=False)
    check_outputs(old, force=True)
    with pytest.raises(DataError, match=r"old\.csv: exists already, allowed: a new file, or --force"):
        check_outputs(new, old, force=False)
    (tmp_path / "new.csv.partial").mkdir()  # an interrupted command that had got as far as the first table
    check_outputs(new, old, force=False)


@pytest.mark.parametrize(
    "command",
    [
        ("sample", "default", "-n", "1", "-o"),
        ("data", "import", "csv", "mine.csv", "-o"),
        ("data", "from-structures", "candidates", "-o"),
        ("export", "candidates", "-o"),
        ("evaluate", "crystals.parquet", "-o"),
        ("report", "crystals.parquet", "-o"),
        ("compare", "a.parquet", "b.parquet", "-o"),
        ("proxy", "predict", "formation_energy", "crystals.parquet", "-o"),
        ("proxy", "evaluate", "formation_energy", "crystals.parquet", "--json"),
    ],
    ids=" ".join,
)
def test_every_command_that_writes_a_file_asks_first(call, tmp_path, command):
    file = tmp_path / "result.csv"
    file.write_text("mine")
    code, _, err = call(*command, str(file))
    assert code == 2
    assert err == f"error: {file}: exists already, allowed: a new file, or --force to replace it\n"
    assert file.read_text() == "mine"
    code, _, err = call(*command, str(file), "--force")  # gets as far as to look for its input, or does its work
    assert "exists already" not in err
