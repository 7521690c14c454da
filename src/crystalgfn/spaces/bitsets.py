"""Sets of small integers as 62-bit words, batched: ``(..., n)`` bool <-> ``(..., W)`` int64, W = ceil(n / 62)."""

from __future__ import annotations

from functools import cache, reduce

import torch
from torch import Tensor
from torch.nn.functional import pad

WORD = 62
_FULL = (1 << WORD) - 1


def pack(sets: Tensor) -> Tensor:
    """Pack ``(..., n)`` bool into ``(..., W)`` int64 words."""
    n = sets.shape[-1]
    words = -(-n // WORD)
    bits = pad(sets, (0, words * WORD - n)).view(*sets.shape[:-1], words, WORD)
    return (bits * _powers(sets.device)).sum(-1)


@cache
def _powers(device: torch.device) -> Tensor:
    return torch.bitwise_left_shift(torch.ones(WORD, dtype=torch.int64), torch.arange(WORD)).to(device)


def unpack(words: Tensor, n: int) -> Tensor:
    """Inverse of :func:`pack`: ``(..., n)`` bool."""
    bits = (words.unsqueeze(-1) >> torch.arange(WORD, device=words.device)) & 1
    return bits.flatten(-2)[..., :n].bool()


def meets(a: Tensor, b: Tensor) -> Tensor:
    """Whether packed sets ``(..., W)`` have a member in common."""
    common: Tensor = reduce(torch.bitwise_or, (a & b).unbind(-1))  # a fifth of the time of any()
    return common.ne(0)


def shift(words: Tensor, by: int) -> Tensor:
    """Packed sets with every member q moved to q + by; what leaves the words on either side is dropped."""
    n_words = words.shape[-1]
    whole, bits = divmod(abs(by), WORD)
    if whole >= n_words:
        return torch.zeros_like(words)
    if by >= 0:
        moved = pad(words[..., : n_words - whole], (whole, 0))
        carry = pad(moved[..., :-1], (1, 0)) >> (WORD - bits) if bits else 0
        return ((moved << bits) & _FULL) | carry
    moved = pad(words[..., whole:], (0, whole))
    carry = (pad(moved[..., 1:], (0, 1)) << (WORD - bits)) & _FULL if bits else 0
    return (moved >> bits) | carry


def shift_each(words: Tensor, by: Tensor) -> Tensor:
    """:func:`shift` with a distance of its own for each set: ``(..., W)`` by ``(...)`` int64."""
    n_words = words.shape[-1]
    whole = by.div(WORD, rounding_mode="floor")
    bits = (by - whole * WORD).unsqueeze(-1)
    source = torch.arange(n_words + 1, device=words.device) - whole.unsqueeze(-1)  # one off, for the zeros in front
    moved = pad(words, (1, 1)).gather(-1, source.clamp(0, n_words + 1))
    return ((moved[..., 1:] << bits) & _FULL) | (moved[..., :-1] >> (WORD - bits))
