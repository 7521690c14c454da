"""Trajectories: what each stage recorded of a batch, one stage after the other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from crystalgfn.spaces.batch import TensorBatch
from crystalgfn.spaces.states import CrystalStates


@dataclass(frozen=True)
class Steps(TensorBatch):
    """What a stage records of B trajectories. A subclass whose rows are padded overrides slicing and joining.

    Steps are recorded in inference mode, so a layer with gradients needs a copy of their tensors.
    """

    @abstractmethod
    def outcome(self) -> dict[str, Tensor]:
        """Fields of the :class:`~crystalgfn.spaces.states.CrystalStates` that the stage ends in, each ``(B, ...)``."""


S = TypeVar("S", bound=Steps)


@dataclass(frozen=True)
class Trajectories:
    """A batch of trajectories, stage by stage; complete, or through the stages that are finished so far.

    Attributes:
        steps: one record per stage, in order.
        condition: ``(B, n)``, the condition under which the trajectories were drawn, if any.
        state_type: class of the states in which complete trajectories end.
    """

    steps: tuple[Steps, ...] = ()
    condition: Tensor | None = None
    state_type: type[CrystalStates] = CrystalStates

    def __len__(self) -> int:
        return len(self.steps[0])

    @property
    def states(self) -> CrystalStates:
        """The samples that complete trajectories end in."""
        return self.state_type(**{name: value for steps in self.steps for name, value in steps.outcome().items()})

    def of(self, kind: type[S]) -> S:
        """The steps of a class, as ``trajectories.of(LatticeSteps)``.

        Raises:
            LookupError: no stage recorded any.
        """
        for steps in self.steps:
            if isinstance(steps, kind):
                return steps
        raise LookupError(f"no {kind.__name__} among {', '.join(type(steps).__name__ for steps in self.steps)}")

    def first(self, stages: int) -> Trajectories:
        """The trajectories through the first ``stages`` stages."""
        return replace(self, steps=self.steps[:stages])

    def followed_by(self, steps: Steps) -> Trajectories:
        """The trajectories through one more stage."""
        return replace(self, steps=(*self.steps, steps))

    def with_steps(self, steps: Steps) -> Trajectories:
        """The trajectories with these steps in place of the steps of the same class."""
        return replace(self, steps=tuple(steps if isinstance(old, type(steps)) else old for old in self.steps))

    def __getitem__(self, rows: Tensor | slice) -> Trajectories:
        condition = None if self.condition is None else self.condition[rows]
        return replace(self, steps=tuple(steps[rows] for steps in self.steps), condition=condition)

    @staticmethod
    def concatenate(parts: Sequence[Trajectories]) -> Trajectories:
        """Join batches of the same space."""
        conditions = [part.condition for part in parts if part.condition is not None]
        stages = zip(*(part.steps for part in parts), strict=True)
        steps = tuple(type(records[0]).concatenate(records) for records in stages)
        return replace(parts[0], steps=steps, condition=torch.cat(conditions) if conditions else None)
