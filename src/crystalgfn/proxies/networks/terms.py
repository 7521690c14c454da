"""The prediction of a property network for a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Terms:
    """A prediction of M members for B crystals.

    Attributes:
        energy: (M, B) eV/atom.
        equilibrium: (M, B, 7) or None: expected values of the columns ``EQUILIBRIUM`` of the descriptors.
        logit, gap: (M, B) from a network of the band gap, else None: log odds of a non-metal, and its gap in eV.
        doubt: (B,) or None: standard deviation, eV/atom, of a part that all members share and whose error their spread
            cannot show.
        formation: (M, B) or None: formation energy in eV/atom, from a network whose energy is that above the hull.
    """

    energy: Tensor
    equilibrium: Tensor | None = None
    logit: Tensor | None = None
    gap: Tensor | None = None
    doubt: Tensor | None = None
    formation: Tensor | None = None

    def first(self, rows: int) -> Terms:
        """Return the predictions for the first ``rows`` crystals of the batch; the expected cells are left out."""

        def cut(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[..., :rows]

        return Terms(self.energy[:, :rows], None, cut(self.logit), cut(self.gap), cut(self.doubt), cut(self.formation))

    def reordered(self, index: Tensor) -> Terms:
        """Return the predictions of the crystals ``index`` (B,), in this order; the expected cells are left out."""

        def chosen(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[..., index]

        others = (chosen(part) for part in (self.logit, self.gap, self.doubt, self.formation))
        return Terms(self.energy[..., index], None, *others)

    @classmethod
    def join(cls, parts: Sequence[Terms]) -> Terms:
        """Join the predictions for parts of a batch along B; expected cells are left out."""

        def joined(name: str) -> Tensor | None:
            tensors = [tensor for part in parts if (tensor := getattr(part, name)) is not None]
            return torch.cat(tensors, -1) if tensors else None

        return cls(
            torch.cat([part.energy for part in parts], -1),
            None,
            *(joined(name) for name in ("logit", "gap", "doubt", "formation")),
        )
