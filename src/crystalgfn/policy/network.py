"""The network of a policy: additive encoders of the subspaces into one hidden layer, then a shared trunk."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

SMALL = 2_000
"""Number of look-ups below which embeddings are gathered first and summed afterwards."""


class SetEncoder(nn.Module):
    """Sum of embeddings of a few discrete features: a one-hot linear layer without the zeros.

    Args:
        vocabulary: number of features; feature 0 is padding and contributes nothing.
        width: size of the hidden layer.
        expected: usual number of features of a state, which sets the initial scale.
    """

    def __init__(self, vocabulary: int, width: int, *, expected: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocabulary, width) * expected**-0.5)
        with torch.no_grad():
            self.weight[0] = 0.0

    def forward(self, features: Tensor) -> Tensor:
        """``(R, n)`` int64 features -> ``(R, width)``."""
        if features.numel() < SMALL:  # the fused sum has a start-up cost
            return torch.embedding(self.weight, features, padding_idx=0).sum(1)
        return nn.functional.embedding_bag(features, self.weight, mode="sum", padding_idx=0)


class PointEncoder(nn.Module):
    """Points of the unit cube through their first harmonics.

    Args:
        dimensions: slots of the cube.
        width: size of the hidden layer.
        harmonics: cosines per slot.
    """

    frequencies: Tensor

    def __init__(self, dimensions: int, width: int, *, harmonics: int = 4) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.pi * torch.arange(1, harmonics + 1), persistent=False)
        self.linear = nn.Linear(dimensions * harmonics, width)

    def forward(self, u: Tensor, free: Tensor) -> Tensor:
        """Points ``(R, n)`` and their free slots ``(R, n)``, of n dimensions -> ``(R, width)``."""
        waves = torch.cos(u.to(self.frequencies.dtype).unsqueeze(2) * self.frequencies) * free.unsqueeze(2)
        result: Tensor = self.linear(waves.flatten(1))
        return result


class Trunk(nn.Module):
    """Hidden layers after the encoders: the first is the sum of the encodings itself.

    Args:
        width: units per layer.
        layers: number of hidden layers, including the sum of the encodings.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(layers - 1))

    def forward(self, encoding: Tensor) -> Tensor:
        """Sum of encodings ``(R, width)`` -> last hidden layer ``(R, width)``."""
        z = torch.relu(encoding + self.bias)
        for layer in self.hidden:
            z = torch.relu(layer(z))
        return z


class ResidualTrunk(nn.Module):
    """Hidden layers that each add to the one before, normalised and with dropout: for learning from data.

    Args:
        width: units per layer.
        layers: number of hidden layers, including the sum of the encodings.
        dropout: share of units left out in training.
    """

    def __init__(self, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(layers - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers - 1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, encoding: Tensor) -> Tensor:
        """Sum of encodings ``(R, width)`` -> last hidden layer ``(R, width)``."""
        gelu = nn.functional.gelu
        z: Tensor = self.dropout(gelu(encoding + self.bias))
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            z = z + self.dropout(gelu(layer(norm(z))))
        return z


class Network(nn.Module):
    """One encoder per stage, an encoder of the condition, and a trunk.

    Args:
        encoders: one module per stage, by the name of the stage and in order.
        width, layers: size of the trunk.
        conditions: numbers in [0, 1] that the policy is conditional on; 0 for none.
        dropout: None for plain layers; otherwise the dropout of a residual trunk.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        width: int,
        layers: int,
        conditions: int = 0,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.trunk = Trunk(width, layers) if dropout is None else ResidualTrunk(width, layers, dropout)
        self.condition = PointEncoder(conditions, width) if conditions else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.trunk.bias.device

    def encode_condition(self, condition: Tensor | None) -> Tensor | None:
        """Encoding ``(B, width)`` of conditions ``(B, n)``, a part of the encoding of every state; None without one."""
        if self.condition is None or condition is None:
            return None
        encoding: Tensor = self.condition(condition, torch.ones_like(condition))
        return encoding

    def start(self, batch: int, condition: Tensor | None) -> Tensor:
        """Encoding ``(B, width)`` before the first stage: that of the condition, if there is one."""
        encoding = self.encode_condition(condition)
        return torch.zeros(batch, len(self.trunk.bias), device=self.device) if encoding is None else encoding


def small_head(width: int, outputs: int) -> nn.Linear:
    """Output layer that starts near zero, so that policies start near uniform."""
    head = nn.Linear(width, outputs)
    with torch.no_grad():
        head.weight.mul_(0.1)
        head.bias.zero_()
    return head
