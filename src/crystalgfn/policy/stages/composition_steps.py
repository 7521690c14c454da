"""What the composition stage records: the elements that were added, and the results of look-ahead for every choice."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from crystalgfn.policy.trajectories import Steps


@dataclass(frozen=True)
class CompositionSteps(Steps):
    """Compositions in the order in which they grew, with the results of look-ahead for every choice.

    Attributes:
        elements: ``(B, m)`` int64, 1 + column of each element; 0 where a composition has fewer than m.
        counts: ``(B, m)`` int64, atoms per primitive cell.
        features: ``(B, m, F)`` bool, features that the network is given before each choice: charges, counts that fit,
            and in the last D + 1 columns the allowed elements and stop.
        completions: ``(B, m, D, K)`` float32, number of completions after each possible addition, 0 where it is not
            allowed; or ``(B, m, D, 1)``, the completions after all counts together.
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
        """Trajectory and number of elements of the states in which a choice was made, ``(I,)`` each.

        A composition of m elements can only stop, so no choice is made there.
        """
        places = torch.arange(self.elements.shape[1], device=self.elements.device)
        owner, place = (places <= self.length.unsqueeze(1)).nonzero(as_tuple=True)
        return owner, place
