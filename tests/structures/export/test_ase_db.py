"""A database of ASE: structures with energies, and what is known of them."""

import numpy as np
import pytest
from ase.db import connect
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.io.ase import AseAtomsAdaptor

from crystalgfn.errors import DataError
from export_setup import RANKED, structures

STRUCTURES = structures()


def test_rows_are_found_by_what_is_known_of_them(tmp_path):
    path = tmp_path / "candidates.db"
    assert STRUCTURES.export("ase-db", path, flagged=True).structures == 5
    database = connect(path)
    rows = list(database.select())
    assert [row.row for row in rows] == [5, 3, 1, 0, 4]
    assert [row.data["formula"] for row in rows] == [*RANKED, "SrO"]  # NaN stays a formula
    assert rows[-1].flags == "a hole"
    near = database.select("e_above_hull_chgnet_per_atom<=0.05,space_group=225,flags!=a hole")
    assert {row.formula for row in near} <= {"NNa", "FeO", "MgO", "OMg", "NaN"}
    assert database.count("e_above_hull_chgnet_per_atom<=0.02,Fe") == 1


def test_atoms_with_energy_forces_and_stress(tmp_path):
    STRUCTURES.export("ase-db", tmp_path / "candidates.db", n=2)
    atoms = connect(tmp_path / "candidates.db").get_atoms(row=3)
    assert atoms.get_potential_energy() == -13.0
    assert np.abs(atoms.get_forces()).max() == 0
    np.testing.assert_allclose(atoms.get_stress(), [0.01, 0.01, 0.01, 0, 0, 0])
    again = AseAtomsAdaptor.get_structure(atoms)
    assert StructureMatcher(scale=False, primitive_cell=False).fit(again, STRUCTURES[3].structure)


def test_whole_or_not_there(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        STRUCTURES.export("ase-db", tmp_path / "none" / "candidates.db")
    assert list(tmp_path.iterdir()) == []
