"""Inputs of VASP, read back by pymatgen: the same crystal, and the settings of the set."""

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import SETTINGS
from pymatgen.io.vasp import Incar, Kpoints, Poscar, VaspInput
from pymatgen.io.vasp.sets import MPRelaxSet, MPStaticSet

from candidate_setup import salt
from crystalgfn.crystallography.symmetry.standard import symmetrise
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.structures.export.vasp import LIBRARY, RELAX, SETS, STATIC, readme, vasp_files

FEO = salt("Fe", "O", a=4.33).get_primitive_structure()


@pytest.mark.parametrize("input_set", SETS)
def test_every_set_writes_files_that_pymatgen_reads(input_set):
    files = vasp_files(FEO, input_set=input_set)
    folders = {path.rpartition("/")[0] for path in files}
    assert folders == ({RELAX, STATIC} if SETS[input_set] else {""})
    for path, text in files.items():
        name = path.rpartition("/")[2]
        if name == "POSCAR":
            again = Poscar.from_str(text).structure
            assert StructureMatcher(scale=False, primitive_cell=False).fit(again, FEO)
            assert symmetrise(again).space_group == 225
        elif name == "INCAR":
            incar = Incar.from_str(text)
            assert incar["NSW"] == (0 if path.startswith(STATIC) or "Static" in input_set else 99)
            assert "KSPACING" in incar or path.replace("INCAR", "KPOINTS") in files
        elif name == "KPOINTS":
            assert min(Kpoints.from_str(text).kpts[0]) >= 5
        else:
            assert name == "POTCAR.spec"
            assert [symbol.partition("_")[0] for symbol in text.split()] == ["Fe", "O"]


def test_moments_and_hubbard_u_are_those_of_the_set(tmp_path):
    for path, text in vasp_files(FEO).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    for folder, kind in ((RELAX, MPRelaxSet), (STATIC, MPStaticSet)):
        incar = Incar.from_file(tmp_path / folder / "INCAR")
        assert {key: incar[key] for key in ("MAGMOM", "LDAUU", "ENCUT")} == {
            "MAGMOM": [5, 0.6],
            "LDAUU": [5.3, 0],
            "ENCUT": 520,
        }
        assert incar == kind(FEO).incar
    (tmp_path / RELAX / "POTCAR.spec").rename(tmp_path / "spec")
    read = VaspInput.from_directory(tmp_path / RELAX)
    np.testing.assert_allclose(read["POSCAR"].structure.lattice.matrix, FEO.lattice.matrix)


def test_what_cannot_be_written(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match=r"found 'MPRelaxSt', allowed: MPRelaxSet.* \(nearest: 'MPRelaxSet'\)"):
        vasp_files(FEO, input_set="MPRelaxSt")
    with pytest.raises(DataError, match="MPRelaxSet has no POTCAR of Po"):
        vasp_files(salt("Po", "O"))
    monkeypatch.setitem(SETTINGS, LIBRARY, None)
    with pytest.raises(ConfigError, match=r"PMG_VASP_PSP_DIR: found none, allowed: the folder"):
        vasp_files(FEO, potcar=True)
    monkeypatch.setitem(SETTINGS, LIBRARY, str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="found no folder"):
        readme(potcar=True)
    monkeypatch.setitem(SETTINGS, LIBRARY, str(tmp_path))  # a library without the files
    with pytest.raises(DataError, match=r"MPRelaxSet: .*Fe_pv"):
        vasp_files(FEO, potcar=True)


def test_potcar_comes_from_the_library(monkeypatch, tmp_path):
    folder = tmp_path / "POT_GGA_PAW_PBE"
    folder.mkdir()
    header = "  PAW_PBE {0}\n 8.0\n parameters from PSCTR are:\n   TITEL  = PAW_PBE {0}\n"
    header += "   POMASS =   55.847; ZVAL   =    8.000    mass and valenz\n"
    header += "END of PSCTR-controll parameters\n local part\n 0.5 1.0\n"
    for symbol in ("Fe_pv", "O"):
        (folder / f"POTCAR.{symbol}").write_text(header.format(symbol))
    monkeypatch.setitem(SETTINGS, LIBRARY, str(tmp_path))
    files = vasp_files(FEO, input_set="MPStaticSet", potcar=True)
    assert sorted(files) == ["INCAR", "KPOINTS", "POSCAR", "POTCAR"]
    assert [line.split()[-1] for line in files["POTCAR"].splitlines() if "TITEL" in line] == ["Fe_pv", "O"]


def test_readme_says_what_to_do():
    pair = readme()
    assert "pmg potcar --functional PBE --recursive ." in pair
    assert "cp 01-relax/CONTCAR 02-static/POSCAR" in pair
    assert "crystalgfn data from-vasp . -o labels.parquet" in pair
    single = readme(input_set="MPScanStaticSet")
    assert "--functional PBE_54" in single
    assert "CONTCAR" not in single
