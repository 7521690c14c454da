"""The error of a hull from leaving out what it holds, on hulls of two lines."""

import numpy as np
import pytest

from crystalgfn.evaluation import hull_error
from crystalgfn.evaluation.hull_error import HullError
from crystalgfn.stability.hull import Hull

PHASES = [({"Li": 1, "O": 1}, -1.0), ({"Li": 2, "O": 1}, -0.9), ({"Mg": 1, "O": 1}, -3.0)]


def test_a_composition_of_the_hull_is_known():
    assert HullError(Hull(PHASES)).drops({"Li": 4, "O": 2}).tolist() == [0]


def test_phases_of_the_system_stay_where_the_hull_has_some():
    found = HullError(Hull(PHASES)).drops({"Li": 1, "O": 3})
    # without LiO: Li2O and O, -0.9 * 3/4; without Li2O: LiO and Li, -1 * 2/3; MgO is alone in its system
    assert sorted(found) == pytest.approx(sorted([1.0 - 0.9 * 0.75, 0.9 - 1.0 * 2 / 3]))


def test_the_whole_system_goes_where_it_has_none():
    error = HullError(Hull(PHASES))
    assert sorted(error.drops({"Li": 1, "Mg": 1})) == pytest.approx([0.9, 1.0, 3.0])
    assert sorted(error.measured) == pytest.approx([0.9, 1.0, 3.0])


def test_compositions_of_as_many_elements_where_there_are_enough(monkeypatch):
    monkeypatch.setattr(hull_error, "FEWEST", 1)
    hull = Hull([*PHASES, ({"Li": 1, "Mg": 1, "O": 2}, -2.5)])
    assert HullError(hull).drops({"Na": 1, "K": 1, "O": 2}) == pytest.approx([0.5])  # MgO + LiO: -2
    assert sorted(HullError(hull).drops({"Li": 1, "Mg": 1})) == pytest.approx([0.9, 1.0, 3.0])


def test_a_part_is_drawn_by_the_seed(monkeypatch):
    monkeypatch.setattr(hull_error, "SAMPLE", 2)
    first, again, other = (HullError(Hull(PHASES), seed=seed).drops({"Li": 1, "Mg": 1}) for seed in (0, 0, 3))
    assert len(first) == 2
    assert np.array_equal(first, again)
    assert sorted(first) != sorted(other)


def test_nothing_to_leave_out():
    assert len(HullError(Hull([({"Li": 1}, 0.0), ({"O": 1}, 0.0)])).drops({"Li": 1, "O": 1})) == 0
