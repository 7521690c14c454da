"""CIF files of every space group are read back to the same group by pymatgen and by ASE."""

import io
import warnings

import ase.io
import moyopy
import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifParser

from crystalgfn.crystallography.symmetry.search import find_group
from crystalgfn.crystallography.symmetry.standard import symmetrise
from crystalgfn.errors import DataError
from crystalgfn.structures.export import cif as export
from crystalgfn.structures.sanity import nearest_distances

ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def crystal(number, seed=0):
    """A crystal of the group: two general positions (one where there are many operations) in a cell of its system."""
    rng = np.random.default_rng([number, seed])
    a, b, c = 9.1, 11.3, 14.7
    if number >= 195:
        lattice = Lattice.cubic(12)
    elif number >= 143:
        lattice = Lattice.hexagonal(a, c)
    elif number >= 75:
        lattice = Lattice.tetragonal(a, c)
    elif number >= 16:
        lattice = Lattice.orthorhombic(a, b, c)
    elif number >= 3:
        lattice = Lattice.monoclinic(a, b, c, 103)
    else:
        lattice = Lattice.from_parameters(a, b, c, 77, 84, 97)
    operations = moyopy.operations_from_number(number, setting=moyopy.Setting.standard())
    rotations, shifts = np.array(operations.rotations, float), np.array(operations.translations)
    while True:  # until no atom is near a special position
        species, positions = [], []
        for symbol in ("Fe", "O", "S")[: 3 if len(shifts) < 30 else 1]:
            images = rotations @ rng.uniform(size=3) + shifts
            species += [symbol] * len(images)
            positions += list(images % 1)
        structure = Structure(lattice, species, positions)
        if len(structure) == 1 or nearest_distances(structure).min() > 0.6:
            return structure


@pytest.mark.parametrize("number", range(1, 231))
def test_every_group_reads_back(number):
    structure = crystal(number)
    assert find_group(structure, 0.01) == number
    rng = np.random.default_rng(number)
    primitive = structure.get_primitive_structure(tolerance=0.01)
    primitive.translate_sites(range(len(primitive)), rng.uniform(size=3))
    text = export.to_cif(primitive, symprec=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = CifParser.from_str(text).parse_structures(primitive=False)[0]
        atoms = ase.io.read(io.StringIO(text), format="cif")
    assert len(again) == len(atoms) == len(structure)
    assert find_group(again, 0.001) == number
    assert find_group(AseAtomsAdaptor.get_structure(atoms), 0.001) == number
    assert atoms.info["spacegroup"].no == number
    assert f"_space_group_IT_number   {number}\n" in text
    assert again.volume / len(again) == pytest.approx(primitive.volume / len(primitive), rel=1e-5)


@pytest.mark.parametrize("number", [1, 2, 14, 62, 136, 148, 166, 176, 194, 205, 216, 227, 230])
def test_the_crystal_is_the_same(number):
    structure = crystal(number).get_primitive_structure(tolerance=0.01)
    again = Structure.from_str(export.to_cif(structure, symprec=0.01), fmt="cif")
    assert StructureMatcher(0.01, 0.02, 0.5, scale=False).fit(structure, again)


def test_wyckoff_letters_and_multiplicities():
    spinel = Structure.from_spacegroup(
        "Fd-3m:2", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[1 / 8, 1 / 8, 1 / 8], [0.5, 0.5, 0.5], [0.26, 0.26, 0.26]]
    )
    found = symmetrise(spinel.get_primitive_structure(tolerance=0.01), symprec=0.01)
    assert {(s.symbol, s.wyckoff, s.multiplicity) for s in found.sites} <= {
        ("Mg", "a", 8), ("Mg", "b", 8), ("Al", "c", 16), ("Al", "d", 16), ("O", "e", 32),
    }  # fmt: skip
    assert found.space_group == 227
    assert len(found.sites) == 3
    numbers, positions = found.positions()
    assert len(numbers) == len(positions) == 56


def test_noise_is_averaged_away_and_p1_stays_p1():
    noisy = ROCK_SALT.copy()
    noisy.perturb(0.02)
    text = export.to_cif(noisy)
    assert "'F m -3 m'" in text
    assert find_group(Structure.from_str(text, fmt="cif"), 1e-4) == 225
    random = Structure(Lattice.from_parameters(5, 6, 7, 80, 95, 100), ["Li", "O", "F"], np.eye(3) * 0.3 + 0.1)
    assert find_group(random, 0.1) in (1, 8) or "'P 1'" in export.to_cif(random)
    assert symmetrise(crystal(1)).space_group == 1


def test_atoms_on_top_of_each_other_are_an_error():
    with pytest.raises(DataError, match="no space group"):
        export.to_cif(Structure(Lattice.cubic(4), ["Li", "Li"], [[0, 0, 0], [0, 0, 0]]))


def test_writing_is_atomic(tmp_path):
    path = tmp_path / "salt.cif"
    export.write_cif(path, ROCK_SALT, name="0 1/NaCl")
    assert path.read_text().startswith("data_0_1_NaCl\n")
    with pytest.raises(DataError, match="no folder"):
        export.write_cif(tmp_path / "none" / "salt.cif", ROCK_SALT)
    assert [p.name for p in tmp_path.iterdir()] == ["salt.cif"]
