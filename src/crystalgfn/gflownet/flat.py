"""All weights of a module in one vector: norms, steps and averages take one operation, not one per tensor."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class FlatWeights:
    """The parameters of a module side by side in one vector, of which the parameters become views.

    Args:
        module: already on its final device; all parameters have one data type.

    Attributes:
        vector: ``(N,)`` parameter for an optimiser; a change of the vector changes the module.
    """

    def __init__(self, module: nn.Module) -> None:
        self._each = list(module.parameters())
        with torch.no_grad():
            self.vector = nn.Parameter(torch.cat([p.flatten() for p in self._each]))
            ends = torch.tensor([0, *(p.numel() for p in self._each)]).cumsum(0).tolist()
            for p, (start, end) in zip(self._each, pairwise(ends), strict=True):
                p.data = self.vector.detach()[start:end].view_as(p)
        self._gradient = torch.zeros_like(self.vector)

    def collect(self) -> Tensor:
        """Move the gradients of all parameters into the gradient ``(N,)`` of the vector; 0 where there is none."""
        torch.cat(
            [p.new_zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in self._each], out=self._gradient
        )
        for p in self._each:
            p.grad = None
        self.vector.grad = self._gradient
        return self._gradient

    def clip_gradient(self, limit: float | None) -> float:
        """Scale the collected gradient down to a norm of at most ``limit``, and return its norm before that."""
        gradient = self._gradient
        norm = float(gradient.norm())
        if limit is not None and norm > limit:
            gradient *= limit / norm
        return norm

    @torch.no_grad()
    def follow(self, newest: FlatWeights, decay: float, *, updates: int) -> None:
        """Move towards the newest weights, as their moving average; faster at first, to forget the initial weights.

        Args:
            newest: weights of a module with the same parameters.
            decay: of the average, 0..1.
            updates: number of updates of the newest weights so far.
        """
        self.vector.lerp_(newest.vector, 1 - min(decay, (1 + updates) / (10 + updates)))
