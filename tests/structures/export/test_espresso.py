"""Inputs of Quantum ESPRESSO, read back by ASE; the table of pseudopotentials."""

import io
import math
import re

import ase.io
import numpy as np
import pytest
from ase.io.espresso import read_fortran_namelist
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.io.ase import AseAtomsAdaptor

from candidate_setup import salt
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.symmetry.standard import symmetrise
from crystalgfn.errors import DataError
from crystalgfn.structures.export.espresso import K_SPACING, espresso_files, pseudopotentials

FEO = salt("Fe", "O", a=4.33).get_primitive_structure()


def read(structure):
    text = espresso_files(structure)["pw.in"]
    return text, read_fortran_namelist(io.StringIO(text))[0]


def test_ase_reads_the_same_crystal():
    text, settings = read(FEO)
    atoms = ase.io.read(io.StringIO(text), format="espresso-in")
    again = AseAtomsAdaptor.get_structure(atoms)
    assert StructureMatcher(scale=False, primitive_cell=False).fit(again, FEO)
    assert symmetrise(again).space_group == 225
    np.testing.assert_allclose(atoms.cell.lengths(), FEO.lattice.abc, atol=1e-6)
    assert settings["control"]["calculation"] == "vc-relax"


def test_pseudopotentials_and_cutoffs_are_those_of_sssp():
    text, settings = read(FEO)
    assert re.search(r"^Fe +\S+ Fe\.pbe-spn-kjpaw_psl\.0\.2\.1\.UPF$", text, re.MULTILINE)
    assert re.search(r"^O +\S+ O\.pbe-n-kjpaw_psl\.0\.1\.UPF$", text, re.MULTILINE)
    assert settings["system"]["ecutwfc"] == 90  # of iron; oxygen asks for 50
    assert settings["system"]["ecutrho"] == 1080
    table = pseudopotentials()
    assert set(SYMBOLS[1:95]) <= set(table) | {"At", "Fr"} | set(SYMBOLS[84:90])
    assert all(4 <= one["cutoff_rho"] / one["cutoff_wfc"] <= 12 for one in table.values())
    assert all(len(one["md5"]) == 32 for one in table.values())


def test_spin_where_there_are_moments():
    assert read(FEO)[1]["system"]["nspin"] == 2
    moments = [read(FEO)[1]["system"][f"starting_magnetization({i})"] for i in (1, 2)]
    assert moments == [0.5, 0.0]
    assert "nspin" not in read(salt("Mg", "O"))[1]["system"]


def test_k_points_lie_as_near_as_asked():
    text, _ = read(FEO)
    grid = [int(n) for n in re.search(r"K_POINTS automatic\n(\d+) (\d+) (\d+)", text).groups()]
    reciprocal = np.array(FEO.lattice.reciprocal_lattice.abc)  # with 2 pi
    assert (reciprocal / grid <= K_SPACING).all()
    assert (reciprocal / (np.array(grid) - 1) >= K_SPACING).all()
    assert grid == [math.floor(length / K_SPACING) + 1 for length in reciprocal]


def test_an_element_without_pseudopotential():
    with pytest.raises(DataError, match="SSSP has no pseudopotential of Og"):
        espresso_files(salt("Og", "O"))
