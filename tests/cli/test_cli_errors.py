"""The command line: one line and exit code 2 for every error a user can mend, and no traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pandas as pd
import pytest
import typer

from crystalgfn import cli
from crystalgfn.cli import info
from crystalgfn.errors import DataError


def run(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "crystalgfn", *args]
    surroundings = {**os.environ, "COLUMNS": "200", **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, env=surroundings, check=False)


@pytest.fixture
def call(capsys):
    """Call the command in this process; gives exit code, stdout and stderr."""

    def caller(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            cli.main(args)
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return caller


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let ``crystalgfn info`` end in an error."""
    app = typer.Typer()

    @app.command()
    def info_() -> None:
        raise error

    monkeypatch.setattr(info, "app", app)


def is_one_line(text: str) -> bool:
    return text.startswith("error: ") and text.endswith("\n") and text.count("\n") == 1 and text[:-1].isprintable()


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


@pytest.mark.parametrize("verb", list(cli.VERBS))
def test_every_verb_has_help(verb, call):
    if verb not in {command.name for command in cli.app.registered_commands}:
        pytest.skip(f"{verb} is not part of this version")
    code, out, _ = call(verb, "--help")
    assert code == 0
    assert "Usage: crystalgfn" in out


def test_version_and_module(call):
    assert call("--version")[:2] == (0, f"crystalgfn {cli.__version__}\n")
    done = run("--version")
    assert done.stdout == f"crystalgfn {cli.__version__}\n"


def test_info_names_what_is_there(call):
    code, out, _ = call("info")
    assert code == 0
    for expected in ("torch", "moyopy", "CUDA", "presets", "default", "property models", "formation_energy"):
        assert expected in out


def test_cards_show_their_errors():
    card = {
        "unit": "eV/atom",
        "metrics": {
            "real": {"groups": {"all": {"n": 3216, "mae": 0.0541}, "wbm": {"n": 10, "mae": 0.09}}},
            "strained": {"0.5 to 2.5": {"energy": {"n": 900, "mae": 0.142}}},
        },
    }
    assert info.card_metrics(card) == [
        "MAE 0.054 eV/atom on 3,216 real test rows (all)",
        "MAE 0.142 eV/atom on 900 strained test rows (0.5 to 2.5)",
    ]
    assert info.card_metrics({"unit": "eV/atom"}) == []


# ---- data import


def test_import_errors_are_one_line(tmp_path, call, monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    (tmp_path / "x.csv").write_text("cif\nnot a cif\n")
    (tmp_path / "pickle.csv").write_bytes(b"\x80\x04\x95\n\x00\xff")
    good = str(tmp_path / "out.parquet")
    for args, said in (
        (["csv", str(tmp_path / "x.csv"), "-o", good], "none of 1 entries could be imported"),
        (["csv", str(tmp_path / "x.csv"), "-o", str(tmp_path / "out.xlsx")], "unknown kind of table '.xlsx'"),
        (["csv", str(tmp_path / "x.csv"), "-o", str(tmp_path / "no" / "out.csv")], "there is no folder"),
        (["csv", str(tmp_path / "y.csv"), "-o", good], "no such file (nearest: 'x.csv')"),
        (["csv", str(tmp_path / "pickle.csv"), "-o", good], "pickle.csv: "),
        (["csv", str(tmp_path), "-o", good], "unknown kind of table"),
        (["mp", "-o", good], "set MP_API_KEY or give --api-key"),
    ):
        code, out, err = call("data", "import", *args)
        assert code == 2, args
        assert is_one_line(err), err
        assert said in err
        assert out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pickle.csv", "x.csv"]
    assert call("data", "import", "csv", str(tmp_path / "x.csv"), "-o", good, "--label", "wrong")[0] == 2


@pytest.mark.filterwarnings("ignore")
def test_import_of_a_csv(tmp_path, call):
    from pymatgen.core import Lattice, Structure

    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    frame = pd.DataFrame({"cif": [salt.to(fmt="cif"), "broken"], "gap": [8.5, 1.0]})
    frame.to_csv(tmp_path / "x.csv", index=False)
    output = tmp_path / "data.parquet"
    code, out, err = call(
        "data", "import", "csv", str(tmp_path / "x.csv"), "-o", str(output), "--label", "band_gap=gap"
    )
    assert (code, err) == (0, "")
    assert "wrote 1 crystals" in out
    assert "x-000002" in out
    row = pd.read_parquet(output).iloc[0]
    assert (row.formula, row.spacegroup, row.band_gap) == ("NaCl", 225, 8.5)


def test_a_full_disk_during_an_import(tmp_path):
    """The limit of the system on file sizes stands for a full disk: the very first part does not fit."""
    from pymatgen.core import Lattice, Structure

    salt = Structure(Lattice.cubic(4), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(fmt="cif")
    pd.DataFrame({"cif": [salt]}).to_csv(tmp_path / "x.csv", index=False)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from crystalgfn.cli import main; main(sys.argv[1:])"
    )
    args = ["data", "import", "csv", str(tmp_path / "x.csv"), "-o", str(tmp_path / "out.parquet")]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert is_one_line(done.stderr), done.stderr
    assert "File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
