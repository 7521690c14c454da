"""Batches: dataclasses of tensors with the batch first, sliced and joined alike whatever their fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class TensorBatch:
    """Rows of tensors: every field of a subclass is ``(B, ...)``."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, rows: Tensor | slice) -> Self:
        return type(self)(*(value[rows] for value in self.tensors().values()))

    def tensors(self) -> dict[str, Tensor]:
        """Every field by its name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join batches of the same space."""
        return cls(*(torch.cat([getattr(part, entry.name) for part in parts]) for entry in fields(cls)))


def to_device(table: Any, device: torch.device | str) -> Any:
    """A copy of a frozen dataclass on a device: its tensors, and those of dataclasses and tuples of them inside it."""
    moved: dict[str, Any] = {}
    for entry in fields(table):
        value = getattr(table, entry.name)
        if isinstance(value, Tensor):
            moved[entry.name] = value.to(device)
        elif is_dataclass(value):
            moved[entry.name] = to_device(value, device)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            moved[entry.name] = tuple(to_device(each, device) for each in value)
    return replace(table, **moved)
