"""Structures for the viewer of the page: atoms in one conventional cell, with atoms on its faces repeated."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from crystalgfn.crystallography.elements import COVALENT_RADIUS, SYMBOLS
from crystalgfn.evaluation.inputs import Data

if TYPE_CHECKING:
    from pymatgen.core import Structure

MOST = 200
"""Most structures in the viewer, the best ones."""

MOST_ATOMS = 400
"""Most atoms of a structure in the viewer."""

_EDGE = 1e-3
"""Fractional distance from a face at which an atom is shown on the opposite face too."""

COLOURS = {
    "H": "#f0ece4", "Li": "#86d87a", "B": "#2fa15a", "C": "#5d5d5d", "N": "#5f7de3", "O": "#e0382d", "F": "#b4c3ee",
    "Na": "#e6cf3c", "Mg": "#f39a3d", "Al": "#81b2d6", "Si": "#3566b8", "P": "#b78ac4", "S": "#f2dc2a", "Cl": "#36c24a",
    "K": "#9a4fd0", "Ca": "#5a96bd", "Ti": "#78caff", "Mn": "#a7089d", "Fe": "#b5592a", "Co": "#1f3fa8",
    "Ni": "#b7bbbd", "Cu": "#2247dc", "Zn": "#8f8f81", "Br": "#7e3102", "I": "#94008f",
}  # fmt: skip
"""Colours of frequent elements, near those of other viewers; other elements take theirs from the colour circle."""


def viewable(data: Data, order: list[int]) -> tuple[dict[int, Any], dict[str, Any]]:
    """Return the structures that the viewer draws.

    Args:
        data: data with structures.
        order: numbers of rows, best first.

    Returns:
        by row, ``cell`` (3, 3) in A and ``atoms``, lists of [symbol, x, y, z] in A from the middle of the cell; and,
        by symbol, colour and radius (A).
    """
    if data.candidates is None:
        return {}, {}
    scenes = {}
    for row in order[:MOST]:
        structure = data.candidates.structures.get(row)
        if structure is not None and len(structure) <= MOST_ATOMS:
            scenes[row] = scene(structure)
    symbols = sorted({atom[0] for one in scenes.values() for atom in one["atoms"]})
    return scenes, {symbol: [_colour(symbol), _radius(symbol)] for symbol in symbols}


def scene(structure: Structure) -> dict[str, Any]:
    """Return cell (A) and atoms (A, from the middle of the cell) of a structure."""
    matrix = np.asarray(structure.lattice.matrix, dtype=float)
    middle = matrix.sum(0) / 2
    atoms = []
    for site in structure:
        position = np.asarray(site.frac_coords) % 1.0
        position = np.where(position > 1 - _EDGE, 0.0, position)
        shifts = [(0, 1) if x < _EDGE else (0,) for x in position]
        for shift in product(*shifts):
            point = (position + np.array(shift)) @ matrix - middle
            atoms.append([str(site.specie.symbol), *(round(float(x), 3) for x in point)])
    return {"cell": np.round(matrix, 4).tolist(), "atoms": atoms}


def _colour(symbol: str) -> str:
    z = SYMBOLS.index(symbol)
    return COLOURS.get(symbol, f"hsl({round(z * 137.508) % 360} 45% 58%)")


def _radius(symbol: str) -> float:
    return round(float(COVALENT_RADIUS[SYMBOLS.index(symbol)]), 2)
