"""Space-group tables (made from moyopy) against spglib, and against the counts of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import spglib

from crystalgfn.crystallography import space_groups as sg

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
NUMBERS = range(1, 231)

# International Tables A, table 3.2.1 (2016): the 32 crystal classes by kind.
LAUE = {"-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m"}
PROPER = {"1", "2", "222", "4", "422", "3", "32", "6", "622", "23", "432"}
POLAR = {"1", "2", "m", "mm2", "4", "4mm", "3", "3m", "6", "6mm"}


def point_symmetry_by_class(point_group: str) -> str:
    if point_group in LAUE:
        return "centrosymmetric"
    if point_group in PROPER & POLAR:
        return "enantiomorphic-polar"
    if point_group in PROPER:
        return "enantiomorphic"
    return "polar" if point_group in POLAR else "non-centrosymmetric"


@pytest.fixture(scope="module")
def standard_settings() -> dict[int, int]:
    """spglib's first Hall number of every group: unique axis b, hexagonal axes."""
    first: dict[int, int] = {}
    for hall in range(1, 531):
        first.setdefault(spglib.get_spacegroup_type(hall).number, hall)
    return first


def test_tables_are_indexed_by_number_and_cannot_be_written():
    for table in (sg.CRYSTAL_LATTICE_SYSTEM, sg.POINT_SYMMETRY, sg.CENTERING_MULTIPLICITY):
        assert table.shape == (231,)
        assert table.dtype == np.int64
        assert table[0] == 0
        with pytest.raises(ValueError, match="read-only"):
            table[1] = 5
    assert len(sg.CRYSTAL_SYSTEM) == len(sg.HM_SYMBOL) == 231


def test_point_symmetry_counts_of_the_paper():
    counts = dict(zip(sg.POINT_SYMMETRIES, np.bincount(sg.POINT_SYMMETRY)[1:].tolist(), strict=True))
    assert counts == {
        "centrosymmetric": 92,
        "enantiomorphic": 45,
        "polar": 48,
        "enantiomorphic-polar": 20,
        "non-centrosymmetric": 25,
    }


def test_crystal_lattice_systems_are_the_ranges_of_the_international_tables():
    seven = {146, 148, 155, 160, 161, 166, 167}
    ranges = {
        "triclinic": range(1, 3),
        "monoclinic": range(3, 16),
        "orthorhombic": range(16, 75),
        "tetragonal": range(75, 143),
        "trigonal-rhombohedral": seven,
        "trigonal-hexagonal": set(range(143, 168)) - seven,
        "hexagonal": range(168, 195),
        "cubic": range(195, 231),
    }
    assert tuple(ranges) == sg.CRYSTAL_LATTICE_SYSTEMS
    for index, numbers in enumerate(ranges.values(), start=1):
        assert {n for n in NUMBERS if sg.CRYSTAL_LATTICE_SYSTEM[n] == index} == set(numbers)
    assert set(sg.RHOMBOHEDRAL) == seven


def test_crystal_system_is_the_crystal_lattice_system_without_the_split_of_trigonal():
    for number in NUMBERS:
        system = sg.CRYSTAL_LATTICE_SYSTEMS[sg.CRYSTAL_LATTICE_SYSTEM[number] - 1]
        assert sg.CRYSTAL_SYSTEM[number] == system.split("-")[0]


def test_symbols_and_point_symmetries_agree_with_spglib(standard_settings):
    for number in NUMBERS:
        group = spglib.get_spacegroup_type(standard_settings[number])
        assert sg.HM_SYMBOL[number] == group.international_short.replace(" ", "")
        expected = point_symmetry_by_class(group.pointgroup_international)
        assert sg.POINT_SYMMETRIES[sg.POINT_SYMMETRY[number] - 1] == expected, number


def test_centering_agrees_with_the_translations_of_spglib(standard_settings):
    for number in NUMBERS:
        rotations = spglib.get_symmetry_from_database(standard_settings[number])["rotations"]
        pure_translations = (rotations == np.eye(3, dtype=int)).all(axis=(1, 2)).sum()
        assert sg.CENTERING_MULTIPLICITY[number] == pure_translations, number
