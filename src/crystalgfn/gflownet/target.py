"""What a GFlowNet is asked to sample: an unnormalised log-density over finished states."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.rewards.reward import Reward
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates


class Target(Protocol):
    """Log-reward of states; its normaliser is what training finds."""

    def log_reward(self, states: CrystalStates, condition: Tensor | None = None) -> Tensor:
        """``(B,)`` finite log-rewards of finished states, under conditions ``(B, n)`` in [0, 1] if there are any."""
        ...


class CrystalTarget:
    """A reward made of properties, as a density over the states of a space in the measure of that space.

    Args:
        space: decodes states into crystals and knows the measure.
        reward: log-reward of crystals.
    """

    def __init__(self, space: CrystalSpace, reward: Reward) -> None:
        self.space, self.reward = space, reward

    def log_reward(self, states: CrystalStates, condition: Tensor | None = None) -> Tensor:
        """See :meth:`Target.log_reward`."""
        return self.evaluate(states, condition, deviations=False)[1]

    def evaluate(
        self, states: CrystalStates, condition: Tensor | None = None, *, deviations: bool = True
    ) -> tuple[Crystals, Tensor, dict[str, np.ndarray]]:
        """Crystals, their log-rewards ``(B,)`` and the properties behind them, as columns with units in their names.

        Columns of the deviations of ensembles are among them unless ``deviations`` says that they are not wanted.
        """
        crystals = self.space.crystals(states)
        weights = self.reward.weights(condition) if condition is not None else None
        log_reward, columns = self.reward(crystals, weights, deviations=deviations)
        if self.space.lebesgue:
            log_reward = log_reward + self.space.log_measure(states)
        return crystals, log_reward, columns
