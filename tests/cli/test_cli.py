"""The command line: one line and exit code 2 for every error a user can mend, and no traceback."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
import typer

from command_line import is_one_line, run
from crystalgfn import cli
from crystalgfn.cli import info
from crystalgfn.errors import DataError


def doing(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> None:
    """Let ``crystalgfn info`` do something else."""
    app = typer.Typer()

    @app.command()
    def info_() -> None:
        work()

    monkeypatch.setattr(info, "app", app)


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let ``crystalgfn info`` end in an error."""

    def work() -> None:
        raise error

    doing(monkeypatch, work)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("row 3: found 'x'\n\x1b[31mred"), 2, "row 3: found 'x' [31mred"),
        (OSError(errno.ENOSPC, "No space left on device", "x.csv"), 2, "x.csv: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied"), 2, "Permission denied"),
        (MemoryError(), 2, "out of memory"),
    ],
    ids=["ours", "full disk", "permission", "memory"],
)
def test_errors_are_one_line(error, code, said, call, monkeypatch):
    raising(monkeypatch, error)
    found_code, out, err = call("info")
    assert found_code == code
    assert out == ""
    assert is_one_line(err)
    assert said in err


def test_interruption_has_its_own_code(call, monkeypatch):
    raising(monkeypatch, KeyboardInterrupt())
    code, _, err = call("info")
    assert code == 130
    assert "Traceback" not in err


def test_termination_is_an_interruption(call, monkeypatch):
    doing(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    code, _, err = call("info")
    assert code == 130
    assert "Traceback" not in err


def test_a_bug_is_not_hidden(monkeypatch):
    raising(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["info"])


@pytest.mark.parametrize(
    "args", [["inof"], ["info", "--fast"], ["info", "x"], ["data", "import"], ["data", "imprt", "csv"]]
)
def test_unknown_commands_and_options_end_with_code_2(args, call):
    code, out, err = call(*args)
    assert code == 2
    assert "Traceback" not in out + err
    if args == ["inof"]:
        assert "Did you mean 'info'?" in err


def test_help_lists_every_verb_and_loads_none_of_them():
    code = (
        "import sys\nfrom crystalgfn import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit as stopped:\n    assert not stopped.code\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pymatgen', 'pyarrow', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for verb in ("info", "data", "proxy"):
        assert verb in done.stdout


def test_the_options_of_export_do_not_wait_for_torch():
    code = "import sys, crystalgfn.cli.export\nassert not {'torch', 'pymatgen', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_of_the_processes_of_torchrun_the_first_of_a_machine_tells_what_is_wrong(tmp_path):
    place = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    for wrong in (
        ["train", "defalt", "-o", "run"],
        ["train", "--fast"],
        ["train", str(tmp_path / "none.yaml"), "-o", "run"],
    ):
        first, second = (run(*wrong, env=place | {"RANK": rank, "LOCAL_RANK": rank}) for rank in "01")
        assert first.returncode == second.returncode == 2
        assert first.stderr
        assert not second.stderr
    alone = run("train", "defalt", "-o", str(tmp_path / "run"), env={"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"})
    assert is_one_line(alone.stderr)


@pytest.mark.parametrize("verb", list(cli.VERBS))
def test_every_verb_has_help(verb, call):
    if verb not in {command.name for command in cli.app.registered_commands}:
        pytest.skip(f"{verb} is not part of this version")
    code, out, _ = call(verb, "--help")
    assert code == 0
    assert "Usage: crystalgfn" in out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("default", "default: a model, allowed: a table of crystals; sample it first: crystalgfn sample default"),
        ("defalt", "defalt: no such file"),
        ("", "found '', allowed: a value"),
    ],
)
def test_structures_of_what_is_no_table(name, said, call, tmp_path):
    code, out, err = call("structures", name, "-o", str(tmp_path / "st"), "--relax", "none", "--hull", "none")
    assert (code, out) == (2, "")
    assert is_one_line(err), err
    assert said in err
    assert not (tmp_path / "st").exists()


def test_version_and_module(call):
    assert call("--version")[:2] == (0, f"crystalgfn {cli.__version__}\n")
    done = run("--version")
    assert done.stdout == f"crystalgfn {cli.__version__}\n"
