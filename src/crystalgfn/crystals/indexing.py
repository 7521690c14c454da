"""Positions that an index into a batch of crystals stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from crystalgfn.errors import DataError

Index = int | slice | Sequence[int] | Sequence[bool] | np.ndarray | Tensor


def rows_of(index: Index, size: int) -> Tensor:
    """Return the positions (K,) int64 that any kind of index stands for."""
    if isinstance(index, slice):
        return torch.arange(size)[index] if (index.step or 1) > 0 else torch.tensor(range(size)[index]).long()
    try:
        chosen = torch.as_tensor(index)
    except (TypeError, ValueError, RuntimeError):
        allowed = "positions, a slice, a mask, or the name of one column; to_dataframe() takes several names"
        raise DataError(f"crystals[...]: found {str(index)[:60]!r}, allowed: {allowed}") from None
    if chosen.dtype == torch.bool:
        if chosen.shape != (size,):
            raise DataError(f"mask of shape {tuple(chosen.shape)} for {size} crystals, allowed: {(size,)}")
        return chosen.nonzero().squeeze(-1)
    chosen = chosen.reshape(-1).long()
    outside = chosen[(chosen < -size) | (chosen >= size)]
    if len(outside):
        raise DataError(f"position {int(outside[0])} of {size} crystals, allowed: {-size}..{size - 1}")
    return chosen % max(size, 1)
