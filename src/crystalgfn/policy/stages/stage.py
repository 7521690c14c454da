"""What a stage of the policy promises: one stage a subspace, run one after the other by every trajectory.

In lockstep all trajectories of a batch pass the first stage, then the second, and so on, so only one set of heads runs
at a time. A state is encoded as the sum of the encodings of what each stage has decided so far; the encoding of
finished stages, the *prefix*, is computed once. For training, the states of all trajectories and stages go through the
trunk in one pass (:meth:`Stage.rows`), whose output serves both policies: P_F of leaving a state and P_B of arriving.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Generator, Tensor, nn

from crystalgfn.policy.network import Network
from crystalgfn.spaces.crystal import CrystalSpace, CrystalStates

Steps = TypeVar("Steps")
"""What a stage records of a batch of trajectories; every field has the batch first."""


@dataclass(frozen=True)
class Rows:
    """States of a stage, those at its end first.

    Attributes:
        owner: ``(R,)`` int64, trajectory of each state; the first B are 0..B-1, the states the stage ends in.
        inputs: what the stage's encoder takes, each ``(R, ...)``.
        hints: ``(G, width)``, added to the encoding of the last G states for the forward policy alone, or None.
    """

    owner: Tensor
    inputs: tuple[Tensor, ...]
    hints: Tensor | None = None


@dataclass(frozen=True)
class StageScore:
    """Log-probabilities of a stage's transitions, ``(B, S)`` each; 0 where a trajectory has no such transition.

    Attributes:
        log_pf: of taking the transition forward.
        log_pb: of taking it backward.
        source: ``(B, S)`` int64, row of the state each transition leaves: 0..B-1 the stage's entry, then its rows; -1
            where there is no transition.
    """

    log_pf: Tensor
    log_pb: Tensor
    source: Tensor


class Stage(nn.Module, Generic[Steps]):
    """Heads of both policies for one subspace."""

    index: int
    """Place of the stage among the encoders of a network."""

    @abstractmethod
    def encoder(self, width: int) -> nn.Module:
        """A new encoder of this subspace."""

    @abstractmethod
    def rollout(
        self,
        network: Network,
        prefix: Tensor,
        so_far: Any,
        space: CrystalSpace,
        *,
        epsilon: float,
        generator: Generator,
    ) -> Steps:
        """Run the forward policy through the stage.

        Args:
            network: encoders and trunk of the forward policy.
            prefix: ``(B, width)`` encoding of the finished stages.
            so_far: steps of the finished stages.
            space: masks, tables and limits; may be narrower than that of training.
            epsilon: share of actions drawn uniformly from the allowed ones.
            generator: source of randomness.
        """

    @abstractmethod
    def rollback(
        self, network: Network, prefix: Tensor, states: CrystalStates, space: CrystalSpace, *, generator: Generator
    ) -> Steps:
        """Run the backward policy through the stage from finished samples; arguments as in :meth:`rollout`."""

    @abstractmethod
    def rows(self, steps: Steps, space: CrystalSpace) -> Rows:
        """States visited in the stage, its last ones first."""

    @abstractmethod
    def final(self, steps: Steps, space: CrystalSpace) -> tuple[Tensor, ...]:
        """Encoder inputs of the states the stage ends in, each ``(B, ...)``."""

    @abstractmethod
    def score(self, steps: Steps, space: CrystalSpace, entry: Tensor, forward: Tensor, backward: Tensor) -> StageScore:
        """Log-probabilities of the recorded transitions.

        Args:
            steps: what was recorded.
            space: the masks under which P_F is normalised.
            entry: ``(B, width)`` or ``(1, width)`` last hidden layer of the forward network at the stage's entry.
            forward, backward: ``(R, width)`` the same at :meth:`rows`, for both policies.
        """
