"""Rewards: from properties of crystals to the log-density from which crystals are sampled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from crystalgfn.errors import ConfigError, nearest
from crystalgfn.rewards.asks import Asks, asked_by
from crystalgfn.rewards.goals import Minimise
from crystalgfn.rewards.terms.term import Term
from crystalgfn.rewards.values import Values


class Reward:
    """log R(x): the sum of terms.

    The paper's reward is one term, ``minimise`` of the formation energy with strength 8 per eV/atom (its Appendix C;
    the authors' configuration says -8 E).

    Args:
        terms: summands of the log-reward; the reward without terms is 1.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(terms)

    def __call__(self, values: Values, weights: Tensor | None = None) -> Tensor:
        """Log-rewards ``(B,)`` float32, on the device of the crystals.

        Args:
            values: values of properties of B crystals.
            weights: ``(B, T)``, further factors of the T terms; None for 1.

        Raises:
            PropertyError: the value of a property is not a finite number; names the crystal.
            DataError: a hull has no phase with an element of a crystal.
        """
        parts = [term.log_reward(values) for term in self.terms]
        if weights is not None:
            parts = [part * weights[:, index] for index, part in enumerate(parts)]
        if not parts:
            return torch.zeros(len(values.crystals), device=values.crystals.device)
        log_reward = parts[0]
        for part in parts[1:]:
            log_reward = log_reward + part
        return log_reward

    def columns(self, values: Values) -> dict[str, np.ndarray]:
        """Columns ``(B,)`` of a table of the crystals, term by term, with units in their names."""
        return {name: x.cpu().numpy() for term in self.terms for name, x in term.columns(values).items()}

    @property
    def column(self) -> str:
        """Name of the column with the criterion of the first term, with its unit; the log-reward without terms."""
        return self.terms[0].criterion.column if self.terms else "log_reward"

    @property
    def asks(self) -> Asks:
        """What the reward asks for, which a table of samples states: see :mod:`~crystalgfn.rewards.asks`."""
        return asked_by(term.asks for term in self.terms)

    @property
    def ranking(self) -> tuple[str, list[str]]:
        """Column that samples are ranked by, an energy or ``"log_reward"``, and the columns to show beside it."""
        if len(self.terms) != 1:
            return "log_reward", [term.criterion.column for term in self.terms]
        only = self.terms[0].criterion
        if isinstance(only.goal, Minimise) and only.unit == "eV/atom":
            return only.column, []
        return "log_reward", [only.column]

    def weights(self, condition: Tensor) -> Tensor:
        """Weights ``(B, T)`` of all terms from conditions ``(B, n)`` in [0, 1], each on the log scale of its range."""
        factors, column = [], 0
        for term in self.terms:
            if term.weights is None:
                factors.append(torch.ones_like(condition[:, 0]))
                continue
            low, high = term.weights
            factors.append(low * (high / low) ** condition[:, column])
            column += 1
        return torch.stack(factors, 1)

    def condition(self, chosen: Mapping[str, float]) -> Tensor:
        """The condition ``(n,)`` for chosen weights of terms, by the name of their criterion; other weights are 1.

        Raises:
            ConfigError: the term has no weight to choose, or the weight is outside the range of training.
        """
        ranges = [(term.criterion.name, term.weights) for term in self.terms if term.weights is not None]
        names = [name for name, _ in ranges]
        for name in chosen:
            if name not in names:
                allowed = ", ".join(names) or "none: the model was not trained with weights"
                raise ConfigError(f"weight {name!r}: unknown, allowed: {allowed}{nearest(name, names)}")
        condition = []
        for name, (low, high) in ranges:
            weight = chosen.get(name, min(max(1.0, low), high))
            if not low <= weight <= high:
                raise ConfigError(f"weight {name}: found {weight:g}, allowed: {low:g} to {high:g}, as in training")
            condition.append(math.log(weight / low) / math.log(high / low))
        return torch.tensor(condition)
