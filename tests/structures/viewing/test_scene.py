"""What is drawn: bonds and polyhedra of structure types whose coordination is in every textbook."""

import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.structures.viewing.scene import appearance, scene


def crystal(group, lattice, symbols, positions):
    return Structure.from_spacegroup(group, lattice, symbols, positions)


ROCK_SALT = crystal(225, Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
PEROVSKITE = crystal(221, Lattice.cubic(3.9), ["Sr", "Ti", "O"], [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0]])
RUTILE = crystal(136, Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])
BLENDE = crystal(216, Lattice.cubic(5.41), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]])
CAESIUM_CHLORIDE = crystal(221, Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
GOLD_COPPER = crystal(221, Lattice.cubic(3.75), ["Au", "Cu"], [[0, 0, 0], [0.5, 0.5, 0]])
OLIVINE = crystal(
    62,
    Lattice.orthorhombic(10.33, 6.01, 4.69),
    ["Li", "Fe", "P", "O", "O", "O"],
    [
        [0, 0, 0],
        [0.282, 0.25, 0.975],
        [0.095, 0.25, 0.418],
        [0.097, 0.25, 0.743],
        [0.457, 0.25, 0.206],
        [0.166, 0.047, 0.285],
    ],
)


def coordination(structure):
    """Number of different corners of the polyhedra, by the symbol in their middle."""
    drawn = scene(structure)
    found = {}
    for middle, faces in drawn["polyhedra"]:
        found.setdefault(drawn["atoms"][middle][0], set()).add(len({corner for face in faces for corner in face}))
    return found


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        (ROCK_SALT, {"Mg": {6}}),
        (PEROVSKITE, {"Ti": {6}}),  # strontium has twelve neighbours, too many to be drawn
        (RUTILE, {"Ti": {6}}),
        (BLENDE, {"Zn": {4}}),
        (CAESIUM_CHLORIDE, {"Cs": {8}}),
        (OLIVINE, {"Li": {6}, "Fe": {6}, "P": {4}}),
        (GOLD_COPPER, {}),
    ],
    ids=lambda value: value.formula if isinstance(value, Structure) else "",
)
def test_polyhedra_have_the_corners_of_the_textbook(structure, expected):
    assert coordination(structure) == expected


@pytest.mark.parametrize("structure", [ROCK_SALT, PEROVSKITE, OLIVINE, GOLD_COPPER], ids=lambda s: s.formula)
def test_bonds_join_what_is_near(structure):
    drawn = scene(structure)
    points = np.array([atom[1:] for atom in drawn["atoms"]])
    lengths = [float(np.linalg.norm(points[i] - points[j])) for i, j in drawn["bonds"]]
    assert min(lengths) > 1.4
    assert max(lengths) < 3.4
    kinds = {frozenset((drawn["atoms"][i][0], drawn["atoms"][j][0])) for i, j in drawn["bonds"]}
    if structure is not GOLD_COPPER:
        assert all("O" in kind for kind in kinds)  # no bond between cations
    else:
        assert frozenset(("Au", "Cu")) in kinds


def test_an_anion_of_two_atoms_is_bonded():
    ethane_like = Structure(
        Lattice.cubic(12),
        ["P", "P"] + ["S"] * 2,
        [[0.4, 0.5, 0.5], [0.585, 0.5, 0.5], [0.33, 0.64, 0.5], [0.655, 0.36, 0.5]],
    )
    drawn = scene(ethane_like)
    kinds = {frozenset((drawn["atoms"][i][0], drawn["atoms"][j][0])) for i, j in drawn["bonds"]}
    assert kinds == {frozenset("P"), frozenset(("P", "S"))}


def test_atoms_on_faces_are_repeated_and_the_cell_is_in_the_middle():
    drawn = scene(ROCK_SALT)
    assert drawn["inside"] == 27
    assert len(drawn["atoms"]) > 27
    inside = np.array([atom[1:] for atom in drawn["atoms"][:27]])
    assert np.allclose(inside.mean(0), 0, atol=1e-3)
    assert np.abs(inside).max() == pytest.approx(4.21 / 2, abs=1e-3)
    json.dumps(drawn, allow_nan=False)


def test_planes_have_no_polyhedron():
    flat = Structure(
        Lattice.orthorhombic(12, 12, 12),
        ["Pt"] + ["Cl"] * 4,
        np.array([[6, 6, 6], [8.3, 6, 6], [3.7, 6, 6], [6, 8.3, 6], [6, 3.7, 6]]),
        coords_are_cartesian=True,
    )
    drawn = scene(flat)
    assert drawn["polyhedra"] == []
    assert len(drawn["bonds"]) == 4


def test_every_element_has_a_colour_and_a_radius():
    found = appearance([scene(PEROVSKITE), scene(GOLD_COPPER)])
    assert set(found) == {"Sr", "Ti", "O", "Au", "Cu"}
    assert all(colour.startswith("#") and len(colour) == 7 and 0.3 < radius < 3 for colour, radius in found.values())
