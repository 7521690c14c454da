"""Summaries of rollouts, to be shown during training, from values that the reward computes anyway."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan

import numpy as np
import torch
from torch import Tensor

from crystalgfn.gflownet.ranks import Ranks
from crystalgfn.gflownet.target import CrystalTarget, Target
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.rewards.goals import Goal


@dataclass(frozen=True)
class Rollout:
    """Samples of one rollout of P_F; statistics are computed only when they are read.

    Attributes:
        space_group: ``(n,)``, 1..230, space groups of the samples.
        values: ``(n,)``, the criterion of the reward's first term, in its unit; None for a target without terms.
        goal: goal of that term.
    """

    space_group: Tensor
    values: Tensor | None = None
    goal: Goal | None = None

    def of_all(self, ranks: Ranks) -> Rollout:
        """The samples of all processes that train together."""
        values = None if self.values is None else ranks.joined(self.values)
        return replace(self, space_group=ranks.joined(self.space_group), values=values)

    @property
    def n_space_groups(self) -> int:
        """Number of distinct space groups."""
        return len(torch.unique(self.space_group))

    @property
    def median(self) -> float:
        """Median of the values; NaN without values."""
        return nan if self.values is None else float(np.median(self.values.cpu().numpy()))

    @property
    def best(self) -> float:
        """The value of the rollout that the goal prefers; NaN without values."""
        if self.values is None or self.goal is None:
            return nan
        return float(self.values[int(self.goal(self.values).argmax())])


def query(target: Target, drawn: Trajectories) -> tuple[Tensor, Rollout]:
    """Log-rewards ``(n,)`` of the samples that trajectories end in, and their summary, from one query of the target."""
    states = drawn.states
    if not isinstance(target, CrystalTarget):
        return target.log_reward(states, drawn.condition), Rollout(states.space_group)
    evaluation = target.evaluate(states, drawn.condition)
    if not target.reward.terms:
        return evaluation.log_reward, Rollout(states.space_group)
    term = target.reward.terms[0]
    values = term.columns(evaluation.values)[term.criterion.column]
    return evaluation.log_reward, Rollout(states.space_group, values, term.criterion.goal)
