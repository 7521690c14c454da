"""Atoms on top of each other are found in any cell, also across its faces and in skewed ones."""

import numpy as np
import pytest

from crystalgfn.crystallography.distances import check_distances
from crystalgfn.errors import DataError

CUBE = 4.0 * np.eye(3)


@pytest.mark.parametrize(
    ("second", "near"),
    [((0.5, 0.5, 0.5), False), ((0.13, 0, 0), False), ((0.12, 0, 0), True), ((0.99, 0, 3.0), True), ((0, 0, 0), True)],
)
def test_two_atoms(second, near):
    if not near:
        check_distances(CUBE, [(0, 0, 0), second], [29, 79])
        return
    with pytest.raises(DataError, match=r"atoms on top of each other: (Cu and Au|Au and Cu) are .* A apart"):
        check_distances(CUBE, [(0, 0, 0), second], [29, 79])


def test_a_skewed_cell():
    skewed = np.array([[4.0, 0, 0], [39.6, 4.0, 0], [0, 0, 4.0]])  # b - 10 a is 4 A long
    check_distances(skewed, [(0, 0, 0)], [29])
    with pytest.raises(DataError, match=r"0\.400 A apart"):
        check_distances(skewed, [(0, 0, 0), (0.9 + 0.1, 0.0, 0.1)], [29, 79])


def test_an_atom_and_its_own_image():
    with pytest.raises(DataError, match=r"0\.300 A apart"):
        check_distances(np.diag([0.3, 4, 4]), [(0, 0, 0)], [29])


@pytest.mark.parametrize("cell", [np.zeros((3, 3)), np.full((3, 3), np.nan), np.diag([4, 4, 0.0])])
def test_cells_without_volume(cell):
    with pytest.raises(DataError, match="without volume"):
        check_distances(cell, [(0, 0, 0)], [29])
