"""Crystals that a policy recognises by all but their last element, so that it can avoid, or prefer, to complete them.

Elements come in formula order. Before the last one, the sites and the elements so far have a key of their own, which is
the same for all writings (:func:`~crystalgfn.crystallography.sites.keys.site_keys` with the open slot as any element);
a table says which last elements would complete a crystal that is to be recognised. The weight of these elements is
learned. Without it, a network would have to learn tens of thousands of crystals by heart to sample few known ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crystalgfn.crystallography.sites.keys import site_keys
from crystalgfn.spaces.site_states import orbit_elements

WORD = 62
"""Columns of elements in a word of bits."""

_UNUSED = torch.iinfo(torch.int64).max


class Recognition(nn.Module):
    """Which last elements complete a crystal that is recognised.

    Args:
        capacity: most crystals, T.
        elements: atomic numbers, D.

    Attributes:
        keys: ``(T,)`` int64, rising: keys of the crystals without their last element; unused entries come last.
        completing: ``(T, W)`` int64, columns of the last elements, as bits.
    """

    keys: Tensor
    completing: Tensor
    numbers: Tensor

    def __init__(self, capacity: int, elements: tuple[int, ...]) -> None:
        super().__init__()
        words = -(-len(elements) // WORD)
        self.register_buffer("keys", torch.full((capacity,), _UNUSED))
        self.register_buffer("completing", torch.zeros(capacity, words, dtype=torch.int64))
        self.register_buffer("numbers", torch.tensor([0, *elements]), persistent=False)

    @torch.no_grad()
    def fill(self, space_group: Tensor, slots: Tensor, letters: Tensor, *, elements: Tensor, filled: Tensor) -> None:
        """Recognise crystals from now on, and no others; of more than T kinds, the first by their keys.

        Args:
            space_group: ``(B,)``.
            slots, letters: ``(B, O)``, as in :class:`~crystalgfn.spaces.site_states.SiteStates`.
            elements, filled: ``(B, m)``, likewise.
        """
        last = (elements > 0).sum(1, keepdim=True) - 1
        column = elements.gather(1, last).squeeze(1) - 1
        before = elements.scatter(1, last, 0)
        keys, row = torch.unique(
            self.key(space_group, slots, letters, elements=before, filled=filled), return_inverse=True
        )
        pairs = torch.unique(torch.stack((row, column)), dim=1)  # each element of a key once, so that sums set bits
        bits = torch.zeros(len(keys), self.completing.shape[1], dtype=torch.int64, device=keys.device)
        place = pairs[1] // WORD
        bits.index_put_((pairs[0], place), torch.ones_like(place) << (pairs[1] % WORD), accumulate=True)
        kept = min(len(keys), len(self.keys))
        self.keys.fill_(_UNUSED)
        self.completing.zero_()
        self.keys[:kept], self.completing[:kept] = keys[:kept], bits[:kept]

    def key(self, space_group: Tensor, slots: Tensor, letters: Tensor, *, elements: Tensor, filled: Tensor) -> Tensor:
        """Keys ``(B,)`` of sites of which some slots are open; arguments as for :meth:`fill`, 0 for no element."""
        return site_keys(space_group, orbit_elements(self.numbers[elements], filled, slots), letters)

    def forward(self, keys: Tensor) -> Tensor:
        """Whether each element completes a recognised crystal, ``(B, D)`` bool, of keys ``(B,)``."""
        place = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        bits = torch.where((self.keys[place] == keys).unsqueeze(1), self.completing[place], 0)
        shifts = torch.arange(WORD, device=keys.device)
        spread = (bits.unsqueeze(2) >> shifts) & 1
        return spread.flatten(1)[:, : len(self.numbers) - 1].bool()
