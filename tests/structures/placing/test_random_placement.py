"""Random placements: distances against pymatgen, symmetry against moyopy, and what pushing atoms apart is worth."""

from __future__ import annotations

import moyopy
import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.crystallography.cells import cell_vectors, checked_lattice, primitive_basis, primitive_cell
from crystalgfn.crystallography.elements import COVALENT_RADIUS
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY, CRYSTAL_LATTICE_SYSTEM
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError
from crystalgfn.structures.placing.random_placement import InitialPlacements, random_placements
from structure_setup import LATTICES

OLIVINE = Assignment(62, ((12, "a"), (12, "c"), (14, "c"), (8, "c"), (8, "c"), (8, "d")))
OLIVINE_LATTICE = (10.2, 5.98, 4.76, 90.0, 90.0, 90.0)


def structure(placements: InitialPlacements, index: int) -> Structure:
    return Structure(Lattice(placements.cell), placements.numbers, placements.fractional[index])


def least(found: Structure) -> tuple[float, float]:
    """Least ratio and distance by pymatgen's neighbour list, images of an atom among them."""
    radii = COVALENT_RADIUS[[site.specie.Z for site in found]]
    first, second, _, distance = found.get_neighbor_list(r=12.0)
    return (distance / (radii[first] + radii[second])).min(), distance.min()


@pytest.mark.parametrize("number", range(1, 231, 3))
def test_every_start_has_the_group_the_counts_and_the_distances_it_claims(number):
    general = WYCKOFF[number][-1].letter
    special = WYCKOFF[number][0]
    sites = ((8, general), (26, special.letter)) + (((38, general), (22, general)) if number < 75 else ())
    assignment = Assignment(number, sites)
    lattice = LATTICES[int(CRYSTAL_LATTICE_SYSTEM[number])]
    placements = random_placements(assignment, lattice, 3, draws=5, seed=number, steps=0)
    assert len(placements) == 3
    assert (np.diff(placements.ratio) <= 0).all()
    assert len(placements.numbers) * CENTERING_MULTIPLICITY[number] == sum(assignment.counts.values())
    for i in range(3):
        ratio, distance = least(structure(placements, i))
        assert placements.ratio[i] == pytest.approx(ratio, abs=1e-9)
        assert placements.distance[i] == pytest.approx(distance, abs=1e-9)
        both = [
            moyopy.MoyoDataset(
                moyopy.Cell(np.array(cell).tolist(), points.tolist(), numbers.tolist()),
                symprec=1e-6,
                setting=moyopy.Setting.standard(),
            )
            for cell, points, numbers in (
                (placements.cell, placements.fractional[i], placements.numbers),
                (cell_vectors(placements.lattice), placements.conventional[i], placements.conventional_numbers),
            )
        ]
        assert [dataset.number for dataset in both] == [number, number]
        assert len(both[0].prim_std_cell.numbers) == len(placements.numbers)


def test_pushing_apart_helps_and_keeps_the_distance_check_honest():
    drawn = random_placements(OLIVINE, OLIVINE_LATTICE, 30, draws=100, seed=0, steps=0)
    pushed = random_placements(OLIVINE, OLIVINE_LATTICE, 30, draws=100, seed=0)
    assert pushed.ratio[-1] > 0.85 > drawn.ratio[-1]
    assert least(structure(pushed, 0))[0] == pytest.approx(pushed.ratio[0], abs=1e-9)


def test_a_point_on_a_more_symmetric_position_is_found_out():
    # In Pm-3m the orbit 6e (x,0,0) falls on 1a at x = 0 and on 3d at x = 1/2: its atoms meet there.
    placements = random_placements(Assignment(221, ((8, "e"),)), (4, 4, 4, 90, 90, 90), 200, draws=200, seed=0, steps=0)
    x = np.abs((placements.conventional[:, 0] + 0.5) % 1.0 - 0.5).max(axis=-1)
    near = np.minimum(x, 0.5 - x) < 0.01
    assert near.any()
    assert (placements.ratio[near] < 0.1).all()
    assert (placements.ratio[~near] > placements.ratio[near].max()).all()


def test_no_free_coordinates_is_one_start():
    placements = random_placements(Assignment(225, ((11, "a"), (17, "b"))), (5.64, 5.64, 5.64, 90, 90, 90), 20, seed=0)
    assert len(placements) == 1
    assert placements.distance[0] == pytest.approx(2.82)


def test_starts_follow_the_seed():
    first, again, other = (random_placements(OLIVINE, OLIVINE_LATTICE, 5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.fractional, again.fractional)
    assert not np.array_equal(first.fractional, other.fractional)


@pytest.mark.parametrize("number", range(1, 231))
def test_primitive_cells_have_their_volume(number):
    cell = cell_vectors(checked_lattice(number, LATTICES[int(CRYSTAL_LATTICE_SYSTEM[number])]))
    ratio = np.linalg.det(cell) / np.linalg.det(primitive_cell(number, cell))
    assert ratio == pytest.approx(CENTERING_MULTIPLICITY[number])
    assert np.linalg.det(primitive_basis(number)) != 0


def test_cell_vectors_have_their_parameters():
    lattice = np.array(LATTICES[1])
    assert Lattice(cell_vectors(lattice)).parameters == pytest.approx(tuple(lattice))


def test_rounding_of_a_lattice_is_mended():
    assert checked_lattice(225, (4.2, 4.2001, 4.2, 90, 90.00001, 90)).tolist() == pytest.approx(
        [4.2000333] * 3 + [90] * 3
    )
    assert checked_lattice(166, (4.2, 4.2, 9, 90, 90, 119.99999))[5] == 120


@pytest.mark.parametrize(
    ("space_group", "lattice", "message"),
    [
        (231, (4, 4, 4, 90, 90, 90), "space group is 231"),
        (225, (4, 4, 4), "lattice is .*allowed are six numbers"),
        (225, (4, 4, float("nan"), 90, 90, 90), "no cell"),
        (225, (4, 4, 0, 90, 90, 90), "no cell"),
        (1, (4, 4, 4, 60, 60, 120), "no cell"),
        (225, (4, 4, 5, 90, 90, 90), "is not cubic, as space group 225 demands"),
        (166, (4, 4, 4, 60, 60, 60), "is not trigonal-rhombohedral"),
    ],
)
def test_bad_lattices_are_named(space_group, lattice, message):
    with pytest.raises(DataError, match=message):
        checked_lattice(space_group, lattice)


def test_bad_numbers_are_named():
    with pytest.raises(DataError, match="asked for 0"):
        random_placements(OLIVINE, OLIVINE_LATTICE, 0, seed=0)
    with pytest.raises(DataError, match="no sites"):
        random_placements(Assignment(1, ()), LATTICES[1], 1, seed=0)
