"""The directions in which atoms and cell of a crystal may move: all of them, or those that keep its symmetry.

A move is a vector of 3 N + 9 numbers: N displacements (A) and a symmetric strain (3, 3). Under an operation of the
space group an atom's displacement turns and goes to the atom's image, and the strain turns; the moves that stay as they
are under every operation keep the symmetry. They are a linear space, which moves within it never leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.symmetry.search import find_symmetry
from crystalgfn.errors import DataError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Freedom:
    """A crystal and the directions in which it may move.

    Attributes:
        cell: (3, 3) lattice vectors, A, one in each row.
        positions: (N, 3) Cartesian coordinates, A.
        directions: (D, 3 N + 9) orthonormal moves; translations of the whole crystal and rotations are not among them.
    """

    cell: Array
    positions: Array
    directions: Array

    @property
    def strains(self) -> Array:
        """(D,) share of strain in each direction: 0 where only atoms move, 1 where only the cell does."""
        return (self.directions[:, -9:] ** 2).sum(axis=1)


def without_symmetry(cell: Array, positions: Array) -> Freedom:
    """Return a crystal whose atoms (N, 3) and cell (3, 3), A, may move in all directions."""
    identity = np.eye(3)[None]
    return Freedom(cell, positions, _directions(identity, np.arange(len(positions))[None]))


def within_symmetry(cell: Array, positions: Array, numbers: NDArray[np.int64], *, symprec: float) -> Freedom:
    """Return a crystal that moves within the symmetry that it has within ``symprec``, and now has exactly.

    Args:
        cell: (3, 3) lattice vectors, A.
        positions: (N, 3) Cartesian coordinates, A.
        numbers: (N,) atomic numbers.
        symprec: tolerance of the search, A.

    Raises:
        DataError: no symmetry is found.
    """
    fractional = positions @ np.linalg.inv(cell)
    operations = find_symmetry(cell, fractional, numbers, symprec=symprec).operations
    turns = np.array(operations.rotations, dtype=float)  # (G, 3, 3), of fractional coordinates
    images = fractional @ turns.transpose(0, 2, 1) + np.array(operations.translations)[:, None]  # (G, N, 3)
    offsets = images[:, :, None] - fractional
    offsets -= np.rint(offsets)
    distances = ((offsets @ cell) ** 2).sum(axis=-1)
    distances[:, numbers[:, None] != numbers] = np.inf
    targets = distances.argmin(axis=2)  # (G, N), the atom that each atom goes to
    if (np.sort(targets, axis=1) != np.arange(len(numbers))).any():
        raise DataError(f"operations that do not map the atoms onto each other within {symprec} A")
    # averages over the operations are exactly symmetric
    metric = np.einsum("gia,ij,gjb->ab", turns, cell @ cell.T, turns) / len(turns)
    inverse = np.linalg.inv(cell)
    values, vectors = np.linalg.eigh(inverse @ metric @ inverse.T)
    cell = cell @ (vectors * np.sqrt(values)) @ vectors.T
    moved = np.zeros_like(fractional)
    to_target = np.take_along_axis(offsets, targets[..., None, None], axis=2)[:, :, 0]
    np.add.at(moved, targets, to_target)
    fractional = fractional + moved / len(turns)
    rotations = np.linalg.inv(cell) @ turns.transpose(0, 2, 1) @ cell  # (G, 3, 3): x -> x @ rotation
    return Freedom(cell, fractional @ cell, _directions(rotations, targets))


def _directions(rotations: Array, targets: NDArray[np.int64]) -> Array:
    """Moves that stay as they are under operations: rotations (G, 3, 3) of rows, and images (G, N) of the atoms."""
    operations, atoms = targets.shape
    projector = np.zeros((3 * atoms + 9, 3 * atoms + 9))
    blocks = projector[:-9, :-9].reshape(atoms, 3, atoms, 3)
    for rotation, target in zip(rotations, targets, strict=True):
        blocks[target, :, np.arange(atoms)] += rotation.T / operations
        strain = np.kron(rotation, rotation).T
        projector[-9:, -9:] += (strain + strain.reshape(3, 3, 9).transpose(1, 0, 2).reshape(9, 9)) / (2 * operations)
    blocks -= blocks.mean(axis=0)  # no translation
    values, vectors = np.linalg.eigh((projector + projector.T) / 2)
    return vectors[:, values > 0.5].T.copy()
