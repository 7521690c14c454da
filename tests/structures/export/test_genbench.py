"""The table for LeMat-GenBench, read back as its loader reads it: pandas, then pymatgen from the JSON."""

import json

import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.cli import main
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.schema import Row, Status


def rock_salt(metal, a):
    return Structure.from_spacegroup(225, Lattice.cubic(a), [metal, "O"], [[0, 0, 0], [0.5] * 3])


STRUCTURES = [rock_salt("Mg", 4.21).get_primitive_structure(), rock_salt("Ca", 4.81).get_primitive_structure()]


@pytest.fixture
def folder(tmp_path):
    """A finished folder with two structures and a failure between them."""
    run = RunFolder(tmp_path / "made", {"potential": "chgnet"}, resume=False)
    rows = [
        Row(row=number, formula=structure.composition.reduced_formula, status=Status.RELAXED, space_group=225)
        for number, structure in zip((0, 2), STRUCTURES, strict=True)
    ]
    for row, structure in zip(rows, STRUCTURES, strict=True):
        run.write(Candidate(row, structure))
    run.write(Candidate(Row(row=1, formula="SrO", reason="no placement")))
    run.finish()
    return run.path


def called(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return ended.value.code


def test_the_table_is_read_back_to_the_same_structures(folder, tmp_path, capsys):
    assert called("export", folder, "-o", tmp_path / "genbench.csv") == 0
    assert ", of 3 crystals" in (said := capsys.readouterr().out)
    assert said.startswith("2 structures written")
    frame = pd.read_csv(tmp_path / "genbench.csv")
    assert list(frame["material_id"]) == [0, 2]
    assert list(frame["formula"]) == ["MgO", "CaO"]
    for text, structure in zip(frame["structure"], STRUCTURES, strict=True):
        assert text.startswith("{")  # by which the loader tells JSON from CIF
        read = Structure.from_dict(json.loads(text))
        assert read.composition == structure.composition
        assert read.lattice == structure.lattice
        assert read == structure
    assert not list(folder.glob("all.genbench"))  # only where it is asked for


def test_another_format_and_a_wrong_one(folder, tmp_path, capsys):
    assert called("export", folder, "-o", tmp_path / "all.xyz", "--format", "extxyz") == 0
    assert (tmp_path / "all.xyz").read_bytes() == (folder / "all.extxyz").read_bytes()
    assert called("export", folder, "-o", tmp_path / "x", "--format", "gembench") == 2
    message = capsys.readouterr().err
    assert "found 'gembench', allowed: extxyz, genbench, poscar, vasp" in message
    assert "(nearest: 'genbench')" in message
    assert message.count("\n") == 1
    assert called("export", tmp_path, "-o", tmp_path / "x") == 2
    assert not (tmp_path / "x").exists()
