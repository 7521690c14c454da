"""Numbers that are no energies in eV/atom: other units and kinds, marks of missing values; real ones pass."""

import numpy as np
import pytest

from crystalgfn.crystals.energies import Energy
from crystalgfn.errors import DataError
from crystalgfn.stability.plausibility import Rows, check_energies, far_below

# rock salts and Li2O, with formation energies near those of the Materials Project
ROWS = Rows(
    "t.csv",
    (3, 8, 9, 11, 12, 17),
    np.array([[0, 0, 0, 4, 0, 4], [0, 4, 0, 0, 4, 0], [4, 0, 4, 0, 0, 0], [8, 4, 0, 0, 0, 0]], dtype=float),
)
TRUE = np.array([-2.10, -3.03, -3.18, -2.07])
ATOMS = np.array([2, 2, 2, 3])
"""Atoms of a formula unit."""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (TRUE * [8, 8, 8, 12], r"row 1, .*found -16.8, .*\(eV per cell\?\)"),
        (TRUE * ATOMS, r"row 1, .*far below -2.1\d \(eV per formula unit\?\)|row 2, .*\(eV per formula unit\?\)"),
        (TRUE * 96.485, r"row 1, .*\(kJ/mol of atoms\?\)"),
        (TRUE * 96.485 * ATOMS, r"row 1, .*\(kJ/mol of formula units\?\)"),
        (TRUE * 23.0605, r"row 1, .*\(kcal/mol\?\)"),
        (TRUE * 1000, r"row 1, .*\(meV/atom\?\)"),
        (TRUE / 27.2114, r"row 1, .*Hartree or Rydberg"),
        (TRUE / 13.6057, r"row 1, .*Hartree or Rydberg"),
        (TRUE - np.array([1.57, 3.2, 2.6, 2.7]), r"row \d, "),  # total energies by PBE
        (np.array([-2.1, -999, -3.18, -2.07]), "row 2, .*found -999.0, .*empty where the value is missing"),
        (np.array([-2.1, -3.03, 99, -2.07]), "row 3, .*found 99.0, .*empty where the value is missing"),
        (np.array([-2.1, -3.03, 1e30, -2.07]), "row 3, .*where the value is missing"),
        (np.array([-2.1, -3.03, -np.inf, -2.07]), "row 3, .*found -inf"),
        (np.zeros(4), "row 1, .*found 0.0, .*0 stands in 4 rows"),
        (np.array([-1.0, -3.03, -1.0, -1.0]), "row 1, .*found -1.0, .*-1 stands in 3 rows"),
    ],
)
def test_other_units_and_marks_are_refused_with_their_row(values, message):
    with pytest.raises(DataError, match=message):
        check_energies(ROWS, "formation_energy_per_atom", values)


@pytest.mark.parametrize(
    "values", [TRUE, TRUE + 0.4, [-2.1, np.nan, np.nan, -1.9], np.full(4, np.nan), [2.0, 3.0, -3.1, 0.5]]
)
def test_real_energies_pass(values):
    check_energies(ROWS, "formation_energy_per_atom", np.array(values))


def test_elements_lie_at_zero_or_above():
    rows = Rows("t.csv", (11, 17), np.array([[1, 0], [0, 2]], dtype=float), numbers=[4, 7])
    check_energies(rows, "e", np.array([0.0, -0.05]))
    with pytest.raises(DataError, match=r"row 8, column 'e': found -1.84, .*total energy"):
        check_energies(rows, "e", np.array([0.0, -1.84]))


def test_energies_above_hull_have_a_range_of_their_own():
    check_energies(ROWS, "e_above_hull", np.array([0.0, -0.1, 0.3, 5.0]), Energy.ABOVE_HULL)
    check_energies(ROWS, "e_above_hull", np.zeros(4), Energy.ABOVE_HULL)
    for value in (-1.0, -30.0, 25.0, 999.0, np.inf):
        with pytest.raises(DataError, match=r"row 2, column 'e_above_hull': found"):
            check_energies(ROWS, "e_above_hull", np.array([0.0, value, 0.3, 5.0]), Energy.ABOVE_HULL)


def test_a_strongly_bound_compound_alone_tells_hartree_in_a_hull():
    one = Rows("t.csv", (11, 17), np.array([[1.0, 1.0]]))
    check_energies(one, "e", np.array([-0.077]))
    with pytest.raises(DataError, match="Hartree"):
        check_energies(one, "e", np.array([-0.077]), fewest=1)


def test_no_rows_are_far_below():
    index, mean, below = far_below(Rows("t", (11,), np.zeros((0, 1))), np.zeros(0))
    assert len(index) == len(mean) == len(below) == 0
