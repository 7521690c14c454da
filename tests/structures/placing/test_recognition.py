"""Sites of structures in any cell: the letters are those of the tables, whatever setting the structure came in."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.crystallography.operations import affine_permutations
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.datasets.standardise import conventional_cell
from crystalgfn.structures.placing.placements import place
from crystalgfn.structures.placing.recognition import prototype_of
from structure_setup import LATTICES

MONOCLINIC = list(range(3, 16))
TWO_ORIGINS = [48, 50, 59, 68, 70, 85, 86, 88, 125, 126, 129, 130, 133, 134, 137, 138, 141, 142]
TWO_ORIGINS += [201, 203, 222, 224, 227, 228]
RHOMBOHEDRAL = [146, 148, 155, 160, 161, 166, 167]
TURNS = {
    "monoclinic": ([[1, 0, 0], [0, 1, 0], [1, 0, 1]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "other": ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
}
"""Other cell choices, and other orders of the axes."""


def written(number):
    """Sites of three elements: on the first, a middle and, twice where it is small, the last position."""
    first, middle, last = (WYCKOFF[number][i] for i in (0, len(WYCKOFF[number]) // 2, -1))
    sites = [(9, first.letter), (26, middle.letter), (38, last.letter)]
    return Assignment(number, (*sites, *sites[2:] * (last.multiplicity <= 16)))


def images(assignment):
    """The assignment in all writings of the crystal."""
    return {
        Assignment(assignment.space_group, tuple((z, image[letter]) for z, letter in assignment.sites))
        for image in affine_permutations(assignment.space_group)
    }


@pytest.mark.parametrize("number", MONOCLINIC + TWO_ORIGINS + RHOMBOHEDRAL)
def test_letters_are_those_of_the_tables_in_any_setting(number):
    sites = written(number)
    a, b, c, *angles = LATTICES[int(CRYSTAL_LATTICE_SYSTEM[number])]
    lattice = (3.0 * a, 3.0 * b, 3.0 * c, *angles)
    numbers = {"F": 9, "Fe": 26, "Sr": 38}
    known = place(number, sites.counts, lattice, placements=1, seed=0, sites=sites)[0]
    assert known.found_space_group == number
    for turn in TURNS["monoclinic" if number < 16 else "other"]:
        for structure in (known.conventional, known.structure):  # the second in rhombohedral axes, for R groups
            basis = np.array(turn) @ structure.lattice.matrix
            other = Structure(Lattice(basis), structure.species, structure.cart_coords, coords_are_cartesian=True)
            other.translate_sites(range(len(other)), [0.125, 0.375, 0.25])  # another origin
            if structure is known.conventional:
                cell = conventional_cell(other)
                assert cell.space_group == number
                found = Assignment(number, tuple((numbers[symbol], letter) for symbol, letter, _ in cell.wyckoff))
                assert found in images(sites)
                assert sum(m for _, _, m in cell.wyckoff) == sum(sites.multiplicities)
            # raises unless every atom lies on the position that is named for it
            found = prototype_of("x", other.lattice.matrix, other.atomic_numbers, other.frac_coords)
            assert found.assignment in images(sites)
