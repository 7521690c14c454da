"""Operations, positions and normalizers against moyopy, which has its own tables."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import moyopy
import numpy as np
import pymatgen.core
import pytest

from crystalgfn.crystallography.operations import affine_permutations, group_operations, letter_permutations, parse_xyz
from crystalgfn.crystallography.point_groups import point_group_named, site_point_group, site_symmetries
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY, CRYSTAL_LATTICE_SYSTEM
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError

STANDARD = moyopy.Setting.standard()


def generic_cell(number: int) -> np.ndarray:
    """Rows of a conventional cell with no more symmetry than the group's lattice system demands."""
    system = CRYSTAL_LATTICE_SYSTEM[number]
    if system == 1:
        return np.array([[9.1, 0, 0], [1.3, 10.7, 0], [2.1, 1.7, 12.3]])
    if system == 2:
        return np.array([[9.1, 0, 0], [0, 10.7, 0], [-2.3, 0, 12.3]])
    if system in (5, 6, 7):
        return np.array([[9.1, 0, 0], [-9.1 / 2, 9.1 * np.sqrt(3) / 2, 0], [0, 0, 12.3]])
    return np.diag({3: [9.1, 10.7, 12.3], 4: [9.1, 9.1, 12.3], 8: [9.1, 9.1, 9.1]}[int(system)])


def full_crystal(number: int) -> tuple[moyopy.Cell, list[str]]:
    """A crystal with the positions of a group occupied, each by an element of its own, and the letters in that order.

    The general position is occupied three times: a single orbit can have more symmetry than its group.
    """
    rng = np.random.default_rng(number)
    points, kinds = [], []
    positions = list(group_operations(number).positions.values())
    for kind, position in enumerate([*positions, positions[-1], positions[-1]], start=1):
        points.append(position.coordinates(rng.uniform(size=position.degrees_of_freedom)))
        kinds += [kind] * position.multiplicity
    letters = [position.letter for position in WYCKOFF[number]]
    letters += [letters[-1]] * 2
    return moyopy.Cell(generic_cell(number).tolist(), np.concatenate(points).tolist(), kinds), letters


def sequence(letters_of_atoms: list[str], kinds: list[int]) -> str:
    by_kind = dict(zip(kinds, letters_of_atoms, strict=True))
    return "".join(by_kind[kind] for kind in sorted(by_kind))


@pytest.mark.parametrize("number", range(1, 231))
def test_moyopy_finds_group_letters_site_symmetries_and_normalizer(number):
    cell, letters = full_crystal(number)
    dataset = moyopy.MoyoDataset(cell, symprec=1e-5, setting=STANDARD)
    assert dataset.number == number
    by_letter = dict(zip(letters, site_symmetries(number), strict=False))
    of_atoms = zip(cell.numbers, dataset.site_symmetry_symbols, strict=True)
    for letter, symbol in {(letters[kind - 1], symbol) for kind, symbol in of_atoms}:
        assert by_letter[letter] == site_point_group(number, letter) == point_group_named(symbol)
    ours = {"".join(images[letter] for letter in letters) for images in letter_permutations(number)}
    # moyopy is free to choose another origin or axes: one of those the normalizer has.
    assert sequence(dataset.wyckoffs, cell.numbers) in ours

    theirs = {
        sequence([site.letter for site in sites], dataset.std_cell.numbers)
        for _, sites in dataset.normalizer_wyckoff_positions().coset_representatives
    }
    assert theirs == ours


@pytest.mark.parametrize("number", range(1, 231))
def test_positions_have_their_multiplicity_and_moyopys_operations_keep_them(number):
    operations = moyopy.operations_from_number(number, setting=STANDARD)
    rng = np.random.default_rng(number)
    group = group_operations(number)
    assert len(group.centering) == CENTERING_MULTIPLICITY[number]
    assert len(group.rotations) * len(group.centering) == len(operations.rotations)
    for wyckoff in WYCKOFF[number]:
        position = group.position(wyckoff.letter)
        assert (position.multiplicity, position.degrees_of_freedom) == wyckoff[1:]
        points = position.coordinates(rng.uniform(size=position.degrees_of_freedom))
        distinct = np.unique(np.round(points % 1.0, 6) % 1.0, axis=0)
        assert len(distinct) == wyckoff.multiplicity
        primitive = points[: wyckoff.multiplicity // len(group.centering)]
        assert len(
            np.unique(np.round((primitive[:, None] + group.centering) % 1.0, 6).reshape(-1, 3) % 1.0, axis=0)
        ) == (wyckoff.multiplicity)
        images = np.array(operations.rotations) @ points[0] + np.array(operations.translations)
        offset = images[:, None] - points
        assert (np.abs(offset - np.rint(offset)).max(axis=-1).min(axis=-1) < 1e-9).all()


def test_known_normalizers():
    assert len(letter_permutations(1)) == 1
    (identity, swap) = letter_permutations(225)
    assert all(identity[letter] == letter for letter in identity)
    assert (swap["a"], swap["b"], swap["c"]) == ("b", "a", "c")
    (_, swap) = letter_permutations(221)
    assert (swap["a"], swap["b"], swap["c"], swap["d"]) == ("b", "a", "d", "c")


def test_permutations_form_a_group():
    for number in range(1, 231):
        permutations = letter_permutations(number)
        images = {tuple(p.values()) for p in permutations}
        assert len(images) == len(permutations)
        for first in permutations:
            for second in permutations:
                assert tuple(first[second[letter]] for letter in second) in images


METRIC_ALONE = {2, 3, 10, 11, 12, 14}
"""Groups whose affine normalizer shears axes; pymatgen's relabelings of these are those of the Euclidean one."""


@pytest.mark.parametrize("number", range(1, 231))
def test_affine_permutations_are_a_group_that_contains_the_euclidean_one_and_keeps_kinds(number):
    positions = WYCKOFF[number]
    place = {position.letter: i for i, position in enumerate(positions)}
    rows = np.array([[place[p[letter]] for letter in place] for p in affine_permutations(number)])
    assert rows[0].tolist() == list(range(len(place)))
    assert {tuple(p.values()) for p in letter_permutations(number)} <= {
        tuple(p.values()) for p in affine_permutations(number)
    }
    kinds = np.array([position[1:] for position in positions])
    assert (kinds[rows] == kinds).all()
    assert (np.sort(rows, axis=1) == np.arange(len(place))).all()
    # distinct permutations get distinct numbers, so a product is in the group if its number is
    weights = np.random.default_rng(0).integers(1 << 40, size=len(place))
    numbers = rows @ weights
    assert len(np.unique(numbers)) == len(rows)
    assert np.isin(rows[:, rows] @ weights, numbers).all()


def test_known_affine_normalizers():
    sizes = {number: len(affine_permutations(number)) for number in (1, 2, 10, 12, 16, 47, 62, 71, 123, 221, 225)}
    assert sizes == {1: 1, 2: 1344, 10: 48, 12: 8, 16: 48, 47: 48, 62: 2, 71: 24, 123: 4, 221: 2, 225: 2}


def test_affine_permutations_are_those_of_pymatgen_where_it_has_them():
    # the file itself: importing the package that reads it takes several seconds
    file = Path(pymatgen.core.__file__).parents[1] / "analysis/prototypes/wyckoff-position-relabelings.json.gz"
    relabelings = json.loads(gzip.decompress(file.read_bytes()))
    for number in range(1, 231):
        letters = letter_permutations(number)[0]
        theirs = {
            tuple(images.get(str(ord(letter)), letter) for letter in letters) for images in relabelings[str(number)]
        }
        expected = letter_permutations if number in METRIC_ALONE else affine_permutations
        assert theirs == {tuple(p.values()) for p in expected(number)}, number


def test_xyz_is_read():
    matrix, shift = parse_xyz("x-y,-2x+1/2,3/4")
    assert matrix.tolist() == [[1, -1, 0], [-2, 0, 0], [0, 0, 0]]
    assert shift.tolist() == [0, 0.5, 0.75]


def test_wrong_groups_and_letters_are_refused():
    with pytest.raises(DataError, match="space group is 231; allowed are 1 to 230"):
        group_operations(231)
    with pytest.raises(DataError, match="space group is 0"):
        letter_permutations(0)
    with pytest.raises(DataError, match="no Wyckoff position 'q'"):
        group_operations(2).position("q")
