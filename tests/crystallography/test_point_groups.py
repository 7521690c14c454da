"""Names of point groups, and site symmetries against pyxtal; all positions stand against moyopy in test_operations."""

import numpy as np
import pytest
from pyxtal.symmetry import Group

from crystalgfn.crystallography.operations import group_operations
from crystalgfn.crystallography.point_groups import (
    POINT_GROUPS,
    point_group_named,
    point_group_of,
    site_point_group,
    site_symmetries,
)
from crystalgfn.errors import DataError


def test_point_groups_of_space_groups():
    found = [point_group_of(group_operations(number).rotations) for number in range(1, 231)]
    assert set(found) == set(POINT_GROUPS)
    assert len(POINT_GROUPS) == 32
    assert {found[number - 1] for number in range(221, 231)} == {"m-3m"}
    assert [found[number - 1] for number in (1, 2, 3, 62, 148, 166, 187, 194, 198, 216)] == (
        ["1", "-1", "2", "mmm", "-3", "-3m", "-6m2", "6/mmm", "23", "-43m"]
    )


def test_the_order_of_a_group_is_that_of_its_symbols():
    """Multiplicity times the order of the site symmetry is the number of operations."""
    order = {point_group_of(group_operations(n).rotations): len(group_operations(n).rotations) for n in range(1, 231)}
    for number in (10, 123, 167, 192, 225, 230):
        group = group_operations(number)
        for symmetry, position in zip(site_symmetries(number), group.positions.values(), strict=True):
            assert order[symmetry] * position.multiplicity == len(group.rotations) * len(group.centering)


@pytest.mark.parametrize("number", [25, 47, 99, 119, 140, 160, 164, 187, 192, 216, 223, 229])
def test_pyxtal_has_the_same_site_symmetries(number):
    for position in Group(number).Wyckoff_positions:
        position.get_site_symmetry()
        assert site_point_group(number, position.letter) == point_group_named(position.site_symm)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *[
            (".3m", "3m"),
            ("2.mm", "mm2"),
            ("m.2m", "mm2"),
            ("4/mm.m", "4/mmm"),
            ("-4m.2", "-42m"),
            ("4/m m m", "4/mmm"),
        ],
        *[("31m", "3m"), ("-62m", "-6m2"), (" m3m", "m-3m"), ("..2", "2"), ("m-3.", "m-3")],
    ],
)
def test_orientation_does_not_matter(written, name):
    assert point_group_named(written) == name


@pytest.mark.parametrize("written", ["tetrahedral", "-43", "5", "", "Td"])
def test_unknown_symbols_are_refused_in_one_line(written):
    with pytest.raises(DataError, match="unknown, allowed: 1 -1 2 m 2/m") as error:
        point_group_named(written)
    assert "\n" not in str(error.value)


def test_the_nearest_symbol_is_named():
    with pytest.raises(DataError, match=r"nearest: '-43m'"):
        point_group_named("-43k")


def test_site_symmetries_of_some_structures():
    at = {
        number: dict(zip(group_operations(number).positions, site_symmetries(number), strict=True))
        for number in (227, 221)
    }
    assert [at[227][letter] for letter in "ade"] == ["-43m", "-3m", "3m"]  # spinel
    assert [at[221][letter] for letter in "abc"] == ["m-3m", "m-3m", "4/mmm"]  # perovskite
    assert np.prod([len(site_symmetries(n)) for n in (1, 47)]) == 27
