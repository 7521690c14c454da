"""Hashes of whole numbers: splitmix64, the same on every platform and in every version, so that keys can be stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

SEED = 0x243F6A8885A308D3  # digits of pi; without an offset, mix(2 x) = 2 mix(x) for one x in 32
POSITIVE = (1 << 63) - 1

_STEP = 0x9E3779B97F4A7C15  # splitmix64: Steele, Lea, Flood, doi:10.1145/2660193.2660195
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def mix(values: Tensor) -> Tensor:
    """The finaliser of splitmix64, a bijection of 64-bit numbers."""
    first, second = (factor - (1 << 64) for factor in _FACTORS)
    values = (values ^ _shift(values, 30)) * first
    values = (values ^ _shift(values, 27)) * second
    return values ^ _shift(values, 31)


def _shift(values: Tensor, bits: int) -> Tensor:
    """Shift right, with zeros from the left; int64 alone would repeat the sign."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)


def splitmix64(seed: int, n: int) -> NDArray[np.uint64]:
    """Return the first ``n`` numbers of splitmix64 from a seed, ``(n,)`` uint64."""
    state = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(_STEP)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(_FACTORS[0])
    state = (state ^ (state >> np.uint64(27))) * np.uint64(_FACTORS[1])
    return state ^ (state >> np.uint64(31))
