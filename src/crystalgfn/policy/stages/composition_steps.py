"""What the composition stage records: which elements were added, and what look-ahead said of every choice."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from crystalgfn.policy.trajectories import Steps


@dataclass(frozen=True)
class CompositionSteps(Steps):
    """Compositions in the order in which they grew, with what look-ahead said of each part.

    Attributes:
        elements: ``(B, m)`` int64, 1 + column; 0 where there are fewer.
        counts: ``(B, m)`` int64, atoms per primitive cell.
        features: ``(B, m, F)`` bool, what the network is told before each choice: charges, counts that fit, then as
            the last D + 1 the allowed elements and stop.
        completions: ``(B, m, D, K)`` float32, their number after each possible addition, 0 where it is not allowed; or
            ``(B, m, D, 1)``, of all counts together.
        of_chosen: ``(B, m, K)`` float32, completions after each count of the element that was added.
    """

    elements: Tensor
    counts: Tensor
    features: Tensor
    completions: Tensor
    of_chosen: Tensor

    @property
    def length(self) -> Tensor:
        """``(B,)`` number of elements."""
        return (self.elements > 0).sum(1)

    def outcome(self) -> dict[str, Tensor]:
        """See :meth:`Steps.outcome`."""
        return {"elements": self.elements, "counts": self.counts}

    def decisions(self) -> tuple[Tensor, Tensor]:
        """Owner and number of elements of the states in which something was chosen, ``(I,)`` each.

        A composition of m elements can only stop, and nothing is chosen there.
        """
        places = torch.arange(self.elements.shape[1], device=self.elements.device)
        owner, place = (places <= self.length.unsqueeze(1)).nonzero(as_tuple=True)
        return owner, place
