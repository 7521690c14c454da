"""The interface of a stage of the policy: there is one stage per subspace, and every trajectory passes all in order.

All trajectories of a batch pass the first stage in lockstep, then the second, and so on, so only one set of heads runs
at a time. A state is encoded as the sum of the encodings of what each stage has decided so far; the encoding of
finished stages, the *prefix*, is computed once. For training, the states of all trajectories and stages go through the
trunk in one pass (:meth:`Stage.visits`), whose output serves both policies: P_F of leaving a state and P_B of arriving.

A stage is given the steps of all stages before it, ``so_far``, and asks for the steps that it needs by their class:
``so_far.of(SpaceGroupSteps)``.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, Self, TypeVar

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.network import Network
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.trajectories import Steps, Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates

S = TypeVar("S", bound=Steps)
"""The record that a stage makes of a batch of trajectories."""


@dataclass(frozen=True)
class Visits:
    """States that trajectories visit in a stage; the last state of every trajectory comes first.

    Attributes:
        owner: ``(R,)`` int64, trajectory of each state; the first B are 0..B-1, for the states the stage ends in.
        inputs: inputs of the stage's encoder, each ``(R, ...)``.
        forward_only: ``(G, width)``, added to the encoding of the last G states for the forward policy alone, or None.
    """

    owner: Tensor
    inputs: tuple[Tensor, ...]
    forward_only: Tensor | None = None


@dataclass(frozen=True)
class StageScore:
    """Log-probabilities of a stage's transitions, ``(B, S)`` each; 0 where a trajectory has no such transition.

    Attributes:
        log_pf: log-probability of taking the transition forward.
        log_pb: log-probability of taking the transition backward.
        source: ``(B, S)`` int64, row of the state that each transition leaves: 0..B-1 for the stage's entry, then its
            visits; -1 where there is no transition.
    """

    log_pf: Tensor
    log_pb: Tensor
    source: Tensor


class Stage(nn.Module, Generic[S]):
    """Heads of both policies for one subspace.

    Attributes:
        name: name of the subspace, by which the weights and encoders of the stage are named.
        single_parent: whether a single path leads to each state of the subspace, so that P_B is 1 and :meth:`rollback`
            draws nothing. The steps of any other stage hold no masks and nothing else that depends on the space.
    """

    name: ClassVar[str]
    single_parent: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def build(cls, space: CrystalSpace, options: PolicyOptions) -> Self:
        """The stage with random weights, for a space at least as wide as any that it will sample."""

    @abstractmethod
    def encoder(self, width: int) -> nn.Module:
        """A new encoder of this subspace."""

    def source(self, device: torch.device) -> tuple[Tensor, ...] | None:
        """Encoder inputs ``(1, ...)`` of the state that trajectories start in, where this is the first stage.

        None if that state has no encoding.
        """
        return None

    def remember(self, states: CrystalStates) -> None:
        """Remember what the stage keeps of real crystals beside its network; most stages keep nothing.

        Called when the network has been trained: it would learn little beside a table of its own training data.
        """
        return None

    def recognise(self, states: CrystalStates | None, formulas: Tensor | None = None) -> None:
        """Recognise crystals and formulas, to learn how likely they should be; most stages recognise none.

        Called once, before training with a prior.

        Args:
            states: B crystals, such as those that are known; None for no change.
            formulas: ``(F,)`` keys of formulas (:mod:`crystalgfn.crystallography.formula_keys`); None for no change.
        """
        return None

    @abstractmethod
    def rollout(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        space: CrystalSpace,
        epsilon: float,
        generator: Generator,
    ) -> S:
        """Run the forward policy through the stage.

        Args:
            network: encoders and trunk of the forward policy.
            prefix: ``(B, width)`` encoding of the finished stages, and of the condition if there is one.
            so_far: steps of the finished stages.
            space: masks, tables and limits; may be narrower than in training.
            epsilon: share of actions drawn uniformly from the allowed ones.
            generator: source of randomness.
        """

    @abstractmethod
    def rollback(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        states: CrystalStates,
        space: CrystalSpace,
        generator: Generator,
    ) -> S:
        """Run the backward policy through the stage from finished samples; other arguments as in :meth:`rollout`."""

    @abstractmethod
    def visits(self, steps: S, so_far: Trajectories, *, space: CrystalSpace) -> Visits:
        """States visited in the stage, its last states first."""

    @abstractmethod
    def final(self, steps: S, so_far: Trajectories, *, space: CrystalSpace) -> tuple[Tensor, ...]:
        """Encoder inputs of the states the stage ends in, each ``(B, ...)``."""

    @abstractmethod
    def score(
        self, steps: S, so_far: Trajectories, *, space: CrystalSpace, entry: Tensor, forward: Tensor, backward: Tensor
    ) -> StageScore:
        """Log-probabilities of the recorded transitions.

        Args:
            steps: steps of this stage.
            so_far: steps of the finished stages.
            space: the masks under which P_F is normalised.
            entry: ``(B, width)`` last hidden layer of the forward network at the stage's entry; ``(1, width)`` where
                all trajectories start in the same state.
            forward, backward: ``(R, width)`` last hidden layers at :meth:`visits`, for both policies.
        """
