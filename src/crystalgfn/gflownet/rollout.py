"""What a rollout looked like, to be shown while training: made of values that the reward worked out anyway."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from torch import Tensor

from crystalgfn.gflownet.target import CrystalTarget, Target
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.rewards.goals import Goal


@dataclass(frozen=True)
class Rollout:
    """Samples of one rollout of P_F; nothing is worked out before somebody asks.

    Attributes:
        space_group: ``(n,)`` of the samples.
        values: ``(n,)`` of what the reward's first term is about, in its own unit; None for a target without terms.
        goal: of that term.
    """

    space_group: Tensor
    values: Tensor | None = None
    goal: Goal | None = None

    @property
    def n_space_groups(self) -> int:
        """Distinct space groups."""
        return len(torch.unique(self.space_group))

    @property
    def median(self) -> float:
        """Median of the values, NaN without them."""
        return nan if self.values is None else float(np.median(self.values.cpu().numpy()))

    @property
    def best(self) -> float:
        """The value that the goal prefers to all others of the rollout, NaN without values."""
        if self.values is None or self.goal is None:
            return nan
        return float(self.values[int(self.goal(self.values).argmax())])


def query(target: Target, drawn: Trajectories) -> tuple[Tensor, Rollout]:
    """Log-rewards ``(n,)`` of the ends of trajectories, and a summary of these samples; one query of the target."""
    states = drawn.states
    if not isinstance(target, CrystalTarget):
        return target.log_reward(states, drawn.condition), Rollout(states.space_group)
    evaluation = target.evaluate(states, drawn.condition)
    term = target.reward.terms[0]
    values = term.columns(evaluation.values)[term.criterion.column]
    return evaluation.log_reward, Rollout(states.space_group, values, term.criterion.goal)
