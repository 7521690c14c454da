"""Embeddings of orbits and elements: what the network sees of Wyckoff positions and of chemistry."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crystalgfn.crystallography.elements import PROPERTIES
from crystalgfn.spaces.site_states import FREEDOM, MULTIPLICITY, POSITION


class OrbitEmbedding(nn.Module):
    """Embeddings of orbits: the position itself, its multiplicity and freedom, and the number of its slot.

    Args:
        size: numbers in an embedding.
        slots: number of slots told apart; 0 for embeddings without the slot.
    """

    numbers: Tensor
    multiplicity: Tensor
    freedom: Tensor

    def __init__(self, size: int, slots: int = 0) -> None:
        super().__init__()
        self.register_buffer("numbers", POSITION, persistent=False)
        self.register_buffer("multiplicity", MULTIPLICITY, persistent=False)
        self.register_buffer("freedom", FREEDOM, persistent=False)
        self.letter = nn.Embedding(int(POSITION.max()) + 1, size)
        self.of_multiplicity = nn.Embedding(int(MULTIPLICITY.max()) + 1, size)
        self.of_freedom = nn.Embedding(4, size)
        self.slot = nn.Embedding(slots, size) if slots else None
        nn.init.normal_(self.letter.weight, std=0.1)

    def forward(self, space_group: Tensor, letter: Tensor, slot: Tensor | None = None) -> Tensor:
        """Letters and slots of groups, ``(N,)`` each -> ``(N, size)``."""
        embedding: Tensor = self.letter(self.numbers[space_group, letter])
        embedding = embedding + self.of_multiplicity(self.multiplicity[space_group, letter])
        embedding = embedding + self.of_freedom(self.freedom[space_group, letter])
        return embedding if self.slot is None or slot is None else embedding + self.slot(slot)


class ElementEmbedding(nn.Module):
    """Embeddings of elements, learned ones added to a linear map of physical properties.

    Args:
        elements: atomic numbers, D.
        size: numbers in an embedding.
    """

    properties: Tensor

    def __init__(self, elements: Sequence[int], size: int) -> None:
        super().__init__()
        raw = torch.tensor(PROPERTIES[list(elements)], dtype=torch.float32)
        scaled = (raw - raw.mean(0)) / (raw.std(0, correction=0) + 1e-6)
        self.register_buffer("properties", scaled, persistent=False)
        self.own = nn.Embedding(len(elements), size)
        self.of_properties = nn.Linear(scaled.shape[1], size)
        nn.init.normal_(self.own.weight, std=0.3)

    def forward(self) -> Tensor:
        """All embeddings, ``(D, size)``."""
        embedding: Tensor = self.own.weight + self.of_properties(self.properties)
        return embedding


def orbits_of(letters: Tensor) -> tuple[Tensor, Tensor]:
    """Crystal and place of every orbit, ``(N,)`` each, of letters ``(B, O)`` padded with -1."""
    row, place = (letters >= 0).nonzero(as_tuple=True)
    return row, place
