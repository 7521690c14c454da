"""Rewards: from the properties of crystals to the log-density they are sampled from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from crystalgfn.crystal import Crystals
from crystalgfn.stability.facets import Facets

from .chance import Chance
from .registry import Property, check_values

ABOVE_HULL = "energy_above_hull [eV/atom]"
"""Column of a formation energy above the hull."""


@dataclass(frozen=True)
class Stability:
    """The factor exp(-beta max(E above hull, floor)) of a reward.

    Attributes:
        hull: what energies are measured from.
        beta: inverse temperature, per eV/atom.
        floor: eV/atom. No crystal lies below a true hull: a prediction below about the error of the property is mostly
            an error, and should not be hunted.
    """

    hull: Facets
    beta: float
    floor: float


class Reward:
    """R(x) = exp(-beta E(x)): low values of a property are wanted for beta > 0, high ones for beta < 0.

    The paper's "temperature of 8" is beta = 8 per eV/atom (its Appendix C; the authors' configuration says -8 E).

    Args:
        prop: the property E.
        beta: inverse temperature, 1 / unit of the property.
        stability: a further factor, where E is a formation energy in eV/atom.
        chance, power: a further factor, the chance that a crystal comes out as wanted to some power.
    """

    def __init__(
        self,
        prop: Property,
        beta: float,
        stability: Stability | None = None,
        chance: Chance | None = None,
        power: float = 1.0,
    ) -> None:
        self.property, self.beta, self.stability, self.chance, self.power = prop, beta, stability, chance, power

    @property
    def column(self) -> str:
        """Name of the property's column, with its unit."""
        return f"{self.property.name} [{self.property.unit}]" if self.property.unit else self.property.name

    def __call__(self, crystals: Crystals) -> tuple[Tensor, dict[str, np.ndarray]]:
        """Log-rewards ``(B,)`` float32, and as columns the property, and what else counts: energy above hull, chance.

        Raises:
            PropertyError: the property gave something that is not a finite number; names the crystal.
            DataError: the hull does not know an element of a crystal.
        """
        values = self.property(crystals)
        columns = {self.column: values.cpu().numpy()}
        log_reward = -self.beta * values
        if self.stability is not None:
            hull = self.stability.hull.energies(crystals.elements, crystals.counts)
            above = check_values("energy_above_hull", values - hull, crystals)
            columns[ABOVE_HULL] = above.cpu().numpy()
            log_reward = log_reward - self.stability.beta * above.clamp(min=self.stability.floor)
        if self.chance is not None:
            chance = self.chance(crystals)
            columns["chance"] = chance.cpu().numpy()
            log_reward = log_reward + self.power * chance.clamp(min=1e-12).log()
        return log_reward, columns
