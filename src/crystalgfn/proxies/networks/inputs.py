"""Inputs of a property network, and which of its descriptors depend on cell, volume or size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

N_DESCRIPTORS = 26
"""Scalar descriptors of a crystal besides the statistics of its element properties."""

N_AMOUNTS = 4
"""Numbers that describe the amount of an element in a crystal: see :attr:`Inputs.amounts`."""

CELL_SCALE = (2.0, 4.0, 1.0, 1 / 3, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0)
CELL_SHIFT = (0.0, 0.0, 0.0, 0.0, 0.0, -5.6, 0.0, -2.8, -2.4, 0.0, 0.0)
"""Linear maps of the first eleven descriptors to numbers of order one."""

LATTICE_COLUMNS = (0, 1, 2, 3, 4, 5, 6, *range(10, 20))
"""Descriptors that depend on the cell; the others follow from space group and counts."""

SHAPE_COLUMNS = (6, *range(10, 20))
"""Descriptors of the cell that do not depend on its volume."""

SIZE_COLUMNS = (7, 8, 9)
"""Descriptors that depend on the number of atoms in the cell."""

ESTIMATE_COLUMN = 25
"""Descriptor that holds the log of the additive estimate of the volume, A^3 per atom."""

EQUILIBRIUM = (0, 11, 12, 13, 17, 18, 19)
"""Descriptors with a predicted equilibrium value: twice the log volume ratio, log b/a, c/a, c/b, twice the cosines."""


@dataclass(frozen=True)
class Inputs:
    """Inputs of a network for B crystals with at most K elements each.

    Attributes:
        atomic_numbers: (B, K) int64, by rising electronegativity, 0 where there is no element.
        amounts: (B, K, 4) float32: fraction, its square root, log(1 + n) of n atoms per primitive cell, log(1 + r) of
            the ratio r to the rarest element.
        fractions: (B, K) float32, 0 where there is no element; rows sum to 1.
        space_group: (B,) int64.
        descriptors: (B, N_DESCRIPTORS + 4 F) float32: cell, volume and size, then mean, deviation, lowest and highest
            of the F element properties.
        lattice: (B, 6) float32: a, b, c (A), alpha, beta, gamma (degree), as the Table 1 network reads it.
    """

    atomic_numbers: Tensor
    amounts: Tensor
    fractions: Tensor
    space_group: Tensor
    descriptors: Tensor
    lattice: Tensor

    tokens: ClassVar[tuple[str, ...]] = ("atomic_numbers", "amounts", "fractions")
    """Fields with a dimension of tokens, which has the width of the crystal with the most."""

    def __getitem__(self, index: Tensor) -> Inputs:
        """Return the rows ``index`` (..., ) of every field; a (M, b) index gives fields (M, b, ...)."""
        return replace(self, **{name: value[index] for name, value in vars(self).items()})

    def __len__(self) -> int:
        return int(self.space_group.shape[0])

    @property
    def n_tokens(self) -> Tensor:
        """Number of tokens of each crystal, (..., B)."""
        return (self.fractions > 0).sum(-1)

    @property
    def order(self) -> Tensor:
        """Order (B,) in which chunks of the crystals are predicted."""
        return torch.arange(len(self), device=self.space_group.device)

    def trimmed(self) -> Inputs:
        """Return the inputs as wide as the crystal with the most tokens."""
        width = int(self.n_tokens.amax()) if len(self) else 0
        return replace(self, **{name: getattr(self, name)[:, :width] for name in self.tokens})

    def for_all_members(self) -> Inputs:
        """Return the inputs with a leading dimension of 1 in every field: one batch for all members of an ensemble."""
        return replace(self, **{name: value[None] for name, value in vars(self).items()})

    def with_structure(self, other: Inputs) -> Inputs:
        """Return the compositions in the structures of ``other``, which has the same fractions row by row."""
        columns = [*LATTICE_COLUMNS, *SIZE_COLUMNS]
        descriptors = self.descriptors.clone()
        descriptors[:, columns] = other.descriptors[:, columns]
        amounts = self.amounts.clone()
        width = min(amounts.shape[1], other.amounts.shape[1])
        amounts[:, :width, 2] = other.amounts[:, :width, 2]
        return replace(self, descriptors=descriptors, amounts=amounts, space_group=other.space_group)

    def with_volume(self, log_ratio: Tensor) -> Inputs:
        """Return the crystals at the volume whose logarithm over the additive estimate is ``log_ratio`` (B,)."""
        inverse = torch.exp(-log_ratio)
        per_atom = log_ratio + self.descriptors[:, ESTIMATE_COLUMN]
        columns = [log_ratio, log_ratio.square(), inverse, inverse.square(), torch.exp(log_ratio), per_atom]
        number = len(columns)
        descriptors = self.descriptors.clone()
        scale, shift = torch.tensor(CELL_SCALE[:number]), torch.tensor(CELL_SHIFT[:number])
        descriptors[:, :number] = torch.addcmul(shift, torch.stack(columns, 1), scale)
        return replace(self, descriptors=descriptors)

    def without_structure(self, descriptors: Tensor) -> Inputs:
        """Return the compositions without structure: space group 0, and mean ``descriptors`` (N,) of the cell."""
        columns = [*LATTICE_COLUMNS, *SIZE_COLUMNS]
        blank = self.descriptors.clone()
        blank[:, columns] = descriptors[columns]
        amounts = self.amounts.clone()
        amounts[..., 2] = 0
        return replace(self, descriptors=blank, amounts=amounts, space_group=torch.zeros_like(self.space_group))
