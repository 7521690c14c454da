"""Powder patterns against Bragg's law and the extinctions of rock salt."""

import math

import pytest
from pymatgen.core import Lattice, Structure

from candidate_setup import salt
from crystalgfn.report.page.patterns import LEAST, patterns

EDGE = 4.21


def test_reflections_of_rock_salt_follow_bragg():
    found = patterns({7: salt("Mg", "O", a=EDGE)}, [7])
    peaks = {indices: (angle, intensity) for angle, intensity, indices in found[7]}
    assert list(peaks) == ["(1 1 1)", "(2 0 0)", "(2 2 0)", "(3 1 1)", "(2 2 2)"]  # all odd or all even
    for indices, (angle, intensity) in peaks.items():
        order = math.hypot(*map(int, indices.strip("()").split()))
        assert angle == pytest.approx(2 * math.degrees(math.asin(1.54184 * order / (2 * EDGE))), abs=0.006)
        assert LEAST <= intensity <= 100
    assert peaks["(2 0 0)"][1] == 100


def test_hexagonal_indices_are_four_and_unknown_elements_are_left_out():
    zinc = Structure.from_spacegroup(194, Lattice.hexagonal(2.66, 4.95), ["Zn"], [[1 / 3, 2 / 3, 0.25]])
    found = patterns({0: zinc, 1: salt("Og", "O")}, [0, 1])
    assert list(found) == [0]
    assert found[0][0][2] == "(0 0 0 2)"
    assert max(found[0], key=lambda peak: peak[1])[2] == "(1 0 -1 1)"
