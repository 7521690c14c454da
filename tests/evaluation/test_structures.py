"""Metrics of a folder of structures: a broken file is named and counted, not fatal, and novelty has a reference."""

import pytest

from crystalgfn.evaluation.inputs import evaluate, read_data, read_references
from crystalgfn.structures.export.cif import write_cif
from evaluation_data import rocksalt


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "made elsewhere"
    path.mkdir()
    write_cif(path / "a.cif", rocksalt())
    write_cif(path / "b.cif", rocksalt(4.25))
    write_cif(path / "c.cif", rocksalt(4.8, "Ca"))
    (path / "d.cif").write_text("not a crystal")
    return path


def test_a_broken_file_is_named_and_counted(folder):
    found = evaluate(read_data(folder), smact=False)
    assert list(found["broken"]) == ["d.cif"]
    numbers = found["metrics"]
    assert numbers["outcome"]["submitted"]["value"] == 4
    assert numbers["outcome"]["structures"]["value"] == 0.75
    assert numbers["validity"]["cdvae"]["value"] == 0.75
    assert numbers["uniqueness"]["unique"]["value"] == 0.5  # two cells of MgO are one crystal
    assert numbers["stability"]["sun_0.1"]["value"] is None


def test_novelty_against_a_folder_of_structures(folder, tmp_path):
    known = tmp_path / "known"
    known.mkdir()
    write_cif(known / "mgo.cif", rocksalt(4.2))
    found = evaluate(read_data(folder), read_references([known]), smact=False)
    assert found["metrics"]["uniqueness"]["novel"]["value"] == 0.25
    assert "1 structures of known" in found["metrics"]["uniqueness"]["novel"]["method"]
