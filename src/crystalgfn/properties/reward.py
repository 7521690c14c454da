"""Rewards: from the properties of crystals to the log-density they are sampled from."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from crystalgfn.crystal import Crystals
from crystalgfn.stability.facets import Facets

from .registry import Property, check_values

ABOVE_HULL = "energy_above_hull [eV/atom]"
"""Column of the property above the hull."""


class Reward:
    """R(x) = exp(-beta E(x)): low values of a property are wanted for beta > 0, high ones for beta < 0.

    The paper's "temperature of 8" is beta = 8 per eV/atom (its Appendix C; the authors' configuration says -8 E).

    Args:
        prop: the property E.
        beta: inverse temperature, 1 / unit of the property.
        hull: E is the property, a formation energy, above this hull.
        floor: values of E below count as this. No crystal lies far below a true hull: a prediction that does is an
            error of the property, or a phase that the hull lacks, and should not be hunted.
    """

    def __init__(self, prop: Property, beta: float, *, hull: Facets | None = None, floor: float | None = None) -> None:
        self.property, self.beta, self.hull, self.floor = prop, beta, hull, floor

    @property
    def column(self) -> str:
        """Name of the property's column, with its unit."""
        return f"{self.property.name} [{self.property.unit}]" if self.property.unit else self.property.name

    def __call__(self, crystals: Crystals) -> tuple[Tensor, dict[str, np.ndarray]]:
        """Log-rewards ``(B,)`` float32, and the property, and where there is a hull E, as columns.

        Raises:
            PropertyError: the property gave something that is not a finite number; names the crystal.
            DataError: the hull does not know an element of a crystal.
        """
        values = self.property(crystals)
        columns = {self.column: values.cpu().numpy()}
        if self.hull is not None:
            above = values - self.hull.energies(crystals.elements, crystals.counts)
            values = check_values("energy_above_hull", above, crystals)
            columns[ABOVE_HULL] = values.cpu().numpy()
        if self.floor is not None:
            values = values.clamp(min=self.floor)
        return -self.beta * values, columns
