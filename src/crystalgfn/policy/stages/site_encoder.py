"""The encoder of partial site patterns: sums over the orbits, over those of the open slot, and a few counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from crystalgfn.policy.orbits import OrbitEmbedding, orbits_of

SIZE = 128
"""Numbers in the embedding of an orbit."""


@dataclass
class PartialEncoding:
    """Running encodings of B partial patterns.

    Attributes:
        orbits: ``(B, width)``, sum over all orbits.
        of_open: ``(B, width)``, sum over the orbits of the open slot.
        atoms, open_atoms: ``(B,)``, atoms of all slots and of the open one.
        slots: ``(B,)``, slots so far, the open one among them.
    """

    orbits: Tensor
    of_open: Tensor
    atoms: Tensor
    open_atoms: Tensor
    slots: Tensor

    def __getitem__(self, rows: Tensor) -> PartialEncoding:
        return PartialEncoding(*(value[rows] for value in vars(self).values()))


class SiteEncoder(nn.Module):
    """Encodes partial patterns.

    Args:
        width: size of the hidden layer.
        max_slots: most slots, m.
        max_atoms: most atoms in the primitive cell.
    """

    def __init__(self, width: int, max_slots: int, max_atoms: int) -> None:
        super().__init__()
        self.max_atoms = max_atoms
        self.orbit, self.open_orbit = OrbitEmbedding(SIZE, max_slots), OrbitEmbedding(SIZE)
        self.of_orbit, self.of_open_orbit = nn.Linear(SIZE, width), nn.Linear(SIZE, width)
        self.atoms, self.open_atoms = nn.Embedding(max_atoms + 1, width), nn.Embedding(max_atoms + 1, width)
        self.slots = nn.Embedding(max_slots + 1, width)
        self.done = nn.Parameter(torch.zeros(width))

    def _orbit(self, space_group: Tensor, letter: Tensor, slot: Tensor) -> tuple[Tensor, Tensor]:
        """Contributions ``(N, width)`` of orbits to both sums."""
        gelu = nn.functional.gelu
        return (
            self.of_orbit(gelu(self.orbit(space_group, letter, slot))),
            self.of_open_orbit(gelu(self.open_orbit(space_group, letter))),
        )

    def _combine(self, partial: PartialEncoding) -> Tensor:
        most = self.max_atoms
        counts = self.atoms(partial.atoms.clamp(max=most)) + self.open_atoms(partial.open_atoms.clamp(max=most))
        encoding: Tensor = partial.orbits + partial.of_open + counts + self.slots(partial.slots)
        return encoding

    def start(self, batch: int) -> PartialEncoding:
        """Patterns without orbits."""
        zero = torch.zeros(batch, dtype=torch.int64, device=self.done.device)
        sums = torch.zeros(batch, len(self.done), device=self.done.device)
        return PartialEncoding(sums, sums, zero, zero, zero)

    def append(
        self, partial: PartialEncoding, space_group: Tensor, *, letter: Tensor, opens: Tensor
    ) -> PartialEncoding:
        """Add one orbit to each pattern: to the open slot, or to a new one where ``opens`` ``(B,)``."""
        slots = partial.slots + opens
        orbit, of_open = self._orbit(space_group, letter, slots - 1)
        atoms = self.orbit.multiplicity[space_group, letter]
        return PartialEncoding(
            partial.orbits + orbit,
            torch.where(opens.unsqueeze(1), of_open, partial.of_open + of_open),
            partial.atoms + atoms,
            torch.where(opens, atoms, partial.open_atoms + atoms),
            slots,
        )

    def encode(self, partial: PartialEncoding) -> Tensor:
        """Encodings ``(B, width)`` of states in which a letter or the end is chosen."""
        return self._combine(partial)

    def forward(self, space_group: Tensor, slots: Tensor, letters: Tensor, owner: Tensor, place: Tensor) -> Tensor:
        """Encodings of states of B trajectories; the last state of every trajectory comes first.

        Args:
            space_group: ``(B,)``.
            slots, letters: ``(B, O)`` finished patterns.
            owner, place: ``(R,)`` trajectory of each further state, and its number of orbits.

        Returns:
            ``(B + R, width)``.
        """
        batch = len(letters)
        length = (letters >= 0).sum(1)
        longest = int(length.max()) if batch else 0
        slots, letters = slots[:, :longest], letters[:, :longest]
        row, orbit = orbits_of(letters)
        group, letter, slot = space_group[row], letters[row, orbit], slots[row, orbit]
        of_orbits, of_open = self._orbit(group, letter, slot)
        atoms = self.orbit.multiplicity[group, letter]
        zero, none = torch.zeros_like(length), of_orbits.new_zeros(batch, of_orbits.shape[1])
        number = zero.scatter_reduce(0, row, slot + 1, "amax")
        whole = PartialEncoding(none.index_add(0, row, of_orbits), none, zero.index_add(0, row, atoms), zero, number)
        finished = self._combine(whole) + self.done
        if not len(owner):
            return finished

        columns = (batch, longest + 1)
        before = [
            part.new_zeros(*columns, *part.shape[1:]).index_put((row, orbit + 1), part).cumsum(1)
            for part in (of_orbits, of_open, atoms)
        ]
        new = torch.ones_like(slots, dtype=torch.bool)
        new[:, 1:] = slots[:, 1:] != slots[:, :-1]
        places = torch.arange(longest, device=letters.device)
        pad = nn.functional.pad  # one more column in front, for the pattern without orbits
        first = pad(torch.where(new, places, 0).cummax(1).values, (1, 0))  # orbit that began the open slot
        begin, slots_so_far = first[owner, place], pad(slots + 1, (1, 0))
        partial = PartialEncoding(
            before[0][owner, place],
            before[1][owner, place] - before[1][owner, begin],
            before[2][owner, place],
            before[2][owner, place] - before[2][owner, begin],
            slots_so_far[owner, place],
        )
        return torch.cat((finished, self._combine(partial)))
