"""Hull energies of batches of compositions, fast enough for a reward.

The lower convex hull of a chemical system is the largest of the affine functions of its facets, so once the facets of a
system are known (Qhull, some ms), a hull energy is a product and a maximum. The linear program of
:class:`~crystalgfn.stability.hull.Hull` gives the same values, one composition at a time, and answers for the systems
whose facets Qhull cannot find (energies so far apart that the hull is flat to its precision).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.stability.hull import Hull

_FLAT = 1e-9
"""Facets whose normal has a smaller share along the energy are the sides of the hull, not its bottom."""


class Facets:
    """Facets of a hull, computed for a chemical system when it is first asked for.

    Args:
        hull: the hull, with its phases.
    """

    def __init__(self, hull: Hull) -> None:
        self.hull = hull
        self._slots: dict[tuple[int, ...], int] = {}
        self._planes = torch.zeros(0, 1, 1, dtype=torch.float64)  # (S, F, K): energy of each element on each facet
        self._elements = torch.zeros(0, 1, dtype=torch.int64)  # (S, K): atomic numbers, 0 for none

    def energies(self, elements: Sequence[int], counts: Tensor) -> Tensor:
        """Return the hull energy (B,), eV/atom, float64, of compositions on the device of ``counts``.

        Args:
            elements: D atomic numbers.
            counts: (B, D) atoms of each element.

        Raises:
            DataError: the hull has no phase with an element that a composition holds.
        """
        atoms = counts.cpu()
        systems, inverse = np.unique((atoms > 0).numpy(), axis=0, return_inverse=True)
        numbers = np.asarray(elements)
        slots = torch.tensor([self._slot(tuple(numbers[system].tolist())) for system in systems], dtype=torch.int64)
        slot = slots[torch.as_tensor(inverse.reshape(-1))]
        place = torch.zeros(len(SYMBOLS), dtype=torch.int64)
        place[torch.as_tensor(numbers)] = torch.arange(len(numbers))
        fractions = atoms.double() / atoms.sum(1, keepdim=True)
        members = self._elements[slot]  # (B, K)
        shares = fractions.gather(1, place[members]) * (members > 0)
        planes, on_facets = self._planes[slot], torch.zeros(len(slot), self._planes.shape[1], dtype=torch.float64)
        # one element after the other: a product of matrices would round by the number of elements of other systems
        for column in range(shares.shape[1]):
            on_facets += planes[..., column] * shares[:, None, column]
        energies = on_facets.amax(1)
        rows = torch.isnan(energies).nonzero().squeeze(1)
        if len(rows):
            energies[rows] = torch.as_tensor(self.hull.energies(elements, atoms[rows].numpy()))
        return self.hull.completed(elements, atoms, energies).to(counts.device)

    def _slot(self, system: tuple[int, ...]) -> int:
        if system not in self._slots:
            planes = _planes(*self.hull.phases_of(system))
            new = torch.as_tensor(planes)[None]
            facets, width = max(new.shape[1], self._planes.shape[1]), max(new.shape[2], self._planes.shape[2])
            self._planes = torch.cat([_padded(self._planes, facets, width), _padded(new, facets, width)])
            members = torch.zeros(1, width, dtype=torch.int64)
            members[0, : len(system)] = torch.tensor(sorted(system))
            missing = width - self._elements.shape[1]
            self._elements = torch.cat([torch.nn.functional.pad(self._elements, (0, missing)), members])
            self._slots[system] = len(self._slots)
        return self._slots[system]


def _padded(planes: Tensor, facets: int, width: int) -> Tensor:
    """Repeat the first facet and add elements at 0, up to (S, facets, width)."""
    planes = torch.nn.functional.pad(planes, (0, width - planes.shape[2]))
    if not len(planes):
        return planes.new_zeros(0, facets, width)
    return torch.cat([planes, planes[:, :1].expand(-1, facets - planes.shape[1], -1)], 1)


def _planes(fractions: NDArray[np.float64], energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the bottom of the hull as (F, E): the energy per atom of each element on each facet, eV.

    Args:
        fractions: (P, E) fractions of the elements in each phase, pure phases of all elements included.
        energies: (P,) energies of the phases, eV/atom.

    Returns:
        one row of NaN where Qhull finds no facet.
    """
    from scipy.spatial import ConvexHull, QhullError

    size = fractions.shape[1]
    ground = np.array([energies[fractions[:, i] > 1 - 1e-9].min() for i in range(size)])
    if size == 1:
        return ground[None]
    # relative to the elements, so that phases that do not bind are not on the hull; one point above closes the body
    relative = energies - fractions @ ground
    low = relative < -1e-12
    points = np.concatenate([fractions[low], np.eye(size), np.full((1, size), 1 / size)])
    heights = np.concatenate([relative[low], np.zeros(size), [1.0]])
    try:
        equations = ConvexHull(np.column_stack([points[:, :-1], heights])).equations
    except QhullError:
        equations = np.zeros((0, size + 1))
    normals = equations[equations[:, -2] < -_FLAT]
    if not len(normals):
        return np.full((1, size), np.nan)
    slopes = -normals / normals[:, [-2]]  # height = slopes of the first E - 1 fractions, and the constant
    constant = slopes[:, [-1]]
    return np.asarray(np.concatenate([slopes[:, :-2] + constant, constant], axis=1) + ground)
