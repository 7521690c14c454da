"""Rewards: from the properties of crystals to the log-density they are sampled from."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from crystalgfn.crystal import Crystals

from .registry import Property


class Reward:
    """R(x) = exp(-beta E(x)): low values of a property are wanted for beta > 0, high ones for beta < 0.

    The paper's "temperature of 8" is beta = 8 per eV/atom (its Appendix C; the authors' configuration says -8 E).

    Args:
        prop: the property E.
        beta: inverse temperature, 1 / unit of the property.
    """

    def __init__(self, prop: Property, beta: float) -> None:
        self.property, self.beta = prop, beta

    @property
    def column(self) -> str:
        """Name of the property's column, with its unit."""
        return f"{self.property.name} [{self.property.unit}]" if self.property.unit else self.property.name

    def __call__(self, crystals: Crystals) -> tuple[Tensor, dict[str, np.ndarray]]:
        """Log-rewards ``(B,)`` float32 and the property as a column.

        Raises:
            PropertyError: the property gave something that is not a finite number; names the crystal.
        """
        values = self.property(crystals)
        return -self.beta * values, {self.column: values.cpu().numpy()}
