"""Extended XYZ: frames hold what is said of a structure, and a file is whole or not there."""

import ase.io
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import DataError
from crystalgfn.structures.export.extxyz import write_extxyz

ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_frames(tmp_path):
    path = tmp_path / "all.extxyz"
    write_extxyz(path, 3 * [ROCK_SALT], [{"id": f"c{k}", "energy_chgnet": -3.5 + k} for k in range(3)])
    assert len(ase.io.read(path, index=":")) == 3
    last = ase.io.read(path, index=-1)
    assert last.info["energy_chgnet"] == -1.5
    assert last.get_chemical_formula() == "Cl4Na4"
    write_extxyz(path, [ROCK_SALT], [{"id": "x"}])
    assert len(ase.io.read(path, index=":")) == 1


def test_writing_is_atomic(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        write_extxyz(tmp_path / "none" / "all.extxyz", [ROCK_SALT])
    assert list(tmp_path.iterdir()) == []
