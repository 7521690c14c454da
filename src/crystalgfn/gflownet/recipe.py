"""Hyperparameters of training; the configuration validates them when it is read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from crystalgfn.errors import ConfigError
from crystalgfn.gflownet.objectives.backward import BackwardObjective, TrajectoryLikelihood
from crystalgfn.gflownet.objectives.log_partition_variance import LogPartitionVariance
from crystalgfn.gflownet.objectives.objective import Objective


def usual_rollout(batch_size: int) -> int:
    """Default number of batches per rollout: 5, or as many as make 200 trajectories, below which drawing is slow."""
    return max(5, -(-200 // batch_size))


@dataclass(frozen=True)
class TrainingRecipe:
    """Objective, optimiser and exploration; :class:`crystalgfn.config.TrainingConfig` documents each field."""

    iterations: int
    batch_size: int = 100
    rollout_batches: int = 5
    passes: int = 1
    objective: Objective = field(default_factory=LogPartitionVariance)
    backward: BackwardObjective = field(default_factory=TrajectoryLikelihood)
    lr: float = 3e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    clip: float | None = 1.0
    ema: float = 0.995
    epsilon: float = 0.05
    epsilon_final: float = 0.0
    replay_share: float = 0.0
    replay_capacity: int = 10_000
    replay_start: int = 1_000
    data_share: float = 0.0

    def share(self, ranks: int) -> TrainingRecipe:
        """The recipe of each of several processes that train together: its part of a batch and of the replay buffer.

        Raises:
            ConfigError: a batch cannot be divided evenly.
        """
        each, rest = divmod(self.batch_size, ranks)
        if rest:
            above = self.batch_size + ranks - rest
            below = f"{self.batch_size - rest} or " if each else ""
            raise ConfigError(
                f"training.batch_size: found {self.batch_size} for {ranks} processes, allowed: a multiple of {ranks}, "
                f"such as {below}{above}"
            )
        capacity, start = (-(-number // ranks) for number in (self.replay_capacity, self.replay_start))
        return replace(self, batch_size=each, replay_capacity=capacity, replay_start=start)

    def lr_factor(self, share: float) -> float:
        """Factor of the learning rate after this share of the iterations; cosine decay ends at 1 %."""
        if self.schedule == "constant":
            return 1.0
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
