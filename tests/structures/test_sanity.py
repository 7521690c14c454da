"""Sanity checks: distances over all images against brute force, ranges, and the validity rules of others."""

import math
from itertools import product

import numpy as np
import pytest
from ase.data import covalent_radii
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from crystalgfn.crystallography.elements import COVALENT_RADIUS
from crystalgfn.structures import sanity

LENGTH = st.floats(1.0, 12.0)
SKEW = st.floats(-2.5, 2.5)


def brute_force(structure, reach=9):
    """Shortest distances with 19^3 images."""
    shifts = np.array(list(product(range(-reach, reach + 1), repeat=3)), dtype=float)
    difference = structure.frac_coords[:, None] - structure.frac_coords[None]
    vectors = (difference[:, :, None] + shifts) @ structure.lattice.matrix
    lengths = np.linalg.norm(vectors, axis=-1)
    return np.where(lengths < 1e-9, np.inf, lengths).min(axis=2)


@settings(max_examples=60, deadline=None)
@given(st.tuples(LENGTH, LENGTH, LENGTH), st.tuples(SKEW, SKEW, SKEW), st.integers(1, 4), st.integers(0, 999))
def test_distances_equal_brute_force_in_skewed_cells(lengths, skew, n, seed):
    matrix = np.diag(lengths)
    matrix[1, 0], matrix[2, 0], matrix[2, 1] = skew[0] * lengths[0], skew[1] * lengths[0], skew[2] * lengths[1]
    structure = Structure(matrix, ["Si"] * n, np.random.default_rng(seed).uniform(-2, 2, size=(n, 3)))
    expected = brute_force(structure)
    # the nearest image of a very skewed cell may be out of the brute force's reach: never out of ours
    assert (sanity.nearest_distances(structure) <= expected + 1e-8).all()
    if max(map(abs, skew)) < 1.5:
        np.testing.assert_allclose(sanity.nearest_distances(structure), expected, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=3, max_size=3), st.integers(0, 999))
def test_the_choice_of_cell_does_not_matter(moves, seed):
    rng = np.random.default_rng(seed)
    structure = Structure(rng.normal(scale=4, size=(3, 3)) + 4 * np.eye(3), ["Li", "O"], rng.uniform(size=(2, 3)))
    if structure.volume < 5:
        return
    change = np.eye(3)
    change[0, 1], change[1, 2], change[0, 2] = moves
    other = Structure(
        change @ structure.lattice.matrix, structure.species, structure.frac_coords @ np.linalg.inv(change)
    )
    assert sanity.distance_ratio(other) == pytest.approx(sanity.distance_ratio(structure), rel=1e-9)


def test_many_atoms_in_blocks_equal_pymatgen():
    rng = np.random.default_rng(0)
    structure = Structure(Lattice.from_parameters(14, 15, 16, 80, 95, 110), ["Si"] * 230, rng.uniform(size=(230, 3)))
    expected = structure.distance_matrix
    off = ~np.eye(230, dtype=bool)
    np.testing.assert_allclose(sanity.nearest_distances(structure)[off], expected[off], atol=1e-8)


def test_radii_are_those_of_cordero():
    others = [z for z in range(1, 97) if z not in (6, 25, 26, 27)]  # sp2 carbon and high spin here
    np.testing.assert_allclose(COVALENT_RADIUS[others], covalent_radii[others])


def test_a_known_ratio_and_the_gate():
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert sanity.distance_ratio(salt) == pytest.approx(2.82 / (1.66 + 1.02))
    assert sanity.check_distances(salt)
    salt.scale_lattice(salt.volume / 8)
    verdict = sanity.check_distances(salt)
    assert not verdict
    assert "0.53" in verdict.reason
    assert sanity.check_distances(salt, threshold=0.5)


def test_nothing_to_measure_does_not_pass():
    flat = Structure(Lattice([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), ["Si"], [[0, 0, math.nan]])
    assert not sanity.check_distances(flat)
    assert not sanity.check_formation_energy(math.nan)
    assert "atoms too near" in sanity.check_distances(flat).reason


def test_ranges():
    assert sanity.check_formation_energy(-3.0)
    assert "-6.3 eV/atom" in sanity.check_formation_energy(-6.3).reason
    assert sanity.check_volume_change(0.3)
    assert not sanity.check_volume_change(2.0)
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])
    assert sanity.check_volume_ratio(silicon)
    silicon.scale_lattice(3 * silicon.volume)
    assert not sanity.check_volume_ratio(silicon)


def cube(a, *positions):
    return Structure(Lattice.cubic(a), ["Si"] * len(positions), positions)


def test_rules_of_others():
    assert sanity.cdvae_valid(cube(4, (0, 0, 0), (0.5, 0.5, 0.5)))
    near = cube(4, (0, 0, 0), (0.1, 0, 0))
    assert not sanity.cdvae_valid(near)
    assert sanity.cdvae_valid(cube(4, (0, 0, 0), (0.13, 0, 0)))
    assert not sanity.cdvae_valid(cube(0.4, (0, 0, 0)))
    assert sanity.cdvae_valid(cube(0.48, (0, 0, 0)))  # own images are no pair, and the volume is above 0.1
    assert sanity.lemat_valid(cube(4, (0, 0, 0), (0.5, 0.5, 0.5)))
    assert "asked for" in sanity.lemat_valid(near).reason
    assert "density" in sanity.lemat_valid(cube(40, (0, 0, 0), (0.5, 0.5, 0.5))).reason
    assert "volume" in sanity.lemat_valid(cube(0.9, (0, 0, 0))).reason
    assert (
        "cell lengths"
        in sanity.lemat_valid(Structure(np.diag([3, 3, 101.0]), ["Au"] * 9, [[0, 0, i / 9] for i in range(9)])).reason
    )
