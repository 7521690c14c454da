"""Formulas that a policy recognises by all but their last element, so that it can avoid, or prefer, to complete them.

Which elements complete a known formula is looked up for all of them at once: a key of a formula is the mixed sum of one
number for each element (:mod:`crystalgfn.crystallography.formula_keys`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crystalgfn.crystallography.formula_keys import common_divisor, element_words
from crystalgfn.crystallography.hashing import POSITIVE, mix
from crystalgfn.crystals.known import is_in

_UNUSED = torch.iinfo(torch.int64).max


class KnownFormulas(nn.Module):
    """Which last elements complete a formula that is recognised.

    Args:
        capacity: most formulas, T.
        elements: atomic numbers, D.

    Attributes:
        keys: ``(T,)`` int64, rising: keys of the formulas; unused entries come last.
    """

    keys: Tensor
    numbers: Tensor

    def __init__(self, capacity: int, elements: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("keys", torch.full((capacity,), _UNUSED))
        self.register_buffer("numbers", torch.tensor([0, *elements]), persistent=False)

    @torch.no_grad()
    def fill(self, keys: Tensor) -> None:
        """Recognise formulas of some keys ``(F,)`` from now on, and no others; of more than T, the first."""
        kept = keys.unique()[: len(self.keys)]
        self.keys.fill_(_UNUSED)
        self.keys[: len(kept)] = kept

    def forward(self, elements: Tensor, counts: Tensor, left: Tensor) -> Tensor:
        """Whether each element completes a known formula, ``(R, D)`` bool.

        Args:
            elements: ``(R, m)``, 1 + column of each element so far; 0 where there are fewer.
            counts: ``(R, m)``, atoms of each in some cell; 0 where there are fewer.
            left: ``(R,)``, atoms that the last element will have in this cell, 1 or more.
        """
        divisor = common_divisor(torch.cat((counts, left.unsqueeze(1)), 1)).unsqueeze(1)
        words = element_words(self.numbers[elements], counts // divisor).sum(1, keepdim=True)
        last = element_words(self.numbers[1:], left.unsqueeze(1) // divisor)
        return is_in(mix(words + last) & POSITIVE, self.keys)
