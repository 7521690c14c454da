"""``crystalgfn data import``: one line for every mistake, and nothing is left of a failed import."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from command_line import is_one_line


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
        (["mp", "-o", good], "set MP_API_KEY in the environment"),
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
