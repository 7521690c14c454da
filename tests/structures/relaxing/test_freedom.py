"""Moves that keep the symmetry: one for each free coordinate and lattice parameter, all within the group."""

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixSymmetry
from pymatgen.core import Lattice, Structure

from crystalgfn.crystallography.operations import group_operations
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM
from crystalgfn.crystallography.symmetry.search import find_group
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError
from crystalgfn.structures.placing.placements import place
from crystalgfn.structures.relaxing.freedom import within_symmetry, without_symmetry
from structure_setup import LATTICES

PARAMETERS = {1: 6, 2: 4, 3: 3, 4: 2, 5: 2, 6: 2, 7: 2, 8: 1}
"""Free lattice parameters of each crystal-lattice system."""

GROUPS = [1, 2, 5, 12, 36, 62, 99, 136, 146, 160, 166, 186, 194, 198, 216, 227]


def placed(number):
    """A structure of the group with two elements: on the first position, and on the last with free coordinates."""
    positions = WYCKOFF[number]
    sites = ((8, positions[-1].letter), (38, positions[0].letter))
    assignment = Assignment(number, sites)
    scale = 1.6 if positions[-1].multiplicity > 24 else 1.0
    a, b, c, *angles = LATTICES[int(CRYSTAL_LATTICE_SYSTEM[number])]
    found = place(
        number, assignment.counts, (scale * a, scale * b, scale * c, *angles), placements=1, seed=1, sites=assignment
    )
    return found[0].structure, assignment


def moved(freedom, structure, coefficients):
    """The structure after a move."""
    move = coefficients @ freedom.directions
    deformation = np.eye(3) + move[-9:].reshape(3, 3)
    positions = (freedom.positions + move[:-9].reshape(-1, 3)) @ deformation
    return Structure(Lattice(freedom.cell @ deformation), structure.species, positions, coords_are_cartesian=True)


def freedom_of(structure):
    cell, positions = np.array(structure.lattice.matrix), np.array(structure.cart_coords)
    return within_symmetry(cell, positions, np.array(structure.atomic_numbers), symprec=0.01)


@pytest.mark.parametrize("number", GROUPS)
def test_directions_are_free_coordinates_and_lattice_parameters(number):
    structure, assignment = placed(number)
    freedom = freedom_of(structure)
    # in polar groups the crystal as a whole can move along the axes that no operation turns
    polar = np.linalg.matrix_rank(group_operations(number).rotations.mean(axis=0), tol=1e-6)
    parameters = PARAMETERS[int(CRYSTAL_LATTICE_SYSTEM[number])]
    assert len(freedom.directions) == sum(assignment.degrees_of_freedom) + parameters - polar
    np.testing.assert_allclose(freedom.directions @ freedom.directions.T, np.eye(len(freedom.directions)), atol=1e-9)
    coefficients = np.random.default_rng(number).normal(scale=0.02, size=len(freedom.directions))
    assert find_group(moved(freedom, structure, coefficients), 1e-4) == number


def test_forces_within_the_symmetry_are_those_of_ase():
    structure, _ = placed(136)
    atoms = Atoms(structure.atomic_numbers, cell=structure.lattice.matrix, positions=structure.cart_coords, pbc=True)
    forces = np.random.default_rng(0).normal(size=(len(atoms), 3))
    wanted = forces.copy()
    FixSymmetry(atoms, symprec=0.01).adjust_forces(atoms, wanted)
    directions = freedom_of(structure).directions
    move = np.concatenate([forces.ravel(), np.zeros(9)])
    np.testing.assert_allclose((directions.T @ directions @ move)[:-9].reshape(-1, 3), wanted, atol=1e-8)


def test_without_symmetry_all_but_translations_and_rotations():
    structure, _ = placed(62)
    n = len(structure)
    freedom = without_symmetry(np.array(structure.lattice.matrix), np.array(structure.cart_coords))
    assert len(freedom.directions) == 3 * n - 3 + 6
    assert freedom.strains.sum() == pytest.approx(6)


def test_a_structure_within_the_tolerance_becomes_exact():
    structure, _ = placed(194)
    rng = np.random.default_rng(0)
    noisy = Structure(
        Lattice(structure.lattice.matrix + rng.normal(scale=1e-3, size=(3, 3))),
        structure.species,
        structure.frac_coords + rng.normal(scale=2e-4, size=(len(structure), 3)),
    )
    assert find_group(noisy, 1e-5) == 1
    freedom = freedom_of(noisy)
    exact = moved(freedom, noisy, np.zeros(len(freedom.directions)))
    assert find_group(exact, 1e-5) == 194
    assert np.abs(exact.lattice.matrix - noisy.lattice.matrix).max() < 5e-3


def test_a_structure_without_symmetry_search_is_one_error():
    with pytest.raises(DataError):
        within_symmetry(np.eye(3) * 3, np.zeros((2, 3)), np.array([29, 29]), symprec=0.01)
