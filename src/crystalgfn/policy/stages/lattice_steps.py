"""What the lattice stage records: the points of the unit cube on the way to the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn

from crystalgfn.policy.trajectories import Steps


@dataclass(frozen=True)
class LatticeSteps(Steps):
    """Points that trajectories visit.

    Attributes:
        u: ``(B, T, 6)`` float64, the points after the source in order; 0 in slots that are not free.
        length: ``(B,)`` int64, number of points, 1..T.
        free: ``(B, 6)`` bool, free slots.
    """

    u: Tensor
    length: Tensor
    free: Tensor

    @property
    def last(self) -> Tensor:
        """``(B, 6)`` the point where the stage ends."""
        return self.u[torch.arange(len(self.u), device=self.u.device), self.length - 1]

    def outcome(self) -> dict[str, Tensor]:
        """See :meth:`Steps.outcome`."""
        return {"u": self.last}

    def trimmed(self) -> LatticeSteps:
        """The steps without trailing places that no trajectory fills."""
        return LatticeSteps(self.u[:, : int(self.length.max())], self.length, self.free)

    def __getitem__(self, rows: Tensor | slice) -> LatticeSteps:
        return super().__getitem__(rows).trimmed()

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join batches of the same space, padded to the longest."""
        longest = max(part.u.shape[1] for part in parts)
        padded = [replace(p, u=nn.functional.pad(p.u, (0, 0, 0, longest - p.u.shape[1]))) for p in parts]
        return super().concatenate(padded)

    def inner(self) -> tuple[Tensor, Tensor]:
        """Trajectory and place of all points before the last, ``(I,)`` each."""
        places = torch.arange(self.u.shape[1], device=self.u.device)
        owner, place = (places < (self.length - 1).unsqueeze(1)).nonzero(as_tuple=True)
        return owner, place
