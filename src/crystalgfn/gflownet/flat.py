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
