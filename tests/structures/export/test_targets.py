"""``crystalgfn export --to``: folders of inputs with an index, one line for what is wrong, nothing half-written."""

import csv

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from candidate_setup import salt
from command_line import is_one_line
from crystalgfn.cli import main
from crystalgfn.errors import ConfigError
from crystalgfn.structures.candidates.collection import Structures
from crystalgfn.structures.export.targets import targets, write
from export_setup import RANKED, relaxed, structures

STRUCTURES = structures()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return STRUCTURES.write(tmp_path_factory.mktemp("made") / "candidates")


def called(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return ended.value.code


def index(path):
    return list(csv.DictReader((path / "index.csv").open()))


def test_folders_and_their_index(folder, tmp_path, capsys):
    assert called("export", folder, "--to", "poscar", "-o", tmp_path / "out") == 0
    assert capsys.readouterr().out.strip().endswith("4 structures written to " + f"{tmp_path / 'out'}, of 7 crystals")
    rows = index(tmp_path / "out")
    assert [row["formula"] for row in rows] == RANKED
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row["e_above_hull_chgnet_per_atom"]) for row in rows] == [0.0, 0.02, 0.05, 0.3]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["README.txt", "index.csv", *(row["folder"] for row in rows)]
    )
    assert rows[1]["folder"] == "00000003_FeO_225"
    for row in rows:
        again = Structure.from_file(tmp_path / "out" / row["folder"] / "POSCAR")
        assert StructureMatcher(scale=False, primitive_cell=False).fit(again, STRUCTURES[int(row["row"])].structure)


def test_candidates_without_inputs_are_named_in_the_index(tmp_path):
    polonium = Structures((*STRUCTURES.candidates, relaxed(7, salt("Po", "O"), -0.1)), STRUCTURES.manifest)
    written = polonium.export("vasp", tmp_path / "out", n=3, input_set="MPStaticSet")
    assert (written.structures, written.left_out) == (2, 1)
    first, *rest = index(tmp_path / "out")
    assert (first["folder"], first["reason"]) == ("", "MPStaticSet has no POTCAR of Po")
    assert sorted(path.name for path in (tmp_path / "out" / rest[0]["folder"]).iterdir()) == [
        *("INCAR", "KPOINTS", "POSCAR", "POTCAR.spec")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "vaps"], "nearest: 'vasp'"),
        (["--to", "vasp", "--set", "MPScanRelaxset"], "nearest: 'MPScanRelaxSet'"),
        (["--to", "qe", "--set", "MPRelaxSet"], "input set: given for 'qe', allowed for: vasp"),
        (["--to", "vasp", "--potcar"], "PMG_VASP_PSP_DIR: found none"),
        (["--to", "qe", "--e-above-hull=-1"], "no relaxed candidate up to -1 eV/atom"),
        (["--to", "spreadsheet", "-n", "3"], "a spreadsheet holds the whole table"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(folder, tmp_path, capsys, monkeypatch, options, message):
    from pymatgen.core import SETTINGS

    monkeypatch.setitem(SETTINGS, "PMG_VASP_PSP_DIR", None)
    assert called("export", folder, "-o", tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert is_one_line(error)
    assert message in error
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_users_is_overwritten(folder, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    assert called("export", folder, "--to", "qe", "-o", tmp_path / "out") == 2
    assert "exists already, allowed: a new or empty folder" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    def broken():
        yield from ()
        raise ConfigError("stopped")

    for target in targets():
        with pytest.raises(ConfigError, match="stopped"):
            write(target, tmp_path / "out", broken())
        assert list(tmp_path.iterdir()) == []
