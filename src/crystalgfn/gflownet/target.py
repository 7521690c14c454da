"""What a GFlowNet samples: an unnormalised log-density over terminal states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from crystalgfn.crystallography.sites.keys import log_writings
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.rewards.reward import Reward
from crystalgfn.rewards.values import Values
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.site_states import SiteStates
from crystalgfn.spaces.states import CrystalStates


class Target(Protocol):
    """Log-rewards of terminal states; training finds the normaliser of their density."""

    def log_reward(self, states: CrystalStates, condition: Tensor | None = None) -> Tensor:
        """Finite log-rewards ``(B,)`` of terminal states, under conditions ``(B, n)`` in [0, 1] if there are any."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """Result of a query of a reward; tensors are on the device of the states.

    Attributes:
        log_reward: ``(B,)``.
        values: values of the properties behind the log-reward, for columns of tables and for progress reports.
        reward: the reward that was queried.
    """

    log_reward: Tensor
    values: Values
    reward: Reward

    @property
    def crystals(self) -> Crystals:
        """The B crystals."""
        return self.values.crystals

    def columns(self) -> dict[str, np.ndarray]:
        """Columns ``(B,)`` of a table of the crystals, with units in their names."""
        return self.reward.columns(self.values)


class CrystalTarget:
    """A reward of crystals as a density over the states of a space, in the measure of that space.

    Where crystals have sites, each is several states, its writings (:mod:`crystalgfn.spaces.writings`); these share its
    reward, so that the target is one density over crystals whatever letters the normalizer exchanges. A target that is
    multiplied with a prior takes the whole reward for each writing: the prior says how its probability is shared.

    Args:
        space: space that decodes states into crystals and defines the measure.
        reward: log-reward of crystals.
        whole: whether each writing of a crystal has its whole reward.
    """

    def __init__(self, space: CrystalSpace, reward: Reward, *, whole: bool = False) -> None:
        self.space, self.reward, self.whole = space, reward, whole

    def log_reward(self, states: CrystalStates, condition: Tensor | None = None) -> Tensor:
        """See :meth:`Target.log_reward`."""
        return self.evaluate(states, condition).log_reward

    def evaluate(
        self, states: CrystalStates, condition: Tensor | None = None, *, deviations: bool = False
    ) -> Evaluation:
        """Log-rewards of states, and the values behind them.

        Args:
            states: B terminal states.
            condition: ``(B, n)`` in [0, 1], for a conditional policy.
            deviations: whether columns should include the standard deviations of ensembles.
        """
        values = Values(self.space.crystals(states), deviations=deviations)
        log_reward = self.reward(values, self.reward.weights(condition) if condition is not None else None)
        if self.space.lebesgue:
            log_reward = log_reward + self.space.log_measure(states)
        if isinstance(states, SiteStates) and not self.whole:
            writings = log_writings(states.space_group, states.slots, states.letters)
            log_reward = log_reward - writings.to(log_reward.dtype)
        return Evaluation(log_reward, values, self.reward)
