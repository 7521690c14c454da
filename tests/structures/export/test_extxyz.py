"""Extended XYZ: frames hold what is said of a structure, and a file is whole or not there."""

import io

import ase.io
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import DataError
from crystalgfn.structures.export.extxyz import to_atoms, to_frame, write_extxyz
from crystalgfn.structures.relaxing.relaxation import SinglePoint

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


def read(frame):
    return ase.io.read(io.StringIO(frame), format="extxyz")


def test_energy_forces_and_stress():
    forces = np.arange(24.0).reshape(8, 3) / 100
    point = SinglePoint(-27.1, forces, np.array([[0.1, 0.4, 0.5], [0.4, 0.2, 0.6], [0.5, 0.6, 0.3]]))
    for atoms in (read(to_frame(ROCK_SALT, {"formula": "NaCl"}, point)), to_atoms(ROCK_SALT, point=point)):
        assert atoms.get_potential_energy() == -27.1
        np.testing.assert_allclose(atoms.get_forces(), forces)
        np.testing.assert_allclose(atoms.get_stress(), [0.1, 0.2, 0.3, 0.6, 0.5, 0.4])
    assert read(to_frame(ROCK_SALT)).calc is None


@pytest.mark.parametrize(
    "word",
    [
        *("NaN", "F", "T", "N", "INF", "nan", "True", "false", "12", "1e5", "1 2 3", "T F", "P 1", "NaCl", "", " "),
        *(
            'a "b" c',
            "it's",
            "back\\slash",
            "two\nlines",
            "_JSON x",
            "_JSON 1",
            "[1]",
            "{a",
            "=x",
            "a=b",
            "é",
            "not converged; x",
        ),
    ],
)
def test_words_come_back_as_words(word):
    assert read(to_frame(ROCK_SALT, {"formula": word, "energy_chgnet": 1.5})).info == {
        "formula": word,
        "energy_chgnet": 1.5,
    }


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12))
def test_any_text_comes_back(word):
    assert read(to_frame(ROCK_SALT, {"word": word})).info["word"] == word
