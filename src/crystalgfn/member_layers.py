"""Layers of an ensemble in one module: each weight has a leading dimension of M members."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MemberLinear(nn.Module):
    """M linear maps side by side: (M, N, in) -> (M, N, out); weight (M, in, out), bias (M, 1, out)."""

    def __init__(self, members: int, n_in: int, n_out: int, *, scale: float = 1.0) -> None:
        super().__init__()
        bound = scale * (3.0 / n_in) ** 0.5
        self.weight = nn.Parameter(torch.empty(members, n_in, n_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map (M, N, in), or (1, N, in) for all members, to (M, N, out)."""
        if x.shape[0] != self.weight.shape[0]:
            x = x.expand(self.weight.shape[0], -1, -1)
        return torch.baddbmm(self.bias, x, self.weight)


class MemberEmbedding(nn.Module):
    """M look-up tables side by side: indices (M or 1, ...) -> (M, ..., size); weight (M, rows, size)."""

    def __init__(self, members: int, rows: int, size: int, *, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(members, rows, size) * std)


def look_up(table: Tensor, index: Tensor) -> Tensor:
    """Return the rows ``index`` (M or 1, ...) of each member's table (M, R, S): (M, ..., S)."""
    members, rows, size = table.shape
    if index.shape[0] == 1:  # one batch for all members: the same rows of each table
        return table.index_select(1, index.flatten()).view(members, *index.shape[1:], size)
    offset = torch.arange(members, device=index.device).mul(rows).reshape(-1, *[1] * (index.dim() - 1))
    return F.embedding(index + offset, table.flatten(0, 1))
