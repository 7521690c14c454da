"""Layers of an ensemble in one module, each weight with a leading dimension of M members, and what it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        """Map (M, N, in), or (1, N, in) for all members alike, to (M, N, out)."""
        if x.shape[0] != self.weight.shape[0]:
            x = x.expand(self.weight.shape[0], -1, -1)
        return torch.baddbmm(self.bias, x, self.weight)


class MemberEmbedding(nn.Module):
    """M look-up tables side by side: indices (M or 1, ...) -> (M, ..., size); weight (M, rows, size)."""

    def __init__(self, members: int, rows: int, size: int, *, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(members, rows, size) * std)


def look_up(table: Tensor, index: Tensor) -> Tensor:
    """Rows ``index`` (M or 1, ...) of the tables (M, R, S) of each member: (M, ..., S)."""
    members, rows, size = table.shape
    if index.shape[0] == 1:  # one batch for all: the same rows of each table
        return table.index_select(1, index.flatten()).view(members, *index.shape[1:], size)
    offset = torch.arange(members, device=index.device).mul(rows).reshape(-1, *[1] * (index.dim() - 1))
    return F.embedding(index + offset, table.flatten(0, 1))


@dataclass(frozen=True)
class Terms:
    """A prediction of M members for B crystals.

    Attributes:
        energy: (M, B) eV/atom.
        equilibrium: (M, B, 7) or None: expected values of the columns ``EQUILIBRIUM`` of the descriptors.
        logit, gap: (M, B) of a network of the band gap, else None: of being no metal, and eV if it is none.
        doubt: (B,) or None: standard deviation, eV/atom, that the members do not show because they share what it is of.
    """

    energy: Tensor
    equilibrium: Tensor | None = None
    logit: Tensor | None = None
    gap: Tensor | None = None
    doubt: Tensor | None = None

    @classmethod
    def join(cls, parts: Sequence[Terms]) -> Terms:
        """Join predictions for parts of a batch along B; the expected cells are left out."""

        def joined(name: str) -> Tensor | None:
            tensors = [found for part in parts if (found := getattr(part, name)) is not None]
            return torch.cat(tensors, -1) if tensors else None

        return cls(
            torch.cat([part.energy for part in parts], -1), None, joined("logit"), joined("gap"), joined("doubt")
        )
