"""Site patterns that a policy remembers, each with a weight of its own, beside what its network can write.

A policy that has seen real crystals mixes its network with a table of their patterns. The mixture starts as the
predictive probability of a Pitman-Yor process with discount d and concentration c (Teh, 2006): with n patterns seen n_p
times each, t of them distinct, in a group,

    P(p | group) = max(n_p - d, 0) / (n + c) + (c + d t) / (n + c) P_network(p | group)

and every weight can be trained from there.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from crystalgfn.crystallography.wyckoff import MAX_LETTERS

DISCOUNT, CONCENTRATION = 0.7, 10.0
"""Measured on held-out crystals: docs/prior.md."""


class PatternTable(nn.Module):
    """Weights of remembered patterns and, for each group, of the network.

    Args:
        capacity: most patterns, T; 0 for a policy that remembers nothing.
        max_orbits: most orbits of a pattern, O.

    Attributes:
        groups: ``(T,)`` space group of each pattern, rising; 0 for unused entries, which come first.
        slots, letters: ``(T, O)``, as in :class:`~crystalgfn.spaces.site_states.SiteStates`.
    """

    groups: Tensor
    slots: Tensor
    letters: Tensor

    def __init__(self, capacity: int, max_orbits: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.register_buffer("groups", torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("slots", torch.zeros(capacity, max_orbits, dtype=torch.int64))
        self.register_buffer("letters", torch.full((capacity, max_orbits), -1))
        self.weight = nn.Parameter(torch.zeros(capacity))
        self.network = nn.Parameter(torch.zeros(231))
        self._index: tuple[int, Tensor, Tensor] | None = None

    @torch.no_grad()
    def fill(self, space_group: Tensor, slots: Tensor, letters: Tensor) -> None:
        """Remember the patterns of crystals ``(B,)``, ``(B, O)``, ``(B, O)``: the most frequent, if there are more."""
        rows = torch.cat((space_group.unsqueeze(1), slots, letters), 1)
        distinct, times = torch.unique(rows, dim=0, return_counts=True)
        chosen = times.argsort(descending=True, stable=True)[: self.capacity].sort().values
        distinct, times = distinct[chosen], times[chosen].to(self.weight.dtype)
        entries = slice(self.capacity - len(distinct), None)
        orbits = slots.shape[1]
        self.groups.zero_()
        self.slots.zero_()
        self.groups[entries], self.slots[entries] = distinct[:, 0], distinct[:, 1 : 1 + orbits]
        self.letters.fill_(-1)
        self.letters[entries] = distinct[:, 1 + orbits :]
        self.weight.zero_()
        self.weight[entries] = torch.log((times - DISCOUNT).clamp(min=1e-3))
        kinds = torch.zeros_like(self.network).index_add(0, distinct[:, 0], torch.ones_like(times))
        self.network.copy_(torch.log(CONCENTRATION + DISCOUNT * kinds))

    @property
    def used(self) -> Tensor:
        """``(T,)`` bool, entries that hold a pattern."""
        return self.groups > 0

    def keys(self, space_group: Tensor, slots: Tensor, letters: Tensor) -> Tensor:
        """Numbers ``(B,)`` int64 by which patterns are found again: 62-bit sums of random numbers."""
        generator = torch.Generator().manual_seed(0)
        orbits = slots.shape[1]
        numbers = torch.randint(1 << 56, (orbits, 8 * (MAX_LETTERS + 1) + 1), generator=generator).to(slots.device)
        codes = torch.where(letters >= 0, 1 + (slots.clamp(max=7)) * MAX_LETTERS + letters, 0)
        places = torch.arange(orbits, device=slots.device)
        return numbers[places, codes].sum(1) * 256 + space_group

    def find(self, space_group: Tensor, slots: Tensor, letters: Tensor) -> tuple[Tensor, Tensor]:
        """Entry ``(B,)`` of each pattern, and whether ``(B,)`` it is in the table."""
        own, order = self._sorted_keys()
        keys = self.keys(space_group, slots, letters)
        place = torch.searchsorted(own, keys).clamp(max=self.capacity - 1)
        return order[place], own[place] == keys

    @property
    def version(self) -> int:
        """Changes whenever patterns are remembered or loaded."""
        return self.letters._version

    def _sorted_keys(self) -> tuple[Tensor, Tensor]:
        """Keys of the entries, rising, and the entry of each."""
        if self._index is None or self._index[0] != self.version or self._index[1].device != self.groups.device:
            with torch.inference_mode(False):
                keys, order = self.keys(self.groups, self.slots, self.letters).sort()
            self._index = self.version, keys, order
        return self._index[1:]

    def log_normaliser(self, allowed: Tensor) -> Tensor:
        """``(231,)`` log of the sum of the weights of each group: of its allowed patterns and of the network.

        Args:
            allowed: ``(T,)`` bool.
        """
        entries = allowed.nonzero().squeeze(1)
        groups, weights = self.groups[entries], self.weight[entries]
        highest = self.network.detach().scatter_reduce(0, groups, weights.detach(), "amax")
        total = torch.exp(self.network - highest).index_add(0, groups, torch.exp(weights - highest[groups]))
        return highest + torch.log(total)

    def draw(self, space_group: Tensor, allowed: Tensor, *, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw the entry of a pattern for each group ``(B,)``, or the network.

        Returns:
            entries ``(B,)``, and whether ``(B,)`` the network writes the pattern instead.
        """
        if not self.capacity:
            return torch.zeros_like(space_group), torch.ones_like(space_group, dtype=torch.bool)
        normaliser = self.log_normaliser(allowed).double()
        share = torch.where(allowed, torch.exp(self.weight.double() - normaliser[self.groups]), 0.0)
        below = share.cumsum(0)
        of_group = torch.zeros(231, dtype=torch.float64, device=share.device).index_add(0, self.groups, share)
        start = torch.cat((of_group.new_zeros(1), of_group.cumsum(0)[:-1]))  # entries stand by rising group
        draw = torch.rand(len(space_group), dtype=torch.float64, generator=generator, device=share.device)
        by_network = draw >= of_group[space_group]
        entry = torch.searchsorted(below, start[space_group] + draw, right=True).clamp(max=self.capacity - 1)
        wrong = ~allowed[entry] | (self.groups[entry] != space_group)  # rounding at the border of two groups
        return entry, by_network | wrong
