"""The encoder of compositions over slots: sums over filled slots with their elements, and over open ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from crystalgfn.policy.orbits import ElementEmbedding, OrbitEmbedding, orbits_of
from crystalgfn.spaces.site_states import slot_counts

SIZE = 160
"""Numbers in the embedding of a slot and of an element."""


class SlotEmbedding(nn.Module):
    """Embeddings of the slots of finished patterns.

    Args:
        max_slots: most slots, m.
        max_atoms: most atoms in the primitive cell.
    """

    def __init__(self, max_slots: int, max_atoms: int) -> None:
        super().__init__()
        self.max_slots, self.max_atoms = max_slots, max_atoms
        self.orbit, self.count = OrbitEmbedding(SIZE), nn.Embedding(max_atoms + 1, SIZE)
        self.out = nn.Linear(SIZE, SIZE)

    def forward(self, space_group: Tensor, slots: Tensor, letters: Tensor) -> Tensor:
        """Patterns ``(B,)``, ``(B, O)``, ``(B, O)`` -> ``(B, m, SIZE)``; 0 where there is no slot."""
        batch, m = len(letters), self.max_slots
        row, place = orbits_of(letters)
        counts = slot_counts(space_group, slots, letters, m)
        orbits = self.orbit(space_group[row], letters[row, place])
        content = self.count(counts.clamp(max=self.max_atoms)).flatten(0, 1)
        content = content.index_add(0, row * m + slots[row, place], orbits).view(batch, m, SIZE)
        embedding: Tensor = self.out(nn.functional.gelu(content))
        return embedding * (counts > 0).unsqueeze(2)


class SlotEncoder(nn.Module):
    """Encodes partial compositions.

    Args:
        width: size of the hidden layer.
        elements: atomic numbers, D.
        max_slots: most slots, m.
        max_atoms: most atoms in the primitive cell.
    """

    def __init__(self, width: int, elements: Sequence[int], max_slots: int, max_atoms: int) -> None:
        super().__init__()
        self.slots, self.elements = SlotEmbedding(max_slots, max_atoms), ElementEmbedding(elements, SIZE)
        self.of_pair = nn.ModuleList((nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)))
        self.whole, self.open = nn.Linear(SIZE, width), nn.Linear(SIZE, width)
        self.last, self.filled = nn.Linear(SIZE, width, bias=False), nn.Linear(SIZE, width)

    def pair(self, slot: Tensor, element: Tensor) -> Tensor:
        """An element in a slot, embeddings ``(..., SIZE)`` both -> ``(..., SIZE)``."""
        pair: Tensor = nn.functional.gelu(self.of_pair[0](slot) + self.of_pair[1](element))
        return pair

    def encode(self, whole: Tensor, open_: Tensor, *, last: Tensor, pairs: Tensor) -> Tensor:
        """Sums over all slots, over open slots, embedding of the last element (0 at first), sum of pairs."""
        encoding: Tensor = self.whole(whole) + self.open(open_) + self.last(last) + self.filled(pairs)
        return encoding

    def forward(
        self,
        space_group: Tensor,
        slots: Tensor,
        letters: Tensor,
        elements: Tensor,
        filled: Tensor,
        owner: Tensor,
        place: Tensor,
    ) -> Tensor:
        """Encodings of states of B trajectories; the last state of every trajectory comes first.

        Args:
            space_group: ``(B,)``.
            slots, letters: ``(B, O)`` patterns.
            elements, filled: ``(B, m)`` 1 + column of each element, 0 for none, and its slot.
            owner, place: ``(R,)`` trajectory of each further state, and its number of elements.

        Returns:
            ``(B + R, width)``.
        """
        batch = len(letters)
        of_slots, table = self.slots(space_group, slots, letters), self.elements()
        there = (elements > 0).unsqueeze(2)
        of_elements = torch.where(there, table[(elements - 1).clamp(min=0)], 0.0)
        of_filled = torch.where(there, of_slots.gather(1, filled.unsqueeze(2).repeat(1, 1, SIZE)), 0.0)
        pairs = torch.where(there, self.pair(of_filled, of_elements), 0.0)
        whole, number = of_slots.sum(1), (elements > 0).sum(1)
        rows = torch.arange(batch, device=letters.device)
        none = torch.zeros_like(whole)
        finished = self.encode(whole, none, last=of_elements[rows, number - 1], pairs=pairs.sum(1))
        if not len(owner):
            return finished

        def before(each: Tensor) -> Tensor:
            """Sums over the elements before each place."""
            return each.cumsum(1)[owner, place] - each[owner, place]

        taken = before(of_filled)
        last = torch.where((place > 0).unsqueeze(1), of_elements[owner, (place - 1).clamp(min=0)], 0.0)
        partial = self.encode(whole[owner], whole[owner] - taken, last=last, pairs=before(pairs))
        return torch.cat((finished, partial))
