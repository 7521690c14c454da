"""CIF text to pymatgen structures, each compared with what its file declares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.cif.blocks import Block, parse
from crystalgfn.crystallography.cif.declared import check
from crystalgfn.crystallography.cif.group import Group, Operations, read_group
from crystalgfn.crystallography.cif.orbits import expand
from crystalgfn.crystallography.cif.sites import AtomSite, has_sites, read_sites
from crystalgfn.crystallography.distances import check_distances
from crystalgfn.crystallography.symmetry.search import find_group
from crystalgfn.errors import DataError
from crystalgfn.files.reading import read_bytes

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC_A = 0.05
"""Tolerance (A) within which a crystal has the space group that its file names beside other operations."""

_LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
_ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")


@dataclass(frozen=True)
class CifCrystal:
    """A data block with atoms, read or not.

    Attributes:
        name: name of the block.
        text: the block alone, a CIF of one crystal.
        structure: the crystal, in the cell of the file, without oxidation states; None if it was refused.
        reason: why it was refused; empty if it was read.
    """

    name: str
    text: str
    structure: Structure | None
    reason: str = ""


def read_structure(text: str) -> Structure:
    """Return the one crystal of a CIF, in the cell of the file, its elements without oxidation states.

    Raises:
        DataError: no CIF, no crystal or several, a disordered crystal, atoms on top of each other, or a crystal that
            is another than what the file declares.
    """
    blocks = _crystals(text)
    if len(blocks) > 1:
        names = ", ".join(block.name for block in blocks[:5])
        raise DataError(f"{len(blocks)} data blocks with a crystal ({names}), allowed: 1")
    return _structure(blocks[0])


def read_structures(text: str) -> list[CifCrystal]:
    """Return every crystal of a CIF; one that is refused has the reason in place of its structure.

    Raises:
        DataError: the text is no CIF, or has no crystal.
    """
    crystals = []
    for block in _crystals(text):
        try:
            crystals.append(CifCrystal(block.name, block.text, _structure(block)))
        except DataError as error:
            crystals.append(CifCrystal(block.name, block.text, None, str(error)))
    return crystals


def read_text(path: Path) -> str:
    """Return the text of a CIF file.

    Raises:
        DataError: the file cannot be read.
        TrustError: it lies outside of the folder that is read.
    """
    return read_bytes(path).decode("utf-8", errors="replace")


def _crystals(text: str) -> list[Block]:
    blocks = parse(text)
    crystals = [block for block in blocks if has_sites(block)]
    if not crystals:
        raise DataError(f"no crystal: none of the {len(blocks)} data blocks lists atom sites")
    return crystals


def _structure(block: Block) -> Structure:
    from pymatgen.core import Lattice, Structure

    lengths, angles = ([_positive(block, name) for name in names] for names in (_LENGTHS, _ANGLES))
    if max(angles) >= 180 or sum(angles) >= 360 or 2 * max(angles) >= sum(angles):
        raise DataError(f"angles {', '.join(f'{angle:g}' for angle in angles)} that enclose no cell")
    lattice = Lattice.from_parameters(*lengths, *angles)
    cell = np.asarray(lattice.matrix, dtype=float)
    sites, group = read_sites(block), read_group(block, cell)
    found: list[tuple[Operations, Structure]] = []
    reasons: dict[str, str] = {}
    for operations in group.candidates:
        try:
            numbers, positions = _atoms(block, sites, operations, cell)
            found.append((operations, Structure(lattice, numbers, positions)))
        except DataError as error:
            reasons.setdefault(str(error), operations.title)
    if not found:
        several = len(group.candidates) > 1
        raise DataError("; ".join(f"{reason} ({title})" if several else reason for reason, title in reasons.items()))
    if len(found) > 1:
        titles = " or ".join(operations.title for operations, _ in found)
        raise DataError(f"the space group may be {titles}, allowed: a list of operations, or the choice in the symbol")
    operations, structure = found[0]
    _check_group(group, operations, structure)
    return structure


def _atoms(
    block: Block, sites: list[AtomSite], operations: Operations, cell: NDArray[np.float64]
) -> tuple[list[int], NDArray[np.float64]]:
    numbers, positions, mass = expand(sites, operations, cell)
    check(block, numbers, volume=float(abs(np.linalg.det(cell))), mass=mass)
    check_distances(cell, positions, numbers)
    return numbers, positions


def _check_group(group: Group, operations: Operations, structure: Structure) -> None:
    """Raise a DataError if neither the listed operations nor the crystal have the space group that is declared."""
    if group.declared in (None, operations.number):
        return
    if find_group(structure, SYMPREC_A) != group.declared:
        raise DataError(
            f"space group: number {group.declared} declared, {operations.title} make number {operations.number}"
        )


def _positive(block: Block, name: str) -> float:
    value = block.number(name)
    if value is None:
        raise DataError(f"no {name}, allowed: three lengths and three angles of the cell")
    if not 0 < value < 1e4:
        raise DataError(f"{name}: found {value:g}, allowed: above 0")
    return value
