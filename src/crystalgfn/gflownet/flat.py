"""All weights of a module in one vector: norms, steps and averages are one operation instead of one a tensor."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class FlatWeights:
    """Lays the parameters of a module side by side in one vector, of which they become views.

    Args:
        module: on the device it stays on; its parameters have one type.

    Attributes:
        vector: ``(N,)`` parameter to give to an optimiser; changing it changes the module.
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
        """Move the gradients of the parameters, 0 for those without one, into that of the vector ``(N,)``."""
        torch.cat(
            [p.new_zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in self._each], out=self._gradient
        )
        for p in self._each:
            p.grad = None
        self.vector.grad = self._gradient
        return self._gradient
