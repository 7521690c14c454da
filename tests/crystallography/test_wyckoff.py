"""Wyckoff table against moyopy's symmetry operations; compatibility against pyxtal and against brute force."""

from __future__ import annotations

import itertools
import random

import moyopy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyxtal.symmetry import Group

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF, WyckoffPosition, is_compatible
from crystalgfn.errors import DataError


def orbit_and_freedom(number: int, point: np.ndarray) -> tuple[int, int]:
    """Points of the orbit in the cell, and dimension of the set left alone by the site symmetry, from operations."""
    operations = moyopy.operations_from_number(number)
    rotations, translations = np.array(operations.rotations), np.array(operations.translations)
    images = (rotations @ point + translations) % 1.0
    difference = images[:, None] - images[None]
    difference -= np.round(difference)
    same = np.abs(difference).max(axis=-1) < 1e-6
    orbit = len(np.unique(same.argmax(axis=1)))
    shift = rotations @ point + translations - point
    stabilizer = rotations[np.abs(shift - np.round(shift)).max(axis=1) < 1e-6]
    return orbit, int(np.linalg.matrix_rank(stabilizer.mean(axis=0), tol=1e-6))


def test_there_are_1731_wyckoff_positions():
    # International Tables A: 1731 Wyckoff positions over the 230 types of space group.
    assert len(WYCKOFF) == 231
    assert WYCKOFF[0] == ()
    assert sum(map(len, WYCKOFF)) == 1731


def test_known_positions():
    assert WYCKOFF[1] == (WyckoffPosition("a", 1, 3),)
    assert WYCKOFF[225][0] == WyckoffPosition("a", 4, 0)
    assert WYCKOFF[225][-1] == WyckoffPosition("l", 192, 3)
    assert [p.multiplicity for p in WYCKOFF[166]] == [3, 3, 6, 9, 9, 18, 18, 18, 36]
    assert WYCKOFF[47][-1].letter == "A"


def test_the_centering_divides_every_multiplicity_and_the_last_position_is_general():
    for number in range(1, 231):
        general = WYCKOFF[number][-1]
        assert general.degrees_of_freedom == 3
        assert general.multiplicity == len(moyopy.operations_from_number(number).rotations)
        assert all(p.multiplicity % CENTERING_MULTIPLICITY[number] == 0 for p in WYCKOFF[number])


@pytest.mark.parametrize("number", range(1, 231))
def test_multiplicity_and_freedom_follow_from_moyopys_operations(number):
    point = np.array([0.1234, 0.2871, 0.4413])
    representatives = {wp.letter: wp.ops[0].operate(point) for wp in Group(number).Wyckoff_positions}
    assert [p.letter for p in WYCKOFF[number]] == list(reversed(representatives))
    for position in WYCKOFF[number]:
        orbit, freedom = orbit_and_freedom(number, representatives[position.letter])
        assert (orbit, freedom) == (position.multiplicity, position.degrees_of_freedom), position


def test_agrees_with_pyxtal_on_random_counts():
    rng = random.Random(0)
    verdicts = {True: 0, False: 0}
    for _ in range(800):
        number = rng.randint(1, 230)
        step = rng.choice([1, int(CENTERING_MULTIPLICITY[number]), min(p.multiplicity for p in WYCKOFF[number])])
        counts = [step * rng.randint(1, max(1, 24 // step)) for _ in range(rng.randint(1, 3))]
        group = Group(number)
        expected = group.check_compatible(counts)[0]
        assert is_compatible(number, counts) == expected, (number, counts)
        verdicts[expected] += 1
    assert min(verdicts.values()) > 150


def brute_force(number: int, counts: list[int]) -> bool:
    """Place orbit after orbit for each element in turn, with the set of used fixed positions carried along."""

    def place(remaining: tuple[int, ...], used: frozenset[str]) -> bool:
        if not any(remaining):
            return True
        index = next(i for i, n in enumerate(remaining) if n)
        for position in WYCKOFF[number]:
            if position.multiplicity > remaining[index] or position.letter in used:
                continue
            rest = list(remaining)
            rest[index] -= position.multiplicity
            fixed = {position.letter} if position.degrees_of_freedom == 0 else set()
            if place(tuple(rest), used | fixed):
                return True
        return False

    return place(tuple(counts), frozenset())


@settings(max_examples=150, deadline=None)
@given(number=st.sampled_from([2, 10, 14, 47, 62, 123, 139, 166, 194, 216, 221, 225]), data=st.data())
def test_agrees_with_brute_force_on_the_positions(number, data):
    step = min(p.multiplicity for p in WYCKOFF[number])
    counts = data.draw(st.lists(st.integers(0, 4).map(lambda n: n * step), min_size=1, max_size=3))
    assert is_compatible(number, counts) == brute_force(number, counts)


def test_a_fixed_position_serves_one_element_only():
    # Fm-3m: 4a and 4b are fixed, 8c is fixed, 24d fixed: rock salt fits, three elements of 4 do not.
    assert is_compatible(225, [4, 4])
    assert not is_compatible(225, [4, 4, 4])
    assert is_compatible(225, [4, 4, 8])
    assert not is_compatible(225, [2])


def test_order_and_zeros_do_not_matter():
    for counts in itertools.permutations([4, 0, 8, 4]):
        assert is_compatible(225, counts)
    assert is_compatible(225, [])
    assert is_compatible(225, iter([4, 4]))


@pytest.mark.parametrize("number", [0, 231, -1])
def test_unknown_space_group_is_an_error(number):
    with pytest.raises(DataError, match="allowed are 1 to 230"):
        is_compatible(number, [1])


def test_negative_count_is_an_error():
    with pytest.raises(DataError, match="-2"):
        is_compatible(1, [1, -2])
