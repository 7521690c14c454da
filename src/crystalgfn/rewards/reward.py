"""Rewards: from the properties of crystals to the log-density they are sampled from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, nearest
from crystalgfn.properties.registry import CheckedProperty, check_values
from crystalgfn.rewards.goals import Goal, Minimise
from crystalgfn.rewards.success_probability import Chance
from crystalgfn.stability.facets import Facets

ABOVE_HULL = "energy_above_hull [eV/atom]"
"""Column of a formation energy above the hull."""


@dataclass(frozen=True)
class Term:
    """``strength`` times what ``goal`` makes of a property.

    Attributes:
        prop: the property.
        goal: what is wanted of it.
        strength: factor of the log-reward.
        caution: standard deviations by which values are worsened before the goal sees them.
        weights: least and most of a further factor that is chosen when sampling, for conditional models; None for 1.
    """

    prop: CheckedProperty
    goal: Goal
    strength: float = 1.0
    caution: float = 0.0
    weights: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.caution and not self.prop.has_deviation:
            raise ConfigError(f"caution: {self.prop.name!r} has no ensemble, allowed: 0, or another property")

    @property
    def column(self) -> str:
        """Name of the property's column, with its unit."""
        return f"{self.prop.name} [{self.prop.unit}]" if self.prop.unit else self.prop.name

    @property
    def deviation_column(self) -> str:
        """Name of the column of the ensemble's standard deviation."""
        return self.column.replace(self.prop.name, f"{self.prop.name}_std", 1)

    def __call__(self, crystals: Crystals, *, deviations: bool = True) -> tuple[Tensor, dict[str, np.ndarray]]:
        """Log-rewards ``(B,)``, and the property as a column, with its deviation where an ensemble gives one.

        Args:
            crystals: B of them.
            deviations: whether the column of deviations is wanted; training does without.
        """
        if not self.prop.has_deviation or not (deviations or self.caution):
            values = self.prop(crystals)
            return self.strength * self.goal(values), {self.column: values.cpu().numpy()}
        values, deviation = self.prop.with_deviation(crystals)
        columns = {self.column: values.cpu().numpy(), self.deviation_column: deviation.cpu().numpy()}
        if not self.caution:
            return self.strength * self.goal(values), columns
        margin = self.caution * deviation  # whichever end of the interval is worse, for any shape of goal
        return self.strength * torch.minimum(self.goal(values - margin), self.goal(values + margin)), columns


@dataclass(frozen=True)
class Stability:
    """The term -beta max(E above hull, floor) of a log-reward.

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
    """log R(x): the sum of terms.

    The paper's reward is one term, ``minimise`` of the formation energy with strength 8 per eV/atom (its Appendix C;
    the authors' configuration says -8 E).

    Args:
        terms: at least one.
        stability: a further term, where the first term's property is a formation energy in eV/atom.
        chance, power: a further term, the chance that a crystal comes out as wanted to some power.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        stability: Stability | None = None,
        chance: Chance | None = None,
        power: float = 1.0,
    ) -> None:
        if not terms:
            raise ConfigError("objective: found no term, allowed: 1 or more")
        self.terms, self.stability, self.chance, self.power = tuple(terms), stability, chance, power

    @property
    def column(self) -> str:
        """Name of the first property's column, with its unit."""
        return self.terms[0].column

    @property
    def weighted(self) -> list[Term]:
        """Terms whose weights are chosen when sampling: what a conditional model is conditional on."""
        return [term for term in self.terms if term.weights is not None]

    def weights(self, condition: Tensor) -> Tensor:
        """Weights ``(B, T)`` of all terms from conditions ``(B, n)`` in [0, 1], each on the log scale of its range."""
        found, column = [], 0
        for term in self.terms:
            if term.weights is None:
                found.append(torch.ones_like(condition[:, 0]))
                continue
            low, high = term.weights
            found.append(low * (high / low) ** condition[:, column])
            column += 1
        return torch.stack(found, 1)

    def condition(self, chosen: Mapping[str, float]) -> Tensor:
        """The condition ``(n,)`` at which terms have the chosen weights, by name of the property; 1 for the others.

        Raises:
            ConfigError: a name without a weight to choose, or a weight outside the range of training.
        """
        names = [term.prop.name for term in self.weighted]
        for name in chosen:
            if name not in names:
                allowed = ", ".join(names) or "none: the model was not trained with weights"
                raise ConfigError(f"weight {name!r}: unknown, allowed: {allowed}{nearest(name, names)}")
        found = []
        for term in self.weighted:
            assert term.weights is not None
            (low, high), name = term.weights, term.prop.name
            weight = chosen.get(name, min(max(1.0, low), high))
            if not low <= weight <= high:
                raise ConfigError(f"weight {name}: found {weight:g}, allowed: {low:g} to {high:g}, as in training")
            found.append(math.log(weight / low) / math.log(high / low))
        return torch.tensor(found)

    @property
    def ranking(self) -> tuple[str, list[str]]:
        """Column that samples are ranked by, an energy or ``"log_reward"``, and the columns to show beside it."""
        only = self.terms[0]
        if len(self.terms) == 1 and isinstance(only.goal, Minimise) and only.prop.unit == "eV/atom":
            return only.column, []
        return "log_reward", [term.column for term in self.terms]

    def __call__(
        self, crystals: Crystals, weights: Tensor | None = None, *, deviations: bool = True
    ) -> tuple[Tensor, dict[str, np.ndarray]]:
        """Log-rewards ``(B,)`` float32, and as columns the properties, and what else counts: energy above hull, chance.

        Args:
            crystals: B of them.
            weights: ``(B, T)``, further factors of the terms; None for 1.
            deviations: whether columns of deviations are wanted.

        Raises:
            PropertyError: a property gave something that is not a finite number; names the crystal.
            DataError: the hull does not know an element of a crystal.
        """
        columns: dict[str, np.ndarray] = {}
        log_reward: Tensor | None = None
        for index, term in enumerate(self.terms):
            part, found = term(crystals, deviations=deviations)
            if weights is not None:
                part = part * weights[:, index]
            columns |= found
            log_reward = part if log_reward is None else log_reward + part
        assert log_reward is not None
        if self.stability is not None:
            hull = self.stability.hull.energies(crystals.elements, crystals.counts)
            values = torch.as_tensor(columns[self.column], device=hull.device)
            above = check_values("energy_above_hull", values - hull, crystals)
            columns[ABOVE_HULL] = above.cpu().numpy()
            log_reward = log_reward - self.stability.beta * above.clamp(min=self.stability.floor)
        if self.chance is not None:
            chance = self.chance(crystals)
            columns["chance"] = chance.cpu().numpy()
            log_reward = log_reward + self.power * chance.clamp(min=1e-12).log()
        return log_reward, columns
