"""Keys of reduced formulas: 63-bit numbers that are equal for crystals with the same elements in the same ratios."""

from __future__ import annotations

import torch
from torch import Tensor

from crystalgfn.crystallography.hashing import POSITIVE, SEED, mix

_MOST = 1 << 20  # atoms of an element; a pair (element, atoms) is one number


def formula_keys(elements: Tensor, counts: Tensor) -> Tensor:
    """Return a key for each formula.

    Args:
        elements: ``(B, m)`` int64, distinct atomic numbers in any order.
        counts: ``(B, m)`` int64, atoms of each in some cell; 0 for elements that are not there.

    Returns:
        ``(B,)`` int64, not negative.
    """
    reduced = counts // common_divisor(counts).clamp(min=1).unsqueeze(1)
    return mix(element_words(elements, reduced).sum(1)) & POSITIVE


def element_words(elements: Tensor, counts: Tensor) -> Tensor:
    """Return the numbers whose sum, mixed, is the key: int64 of the common shape of both; 0 where counts are 0.

    Args:
        elements: atomic numbers.
        counts: atoms of each in the reduced formula.
    """
    return torch.where(counts > 0, mix(elements * _MOST + counts + SEED), 0)


def common_divisor(counts: Tensor) -> Tensor:
    """Return the greatest common divisor ``(B,)`` of counts ``(B, m)``, 0 if all are 0."""
    divisor = torch.zeros_like(counts[:, 0])
    for column in counts.unbind(1):
        divisor = torch.gcd(divisor, column)
    return divisor
