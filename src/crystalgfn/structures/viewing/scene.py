"""What is drawn of a structure: one conventional cell with atoms on its faces repeated, bonds and polyhedra."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from crystalgfn.crystallography.elements import COVALENT_RADIUS, FORMULA_ORDER, SYMBOLS

if TYPE_CHECKING:
    from pymatgen.core import Structure

MOST_ATOMS = 400
"""Most atoms of a structure that is drawn."""

REACH = 1.2
"""Length up to which a contact is drawn as a bond, in units of the sum of the covalent radii."""

TOUCH = 1.05
"""The same for two cations with anions around both."""

CORNERS = (4, 8)
"""Least and most neighbours of a cation that are drawn as a polyhedron."""

_EDGE = 1e-3
"""Fractional distance from a face at which an atom is shown on the opposite face too."""

COLOURS = {
    "H": "#f0ece4", "Li": "#86d87a", "B": "#2fa15a", "C": "#5d5d5d", "N": "#5f7de3", "O": "#e0382d", "F": "#b4c3ee",
    "Na": "#e6cf3c", "Mg": "#f39a3d", "Al": "#81b2d6", "Si": "#3566b8", "P": "#b78ac4", "S": "#f2dc2a", "Cl": "#36c24a",
    "K": "#9a4fd0", "Ca": "#5a96bd", "Ti": "#78caff", "Mn": "#a7089d", "Fe": "#b5592a", "Co": "#1f3fa8",
    "Ni": "#b7bbbd", "Cu": "#2247dc", "Zn": "#8f8f81", "Br": "#7e3102", "I": "#94008f",
}  # fmt: skip
"""Colours of frequent elements, near those of other viewers; other elements take theirs from the colour circle."""

_RANK = {SYMBOLS[z]: position for position, z in enumerate(FORMULA_ORDER)}
"""Elements by rising electronegativity."""

Atom = tuple[int, tuple[int, int, int]]
"""A site of the structure, and the cell in which it stands."""


def scene(structure: Structure) -> dict[str, Any]:
    """Return what is drawn of a structure, as JSON values; the middle of the cell is the origin.

    Bonds join atoms up to :data:`REACH` times the sum of their covalent radii; two metals only in a structure without
    other elements, and two cations that share anions only where they touch (P-P, but not Li-P). Polyhedra surround
    cations, whose neighbours are all non-metals of higher electronegativity.

    Args:
        structure: an ordered structure, best in its conventional cell.

    Returns:
        ``cell`` (3, 3) in A; ``atoms``, lists of [symbol, x, y, z] in A; ``inside``, how many of these belong to the
        cell, the others being corners of polyhedra; ``bonds``, pairs of atoms; and ``polyhedra``: for each the atom
        in its middle, and its faces, three atoms each.
    """
    matrix = np.asarray(structure.lattice.matrix, dtype=float)
    positions = np.asarray(structure.frac_coords, dtype=float) % 1.0
    positions = np.where(positions > 1 - _EDGE, 0.0, positions)
    symbols = [str(site.specie.symbol) for site in structure]
    inside = [(i, shift) for i, position in enumerate(positions) for shift in _images(position)]
    neighbours = _neighbours(structure, positions, symbols)
    number: dict[Atom, int] = {atom: n for n, atom in enumerate(inside)}
    bonds: set[tuple[int, int]] = set()
    corners: dict[Atom, list[int]] = {}
    for site, shift in inside:
        around = [(j, _sum(shift, image)) for j, image in neighbours[site]]
        if _is_centre(symbols[site], [symbols[j] for j, _ in neighbours[site]]):
            corners[site, shift] = [number.setdefault(atom, len(number)) for atom in around]
        own = number[site, shift]
        bonds |= {(min(own, number[atom]), max(own, number[atom])) for atom in around if atom in number}
    points = np.array([(positions[i] + shift - 0.5) @ matrix for i, shift in number]).round(3)
    polyhedra = [
        [number[atom], [[around[k] for k in face] for face in faces]]
        for atom, around in corners.items()
        if (faces := _faces(points[around]))
    ]
    return {
        "cell": matrix.round(4).tolist(),
        "atoms": [[symbols[i], *map(float, point)] for (i, _), point in zip(number, points, strict=True)],
        "inside": len(inside),
        "bonds": sorted(map(list, bonds)),
        "polyhedra": polyhedra,
    }


def appearance(scenes: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, float]]:
    """Return colour and covalent radius (A) of the elements in scenes, by symbol."""
    symbols = sorted({atom[0] for one in scenes for atom in one["atoms"]})
    return {symbol: (_colour(symbol), round(float(COVALENT_RADIUS[SYMBOLS.index(symbol)]), 2)) for symbol in symbols}


def _images(position: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield the cells in which an atom is shown: its own, and those beyond the faces on which it lies."""
    for a, b, c in product(*((0, 1) if x < _EDGE else (0,) for x in position)):  # noqa: UP028 (three, for the types)
        yield a, b, c


def _neighbours(structure: Structure, positions: np.ndarray, symbols: list[str]) -> list[list[Atom]]:
    """Return the bonded neighbours of each site, with the cells in which they stand."""
    from pymatgen.core import Structure

    radii = np.array([COVALENT_RADIUS[SYMBOLS.index(symbol)] for symbol in symbols], dtype=float)
    metal = np.array([_is_metal(symbol) for symbol in symbols])
    wrapped = Structure(structure.lattice, symbols, positions)
    first, second, images, lengths = wrapped.get_neighbor_list(2 * REACH * float(radii.max()))
    bonded = (lengths > _EDGE) & (lengths <= REACH * (radii[first] + radii[second]))
    if not metal.all():
        bonded &= ~(metal[first] & metal[second])
    rank = np.array([_RANK[symbol] for symbol in symbols])
    highest = np.zeros(len(symbols), dtype=int)  # of the electronegativities around each site
    np.maximum.at(highest, first[bonded], rank[second[bonded]])
    cations = (highest[first] > np.maximum(rank[first], rank[second])) & (
        highest[second] > np.maximum(rank[first], rank[second])
    )
    bonded &= ~cations | (lengths <= TOUCH * (radii[first] + radii[second]))
    found: list[list[Atom]] = [[] for _ in symbols]
    for i, j, (a, b, c) in zip(first[bonded], second[bonded], images[bonded].astype(int).tolist(), strict=True):
        found[int(i)].append((int(j), (a, b, c)))
    return found


def _is_centre(symbol: str, around: list[str]) -> bool:
    """Whether an atom is a cation whose neighbours make a polyhedron."""
    least, most = CORNERS
    return least <= len(around) <= most and all(
        _RANK[other] > _RANK[symbol] and not _is_metal(other) for other in around
    )


def _faces(points: np.ndarray) -> list[list[int]]:
    """Return the triangles of the convex hull of points (K, 3); none where they lie in a plane."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        faces: list[list[int]] = ConvexHull(points).simplices.tolist()
    except QhullError:
        return []
    return faces


def _sum(left: tuple[int, int, int], right: tuple[int, int, int]) -> tuple[int, int, int]:
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


@cache
def _is_metal(symbol: str) -> bool:
    from pymatgen.core import Element

    return bool(Element(symbol).is_metal)


def _colour(symbol: str) -> str:
    hue = SYMBOLS.index(symbol) * 137.508 % 360
    red, green, blue = colorsys.hls_to_rgb(hue / 360, 0.58, 0.45)
    return COLOURS.get(symbol, f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}")
