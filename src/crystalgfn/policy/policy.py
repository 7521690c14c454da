"""The forward and backward policies of the whole space: stages in order over one network, or over two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.network import Network, small_head
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Steps, Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates


@dataclass(frozen=True)
class Scores:
    """Log-probabilities of every transition under the current policies.

    Attributes:
        log_pf, log_pb: ``(B, S)``, for the transitions of all stages in order; 0 where a trajectory has none.
        is_step: ``(B, S)`` bool, whether there is a transition.
        log_flow: ``(B, S)`` log of the learned flow of the state that each transition leaves, 0 where there is no
            transition; None if the policy has no flow head.
        columns: which of the S columns hold the transitions of each stage, by the name of the stage.
    """

    log_pf: Tensor
    log_pb: Tensor
    is_step: Tensor
    log_flow: Tensor | None
    columns: Mapping[str, slice] = field(default_factory=dict)

    @property
    def log_pf_sum(self) -> Tensor:
        """``(B,)`` log-probability (density) of the trajectories."""
        return self.log_pf.sum(1)

    @property
    def log_pb_sum(self) -> Tensor:
        """``(B,)`` log-probability (density) of the trajectories backward from their ends."""
        return self.log_pb.sum(1)


class CrystalPolicy(nn.Module):
    """P_F and P_B over a stack of subspaces, one stage each.

    Args:
        stages: in the order in which trajectories pass them.
        options: sizes of the networks, and the options with which the stages were built.

    Attributes:
        stages: stages by name, in order.
    """

    def __init__(self, stages: Sequence[Stage[Any]], options: PolicyOptions) -> None:
        super().__init__()
        self.conditions = options.conditions
        self.stages = cast(Mapping[str, Stage[Any]], nn.ModuleDict({stage.name: stage for stage in stages}))
        self.forward_network = self._network(options)
        self.backward_network = None if options.shared else self._network(options)
        self.flow = small_head(options.width, 1) if options.flow else None

    @property
    def single_parent(self) -> bool:
        """Whether one trajectory leads to each sample, so that its log P_F is the log-likelihood of the sample."""
        return all(stage.single_parent for stage in self.stages.values())

    def _network(self, options: PolicyOptions) -> Network:
        encoders = {name: stage.encoder(options.width) for name, stage in self.stages.items()}
        return Network(encoders, options.width, options.layers, options.conditions, options.dropout)

    @torch.inference_mode()
    def sample(
        self,
        batch: int,
        space: CrystalSpace,
        *,
        epsilon: float = 0.0,
        condition: Tensor | None = None,
        generator: Generator,
    ) -> Trajectories:
        """Draw ``batch`` trajectories with the forward policy, a share ``epsilon`` of actions uniform.

        Args:
            batch: number of trajectories, B.
            space: masks, tables and limits.
            epsilon: share of actions drawn uniformly from the allowed ones.
            condition: ``(B, n)`` in [0, 1], for a conditional policy.
            generator: source of randomness.
        """
        network = self.forward_network

        def forward(stage: Stage[Any], prefix: Tensor, so_far: Trajectories) -> Steps:
            return stage.rollout(network, prefix, so_far=so_far, space=space, epsilon=epsilon, generator=generator)

        return self._walk(network, network.start(batch, condition), condition=condition, space=space, run=forward)

    @torch.inference_mode()
    def sample_backward(
        self, states: CrystalStates, space: CrystalSpace, *, condition: Tensor | None = None, generator: Generator
    ) -> Trajectories:
        """Draw a trajectory that ends in each of ``states`` with the backward policy."""
        network = self.backward_network or self.forward_network

        def backward(stage: Stage[Any], prefix: Tensor, so_far: Trajectories) -> Steps:
            return stage.rollback(network, prefix, so_far=so_far, states=states, space=space, generator=generator)

        return self._walk(
            network, network.start(len(states), condition), condition=condition, space=space, run=backward
        )

    @torch.inference_mode()
    def retraced(self, trajectories: Trajectories, states: CrystalStates, space: CrystalSpace) -> Trajectories:
        """The paths of trajectories as this policy records them in another space, with the masks of that space.

        A stage whose states have one parent goes back over the path. The steps of all other stages are kept.

        Args:
            trajectories: B trajectories of any policy with the same stages, in any space.
            states: the ends of the trajectories in the coordinates of ``space``.
            space: the space to record the paths in, which contains the crystals.
        """
        network, generator = self.forward_network, Generator(device=space.device)

        def again(stage: Stage[Any], prefix: Tensor, so_far: Trajectories) -> Steps:
            if stage.single_parent:
                return stage.rollback(network, prefix, so_far=so_far, states=states, space=space, generator=generator)
            return trajectories.steps[len(so_far.steps)]

        return self._walk(network, network.start(len(states), None), condition=None, space=space, run=again)

    def _walk(
        self,
        network: Network,
        prefix: Tensor,
        *,
        condition: Tensor | None,
        space: CrystalSpace,
        run: Callable[[Stage[Any], Tensor, Trajectories], Steps],
    ) -> Trajectories:
        """Run the stages in order, each on the steps of all stages before it, whose encoding is ``prefix``."""
        trajectories = Trajectories((), condition, space.state_type)
        for name, stage in self.stages.items():
            steps = run(stage, prefix, trajectories)
            if len(trajectories.steps) + 1 < len(self.stages):  # nobody reads the encoding after the last stage
                prefix = prefix + network.encoders[name](*stage.final(steps, trajectories, space=space))
            trajectories = trajectories.followed_by(steps)
        return trajectories

    def remember(self, states: CrystalStates) -> None:
        """Let every stage remember what it keeps of real crystals beside its network, once training is over."""
        for stage in self.stages.values():
            stage.remember(states)

    def recognise(self, states: CrystalStates | None, formulas: Tensor | None = None) -> None:
        """Let every stage recognise crystals and formulas, before training teaches it how likely they should be."""
        for stage in self.stages.values():
            stage.recognise(states, formulas)

    def score(self, trajectories: Trajectories, space: CrystalSpace) -> Scores:
        """Log-probabilities of every transition, with gradients: all states in one pass through the trunk."""
        passages = [
            (stage, steps, trajectories.first(before))
            for before, (stage, steps) in enumerate(zip(self.stages.values(), trajectories.steps, strict=True))
        ]
        visits = [stage.visits(steps, so_far, space=space) for stage, steps, so_far in passages]
        forward = self._hidden(self.forward_network, trajectories, visits)
        backward = self._hidden(self.backward_network, trajectories, visits) if self.backward_network else forward
        scores: list[StageScore] = []
        flows: list[Tensor] = []
        entry = forward[0]
        for (stage, steps, so_far), z, z_back in zip(passages, forward[1:], backward[1:], strict=True):
            score = stage.score(steps, so_far, space=space, entry=entry, forward=z, backward=z_back)
            scores.append(score)
            if self.flow is not None:
                whole = torch.cat((entry.expand(len(trajectories), -1), z))
                flows.append(self.flow(whole).squeeze(1)[score.source.clamp(min=0)] * (score.source >= 0))
            entry = z[: len(trajectories)]
        ends = accumulate((score.source.shape[1] for score in scores), initial=0)
        return Scores(
            torch.cat([s.log_pf for s in scores], 1),
            torch.cat([s.log_pb for s in scores], 1),
            torch.cat([s.source >= 0 for s in scores], 1),
            torch.cat(flows, 1) if flows else None,
            {name: slice(*pair) for name, pair in zip(self.stages, pairwise(ends), strict=True)},
        )

    def _hidden(self, network: Network, trajectories: Trajectories, visits: Sequence[Visits]) -> tuple[Tensor, ...]:
        """Last hidden layers at the source, ``(1, width)`` or ``(B, width)``, and at the visits to each stage."""
        condition = network.encode_condition(trajectories.condition)
        encodings, prefix = [self._source(network, condition)], condition
        for visit, encoder in zip(visits, network.encoders.values(), strict=True):
            encoding = encoder(*visit.inputs)
            if visit.forward_only is not None and network is self.forward_network:
                above = len(encoding) - len(visit.forward_only)
                encoding = encoding + nn.functional.pad(visit.forward_only, (0, 0, above, 0))
            encodings.append(encoding if prefix is None else encoding + prefix.index_select(0, visit.owner))
            prefix = encodings[-1][: len(trajectories)]
        z: Tensor = network.trunk(torch.cat(encodings))
        return z.split([len(encoding) for encoding in encodings])

    def _source(self, network: Network, condition: Tensor | None) -> Tensor:
        """Encoding of the state in which trajectories start: ``(1, width)``, or ``(B, width)`` under conditions."""
        name, first = next(iter(self.stages.items()))
        inputs = first.source(network.device)
        encoding = network.start(1, None) if inputs is None else network.encoders[name](*inputs)
        return encoding if condition is None else encoding + condition
