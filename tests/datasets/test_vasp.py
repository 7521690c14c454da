"""Labels from VASP runs: energies on the Materials Project's scale, and a reason for every run that does not count."""

import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Composition

from candidate_setup import salt
from command_line import is_one_line
from crystalgfn.cli import main
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets.vasp import ENERGY, VaspRuns
from crystalgfn.errors import DataError
from crystalgfn.proxies.data.labelled import read_labelled
from crystalgfn.stability.load import load_hull
from crystalgfn.structures.relaxing.potentials.references import References
from export_setup import structures
from vasprun_file import vasprun, write_vasprun

FEO = salt("Fe", "O", a=4.33).get_primitive_structure()
MGO = salt("Mg", "O", a=4.24).get_primitive_structure()
POTCARS = {"Fe": "Fe_pv", "O": "O", "Mg": "Mg_pv"}
U = {"Fe": 5.3}
GOOD = vasprun(FEO, -14.0, POTCARS, hubbards=U)

FE_U, OXIDE = -2.256, -0.687
"""Corrections of Wang et al. (2021), eV an atom: iron with U in oxides, and oxygen in oxides."""


def called(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return ended.value.code


def reason(tmp_path, text, **more):
    """Why a run does not count."""
    write_vasprun(tmp_path / "runs" / "one", text)
    (entry,) = VaspRuns([tmp_path / "runs"], **more).entries(0)
    with pytest.raises(DataError) as caught:
        entry.load()
    return str(caught.value)


def test_energies_with_corrections_above_a_hull(tmp_path):
    write_vasprun(tmp_path / "feo", GOOD)
    hull = load_hull("builtin")
    (entry,) = VaspRuns([tmp_path], hull=hull).entries(0)
    elements = References.builtin("chgnet").energies
    energy = (-14.0 + FE_U + OXIDE) / 2
    formation = energy - (elements[26] + elements[8]) / 2
    assert entry.labels[ENERGY] == pytest.approx(energy, abs=1e-6)
    assert entry.labels["formation_energy_per_atom"] == pytest.approx(formation, abs=1e-6)
    above = hull.energy_above_hull({"Fe": 1, "O": 1}, formation).value
    assert entry.labels["e_above_hull"] == pytest.approx(above, abs=1e-6)
    assert entry.load().composition == Composition("FeO")
    assert entry.source == "VASP PBE+U, MP2020 corrections"


def test_own_references_and_no_corrections(tmp_path):
    write_vasprun(tmp_path / "scan", vasprun(MGO, -13.0, POTCARS, metagga="R2SCAN"), packed=True)
    own = References({12: -2.0, 8: -5.0}, "mine")
    (entry,) = VaspRuns([tmp_path], references=own, corrected=False).entries(0)
    assert entry.labels["formation_energy_per_atom"] == pytest.approx(-6.5 + 3.5)
    assert np.isnan(entry.labels["e_above_hull"])
    assert entry.source == "VASP R2SCAN, no corrections"
    with pytest.raises(DataError, match="found none for energies without corrections"):
        VaspRuns([tmp_path], corrected=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (vasprun(FEO, -14, POTCARS, hubbards=U, electronic_steps=100), "not converged: the electronic steps"),
        (vasprun(FEO, -14, POTCARS, hubbards=U, nsw=3, ionic_steps=3), r"the ionic steps reached their limit (NSW 3)"),
        (vasprun(FEO, -14, POTCARS), "Invalid U value of 0.0 on Fe, expected 5.3"),
        (vasprun(FEO, -14, {"Fe": "Fe", "O": "O"}, hubbards=U), "Incompatible POTCAR"),
        (vasprun(MGO, -14, POTCARS, metagga="R2SCAN"), "invalid run type R2SCAN"),
        (GOOD[:-900], "unreadable vasprun.xml: XMLSyntaxError"),
        ("", "does not begin as VASP begins it"),
        ('<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "f">]>' + GOOD[44:], "does not begin as VASP begins it"),
        ("<modeling></modeling>", "unreadable vasprun.xml"),
    ],
)
def test_runs_that_do_not_count_say_why(tmp_path, text, expected):
    assert expected in reason(tmp_path, text)


def test_a_packed_file_that_is_cut_off(tmp_path):
    path = write_vasprun(tmp_path / "runs" / "one", GOOD, packed=True)
    path.write_bytes(path.read_bytes()[:-20])
    (entry,) = VaspRuns([tmp_path / "runs"]).entries(0)
    with pytest.raises(DataError, match=r"unreadable vasprun.xml"):
        entry.load()


def test_links_out_of_a_folder_are_not_followed(tmp_path):
    outside = write_vasprun(tmp_path / "secret", GOOD)
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "vasprun.xml").symlink_to(outside)
    from crystalgfn.errors import TrustError

    with pytest.raises(TrustError, match="lies outside"):
        list(VaspRuns([tmp_path / "runs"]).entries(0))
    (entry,) = VaspRuns([tmp_path / "runs"], trust=True).entries(0)
    assert entry.load().composition == Composition("FeO")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs") / "dft"
    structures().export("vasp", folder, n=3)
    return folder


@pytest.fixture
def exported(inputs, tmp_path):
    """Inputs of the best three candidates, of which two have run: FeO did, MgO did not converge."""
    folder = shutil.copytree(inputs, tmp_path / "dft")
    feo, mgo = folder / "00000003_FeO_225", folder / "00000001_MgO_225"
    write_vasprun(feo / "01-relax", vasprun(FEO, -13.9, POTCARS, hubbards=U, nsw=99, ionic_steps=5))
    write_vasprun(feo / "02-static", GOOD)
    write_vasprun(mgo / "02-static", vasprun(MGO, -12.0, POTCARS, electronic_steps=100))
    return folder


def test_from_inputs_to_labels_of_the_candidates(exported, tmp_path, capsys):
    output = tmp_path / "labels.parquet"
    assert called("data", "from-vasp", exported, "-o", output) == 0
    assert "wrote 1 crystals" in (said := capsys.readouterr().out.replace("\n", " "))
    assert "2 failed" in said
    frame = pd.read_parquet(output)
    assert list(frame["material_id"]) == ["dft/00000003_FeO_225"]  # the static run, not the relaxation
    assert list(frame["row"]) == [3]
    assert list(frame["formula"]) == ["FeO"]
    assert frame[ENERGY][0] == pytest.approx((-14.0 + FE_U + OXIDE) / 2)
    field = pq.read_schema(output).field("e_above_hull")
    assert field.metadata[b"method"] == b"VASP, MP2020 corrections; elements: chgnet; hull: builtin"
    failures = pd.read_csv(tmp_path / "labels.failures.csv", keep_default_na=False).set_index("material_id")["reason"]
    assert failures["dft/00000001_MgO_225"].startswith("not converged")
    assert failures["dft/00000005_NaN_225"].startswith("no vasprun.xml")

    crystals = Crystals.from_file(output)
    assert crystals.formulas == ["FeO"]
    assert len(read_labelled(output).crystals) == 1  # what proxy train reads


def test_without_an_index_all_runs_are_found(exported, tmp_path):
    shutil.move(exported / "index.csv", tmp_path / "index.csv")
    names = [entry.material_id for entry in VaspRuns([exported]).entries(0)]
    assert names == ["dft/00000001_MgO_225/02-static", "dft/00000003_FeO_225/02-static"]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: shutil.rmtree(folder / "00000003_FeO_225"), "none of 3 entries could be imported"),
        (lambda folder: (folder / "index.csv").write_text("a,b\n1,2\n"), "index.csv: row 1: no folder or no row"),
        (shutil.rmtree, "no such folder"),
        (lambda folder: [path.unlink() for path in folder.rglob("vasprun.xml")], "no vasprun.xml in any folder below"),
    ],
)
def test_what_is_wrong_is_one_line(exported, tmp_path, capsys, prepare, message):
    prepare(exported)
    assert called("data", "from-vasp", exported, "-o", tmp_path / "labels.parquet", "--hull", "none") == 2
    error = capsys.readouterr().err
    assert is_one_line(error)
    assert message in error
    assert not list(tmp_path.glob("labels*"))
