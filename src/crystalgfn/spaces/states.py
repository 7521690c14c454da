"""Finished samples in the coordinates of the space."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from crystalgfn.spaces.batch import TensorBatch


@dataclass(frozen=True)
class CrystalStates(TensorBatch):
    """Finished samples. A stack with a further subspace has a subclass with the fields that this subspace decides.

    Attributes:
        space_group: ``(B,)`` int64, 1..230.
        elements: ``(B, m)`` int64, 1 + column of each element in the order added; 0 where there are fewer.
        counts: ``(B, m)`` int64, atoms per primitive cell; 0 where there are fewer.
        u: ``(B, 6)`` float64, point of the unit cube; 0 in slots that are not free.
    """

    space_group: Tensor
    elements: Tensor
    counts: Tensor
    u: Tensor
