"""The network of the learned hull energy: a set of elements with their fractions in, one energy per atom out.

Each element is a token made of what is learned and what is known of it, and of its amount. Tokens exchange two gated
messages, weighted by fractions, and are pooled; a residual network reads the pooled tokens beside statistics of the
elements' properties. The output is multiplied by 1 - sum of squared fractions, so that it falls to 0 at the pure
elements as fast as mixing begins.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crystalgfn.crystallography.elements import GROUP, PERIOD, PROPERTIES
from crystalgfn.member_layers import MemberLinear

N_AMOUNTS = 4
"""Numbers that describe the amount of an element: fraction, its root, its share of the largest, of the rarest."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network.

    Attributes:
        members: networks side by side, whose mean is the prediction.
        element, token, hidden, blocks: widths of the learned vector of an element, of tokens and of the residual
            network, and number of residual blocks.
        dropout: share of the hidden numbers that training hides.
    """

    members: int = 4
    element: int = 32
    token: int = 64
    hidden: int = 160
    blocks: int = 3
    dropout: float = 0.1


class HullNetwork(nn.Module):
    """Ensemble of networks; see the module's docstring.

    Args:
        sizes: sizes.
    """

    properties: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        known = np.concatenate([PROPERTIES, PERIOD[:, None], GROUP[:, None]], axis=1)
        known = (known - known[1:].mean(0)) / known[1:].std(0)
        self.register_buffer("properties", torch.as_tensor(known, dtype=torch.float32), persistent=False)
        m, t, h = sizes.members, sizes.token, sizes.hidden
        self.element = nn.Parameter(0.3 * torch.randn(m, len(known), sizes.element))
        self.element_in = MemberLinear(m, sizes.element + known.shape[1], t)
        self.amounts_in = MemberLinear(m, N_AMOUNTS, t)
        self.rounds = nn.ModuleList(MemberLinear(m, t, 4 * t) for _ in range(2))
        self.pooled_in = MemberLinear(m, 3 * t, h)
        self.statistics_in = MemberLinear(m, 4 * known.shape[1], h)
        self.wide = nn.ModuleList(MemberLinear(m, h, 2 * h) for _ in range(sizes.blocks))
        self.narrow = nn.ModuleList(MemberLinear(m, h, h, scale=0.3) for _ in range(sizes.blocks))
        self.out = MemberLinear(m, h, 1, scale=0.3)

    def forward(self, numbers: Tensor, fractions: Tensor) -> Tensor:
        """Return energies (M, B), eV/atom.

        Args:
            numbers: (B, K) atomic numbers, 0 where there is no element.
            fractions: (B, K) fractions of the atoms, 0 where there is no element.
        """
        (size, width), m, t = numbers.shape, self.sizes.members, self.sizes.token
        there = (numbers > 0).float()
        known = self.properties.expand(m, -1, -1)
        table = self.element_in(torch.cat([self.element, known], -1))
        amounts = self.amounts_in(_amounts(fractions, there).view(1, size * width, N_AMOUNTS))
        tokens = F.silu(table[:, numbers.flatten()] + amounts).view(m, size, width, t)
        for mix in self.rounds:
            own, query, key, value = mix(tokens.view(m, -1, t)).view(m, size, width, 4, t).unbind(3)
            message = (torch.sigmoid(key) * value * fractions[..., None]).sum(2, keepdim=True)
            tokens = tokens + F.silu(own + 2 * torch.sigmoid(query) * message)
        mean = (tokens * fractions[..., None]).sum(2)
        spread = ((tokens - mean[:, :, None]).square() * fractions[..., None]).sum(2).add(1e-6).sqrt()
        pooled = torch.cat([mean, spread, (tokens * there[..., None]).sum(2) * 0.3], -1)
        hidden = self.pooled_in(pooled) + self.statistics_in(self._statistics(numbers, fractions, there)[None])
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            step, gate = wide(F.silu(hidden)).chunk(2, -1)
            hidden = hidden + narrow(F.dropout(F.silu(step) * gate, self.sizes.dropout, self.training))
        mixing = 1 - fractions.square().sum(1)
        return self.out(F.silu(hidden))[..., 0] * mixing

    def _statistics(self, numbers: Tensor, fractions: Tensor, there: Tensor) -> Tensor:
        """Return mean, deviation, lowest and highest of the elements' properties (B, 4 F)."""
        values, weights, shown = self.properties[numbers], fractions[..., None], there[..., None] > 0
        mean = (values * weights).sum(1)
        deviation = ((values - mean[:, None]).square() * weights).sum(1).add(1e-6).sqrt()
        low, high = values.masked_fill(~shown, 9).amin(1), values.masked_fill(~shown, -9).amax(1)
        return torch.cat([mean, deviation, low, high], 1)

    def described(self) -> dict[str, Any]:
        """Return the sizes as plain values."""
        return asdict(self.sizes)


def _amounts(fractions: Tensor, there: Tensor) -> Tensor:
    rarest = fractions.masked_fill(there == 0, 2).amin(1, keepdim=True)
    largest = fractions.amax(1, keepdim=True)
    ratio = torch.log1p(fractions / rarest)
    return torch.stack([fractions, fractions.sqrt(), fractions / largest, ratio], -1)
