"""Operations, Wyckoff positions, their site symmetries, and normalizers of all space groups, for ``build_tables.py``.

Coordinates are counted in 24ths of a cell edge: every translation of a space group, every fixed coordinate of a Wyckoff
position and every discrete translation of a normalizer is a multiple of 1/24, so all tests here are exact in integers.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import moyopy
import numpy as np
from numpy.typing import NDArray
from pyxtal.symmetry import Group

from crystalgfn.crystallography.point_groups import point_group_of

UNITS = 24
HOLOHEDRY = {"triclinic": 2, "monoclinic": 10, "orthorhombic": 47, "tetragonal": 123, "hexagonal": 191, "cubic": 221}
RHOMBOHEDRAL_HOLOHEDRY = 166
"""Groups whose rotations are all symmetries of a lattice that is no more symmetric than its system."""

Matrix = NDArray[np.int64]

Images = tuple[int, ...]
"""A permutation of the letters of a group: the place of the image of each."""


def as_xyz(matrix: Matrix, shift: Matrix) -> str:
    """Write a map in the notation of ITA: ``"x,-y+1/2,x-y"``; the shift, in 24ths, is taken modulo the lattice."""
    rows = []
    for row, part in zip(matrix, shift % UNITS, strict=True):
        text = ""
        for factor, name in zip(row, "xyz", strict=True):
            if factor:
                text += ("-" if factor < 0 else "+" if text else "") + (str(abs(factor)) if abs(factor) > 1 else "")
                text += name
        if part or not text:
            divisor = int(np.gcd(part, UNITS)) if part else UNITS
            fraction = f"{part // divisor}/{UNITS // divisor}" if part else "0"
            text += ("+" if text else "") + fraction
        rows.append(text)
    return ",".join(rows)


def in_units(values: Any) -> Matrix:
    """Return values as whole numbers of 24ths; raise ValueError for a value that is no multiple of 1/24."""
    scaled = np.asarray(values, float) * UNITS
    whole = np.rint(scaled).astype(np.int64)
    if np.abs(scaled - whole).max(initial=0) > 1e-4:
        raise ValueError(f"{values} is no multiple of 1/{UNITS}")
    return whole


def split(operations: Any) -> tuple[Matrix, Matrix]:
    """Rotations (N, 3, 3) and translations (N, 3), in 24ths, of pyxtal's operations."""
    affine = np.array([operation.affine_matrix for operation in operations])
    return np.rint(affine[:, :3, :3]).astype(np.int64), in_units(affine[:, :3, 3])


@cache
def lattice_symmetries(number: int) -> Matrix:
    """Rotations (N, 3, 3) of the lattice of a group, if its metric is no more special than the group demands."""
    kind = moyopy.SpaceGroupType(number)
    if kind.lattice_system.lower() == "rhombohedral":
        holohedry = RHOMBOHEDRAL_HOLOHEDRY
    else:
        holohedry = HOLOHEDRY[kind.lattice_system.lower()]
    rotations, _ = split(Group(holohedry).Wyckoff_positions[0].ops)
    return np.unique(rotations, axis=0)


def normalizer(rotations: Matrix, translations: Matrix, candidates: Matrix) -> list[tuple[Matrix, Matrix]]:
    """Affine maps that conjugate a group into itself: pairs of a rotation and its translations (K, 3) in 24ths.

    (R, t)(W, w)(R, t)^-1 = (W', R w + (1 - W') t) with W' = R W R^-1 has to be in the group, for each operation.
    Where translations along a direction are free, only translations on the grid are found; a continuous family acts
    alike on all Wyckoff positions, and has a member on the grid.
    """
    grid = np.array(list(itertools.product(range(UNITS), repeat=3)))
    of_rotation: dict[bytes, list[Matrix]] = {}
    for rotation, translation in zip(rotations, translations, strict=True):
        of_rotation.setdefault(rotation.tobytes(), []).append(translation % UNITS)
    maps = []
    for candidate in candidates:
        inverse = np.rint(np.linalg.inv(candidate)).astype(np.int64)
        shifts = grid
        for rotation, translation in zip(rotations, translations, strict=True):
            conjugate = candidate @ rotation @ inverse
            images = of_rotation.get(conjugate.tobytes())
            if images is None:
                shifts = shifts[:0]
                break
            if np.array_equal(rotation, np.eye(3)) and not translation.any():
                continue
            result = (candidate @ translation + shifts @ (np.eye(3, dtype=np.int64) - conjugate).T) % UNITS
            shifts = shifts[np.logical_or.reduce([(result == w).all(axis=1) for w in images])]
        if len(shifts):
            maps.append((candidate, shifts))
    return maps


@cache
def permutations(number: int) -> list[str]:
    """Return how the Euclidean normalizer (of the least special metric) permutes the Wyckoff letters, identity first.

    Each permutation is the string of the images of the letters in order.
    """
    positions = list(reversed(Group(number).Wyckoff_positions))
    rotations, translations = split(positions[-1].ops)
    if not sharing(number):
        return ["".join(position.letter for position in positions)]
    return as_letters(number, images(number, normalizer(rotations, translations, lattice_symmetries(number))))


def affine_permutations(number: int) -> list[str]:
    """Return how the affine normalizer permutes the Wyckoff letters, as :func:`permutations` does.

    Candidates are the integer matrices with entries -1, 0, 1 and determinant 1 or -1 that conjugate the point group
    into itself: lattices of any metric that the group allows, so that axes of different lengths are exchanged. The
    group of permutations is the closure of generators: those of the translations, and one map of each matrix that is
    not a product of matrices before it.
    """
    if not sharing(number):
        return permutations(number)
    rotations, translations = split(Group(number).Wyckoff_positions[0].ops)
    generators = images(number, normalizer(rotations, translations, np.eye(3, dtype=np.int64)[None]))
    remaining = {matrix.tobytes(): matrix for matrix in point_group_normalizer(np.unique(rotations, axis=0))}
    chosen: list[Matrix] = []
    while remaining:
        candidate = next(iter(remaining.values()))
        maps = normalizer(rotations, translations, candidate[None])
        if not maps:  # such as a matrix that breaks the centering
            del remaining[candidate.tobytes()]
            continue
        generators |= images(number, [(candidate, maps[0][1][:1])])
        chosen.append(candidate)
        reached = [candidate]
        while reached:
            reached = [matrix for matrix in reached if remaining.pop(matrix.tobytes(), None) is not None]
            reached = [matrix @ generator for matrix in reached for generator in chosen]
    return as_letters(number, closure(generators))


@cache
def unimodular() -> Matrix:
    """All integer matrices (K, 3, 3) with entries -1, 0, 1 and determinant 1 or -1, the sparsest first."""
    matrices = np.array(list(itertools.product((0, 1, -1), repeat=9))).reshape(-1, 3, 3)
    matrices = matrices[np.abs(np.rint(np.linalg.det(matrices))) == 1]
    return matrices[np.argsort(np.abs(matrices).sum(axis=(1, 2)), kind="stable")]


def point_group_normalizer(rotations: Matrix) -> Matrix:
    """The matrices of :func:`unimodular` that conjugate a point group (N, 3, 3) into itself."""
    candidates = unimodular()
    inverses = np.rint(np.linalg.inv(candidates)).astype(np.int64)
    group = rotations.reshape(len(rotations), 9)
    keeps = np.ones(len(candidates), bool)
    for rotation in rotations:
        conjugates = (candidates @ rotation @ inverses).reshape(-1, 1, 9)
        keeps &= (conjugates == group).all(axis=2).any(axis=1)
    return candidates[keeps]


def closure(generators: set[Images]) -> set[Images]:
    """The group of permutations that generators make."""
    found = set(generators)
    reached = set(generators)
    while reached:
        reached = {tuple(first[i] for i in second) for first in generators for second in reached} - found
        found |= reached
    return found


def sharing(number: int) -> list[int]:
    """Places of the letters that some other letter equals in multiplicity and degrees of freedom."""
    positions = reversed(Group(number).Wyckoff_positions)
    kinds = [(position.multiplicity, position.get_dof()) for position in positions]
    return [i for i, kind in enumerate(kinds) if kinds.count(kind) > 1]


def images(number: int, maps: list[tuple[Matrix, Matrix]]) -> set[Images]:
    """Return how maps of the normalizer, as :func:`normalizer` gives them, permute the places of the letters."""
    positions = list(reversed(Group(number).Wyckoff_positions))
    kinds = [(position.multiplicity, position.get_dof()) for position in positions]
    points = [split(position.ops) for position in positions]
    generic = np.array([7_919, 31_337, 64_283])  # no small integer relation, far from the 24ths
    scale = 100_003 * UNITS
    results = set()
    for rotation, shifts in maps:
        moved_to = np.tile(np.arange(len(positions)), (len(shifts), 1))
        for i in sharing(number):
            linear, shift = points[i][0][0], points[i][1][0]
            start = linear @ (generic * UNITS) + shift * 100_003
            moved = (rotation @ start + shifts * 100_003) % scale
            unknown = np.ones(len(shifts), bool)
            for j in sharing(number):
                if kinds[j] == kinds[i]:
                    on = unknown & on_position(moved, *points[j], scale)
                    moved_to[on, i] = j
                    unknown &= ~on
            if unknown.any():
                raise ValueError(f"group {number}: a normalizer moves position {positions[i].letter} off all positions")
        results |= {tuple(int(j) for j in row) for row in np.unique(moved_to, axis=0)}
    return results


def as_letters(number: int, permutations: set[Images]) -> list[str]:
    """Write permutations of places as strings of the images of the letters, sorted, identity first."""
    letters = [position.letter for position in reversed(Group(number).Wyckoff_positions)]
    return ["".join(letters[j] for j in row) for row in sorted(permutations)]


def on_position(points: Matrix, linear: Matrix, shifts: Matrix, scale: int) -> NDArray[np.bool_]:
    """Return which points (K, 3), in units of 1/scale, lie on a position: on one of the sets {L u + s} modulo 1.

    The normals of a set are the integer vectors n with n L = 0; a point p is on it, modulo the lattice, if n (p - s) is
    in n Z^3 for a basis of primitive normals. All normals of Wyckoff sets have small entries.
    """
    on = np.zeros(len(points), bool)
    for matrix, shift in zip(linear, shifts, strict=True):
        normals = integer_normals(matrix.tobytes())
        distance = (points - shift * (scale // UNITS)) @ normals.T
        on |= (distance % scale == 0).all(axis=1)
    return on


@cache
def integer_normals(matrix: bytes) -> Matrix:
    """All integer vectors (K, 3) with entries from -2 to 2 normal to the columns of a matrix, given as its bytes."""
    linear = np.frombuffer(matrix, dtype=np.int64).reshape(3, 3)
    vectors = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    return vectors[(vectors @ linear == 0).all(axis=1)]


def operations() -> dict[str, Any]:
    """By space group: centering translations, operations modulo centering, position representatives, normalizer."""
    table = {}
    for number in range(1, 231):
        positions = list(reversed(Group(number).Wyckoff_positions))
        rotations, translations = split(positions[-1].ops)
        identity = (rotations == np.eye(3)).all(axis=(1, 2))
        _, first = np.unique(rotations, axis=0, return_index=True)
        representatives = [split(position.ops[:1]) for position in positions]
        table[str(number)] = {
            "centering": [as_xyz(np.zeros((3, 3), np.int64), t) for t in translations[identity]],
            "operations": [as_xyz(rotations[i], translations[i]) for i in sorted(first)],
            "positions": [as_xyz(linear[0], shift[0]) for linear, shift in representatives],
            "normalizer": permutations(number),
        }
    return table


def site_symmetries() -> dict[str, list[str]]:
    """By space group: the point group of the rotations that leave a generic point of each position where it is."""
    generic = np.array([7_919, 31_337, 64_283]) * UNITS  # as for images of positions
    scale = 100_003 * UNITS
    table = {}
    for number in range(1, 231):
        positions = list(reversed(Group(number).Wyckoff_positions))
        rotations, translations = split(positions[-1].ops)
        table[str(number)] = []
        for position in positions:
            linear, shift = split(position.ops[:1])
            point = linear[0] @ generic + shift[0] * 100_003
            stays = ((rotations @ point + translations * 100_003 - point) % scale == 0).all(axis=1)
            table[str(number)].append(point_group_of(rotations[stays]))
    return table


def affine_normalizers() -> dict[str, list[str]]:
    """By space group: permutations of the affine normalizer, where they are more than those of the Euclidean one."""
    table = {str(number): affine_permutations(number) for number in range(1, 231)}
    return {number: rows for number, rows in table.items() if len(rows) > len(permutations(int(number)))}
