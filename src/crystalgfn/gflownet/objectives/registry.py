"""Every training objective by its name in configurations.

To add one, write a class in a file beside this one and put the class into :data:`OBJECTIVES`.
"""

from __future__ import annotations

from typing import Annotated

from crystalgfn.gflownet.objectives.backward import BackwardObjective, LearnedByObjective, TrajectoryLikelihood
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.gflownet.objectives.log_partition_variance import LogPartitionVariance
from crystalgfn.gflownet.objectives.objective import Objective
from crystalgfn.gflownet.objectives.relative_trajectory_balance import RelativeTrajectoryBalance
from crystalgfn.gflownet.objectives.subtrajectory_balance import SubTrajectoryBalance
from crystalgfn.gflownet.objectives.trajectory_balance import TrajectoryBalance
from crystalgfn.section import OneOf

OBJECTIVES: dict[str, type[Objective]] = {
    "vargrad": LogPartitionVariance,
    "tb": TrajectoryBalance,
    "subtb": SubTrajectoryBalance,
    "rtb": RelativeTrajectoryBalance,
    "likelihood": Likelihood,
}
"""Objectives of the forward policy."""

BACKWARD_OBJECTIVES: dict[str, type[BackwardObjective]] = {
    "learned": LearnedByObjective,
    "tlm": TrajectoryLikelihood,
}
"""Objectives of the backward policy."""

WRITTEN_OBJECTIVE = OneOf(OBJECTIVES)
"""How an objective is read and written."""

ConfiguredObjective = Annotated[Objective, WRITTEN_OBJECTIVE]
"""The type of a key that holds an objective."""

ConfiguredBackwardObjective = Annotated[BackwardObjective, OneOf(BACKWARD_OBJECTIVES)]
"""The type of a key that holds an objective of the backward policy."""
