"""The forward and backward policies of the whole space: stages in order over one network, or over two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.network import Network, small_head
from crystalgfn.policy.stages.composition import CompositionStage, CompositionSteps, LookAhead
from crystalgfn.policy.stages.lattice import LatticeStage, LatticeSteps
from crystalgfn.policy.stages.space_group import SpaceGroupStage, SpaceGroupSteps
from crystalgfn.policy.stages.stage import Stage, StageScore
from crystalgfn.spaces.crystal import CrystalSpace, CrystalStates


@dataclass(frozen=True)
class Trajectories:
    """A batch of complete trajectories, stage by stage, and the condition ``(B, n)`` they were drawn under, if any."""

    space_group: SpaceGroupSteps
    composition: CompositionSteps
    lattice: LatticeSteps
    condition: Tensor | None = None

    def __len__(self) -> int:
        return len(self.space_group.space_group)

    @property
    def states(self) -> CrystalStates:
        """The samples the trajectories end in."""
        composition = self.composition
        return CrystalStates(self.space_group.space_group, composition.elements, composition.counts, self.lattice.last)

    def __getitem__(self, rows: slice) -> Trajectories:
        return Trajectories(
            SpaceGroupSteps(*_cut(self.space_group, rows)),
            CompositionSteps(*_cut(self.composition, rows)),
            LatticeSteps(*_cut(self.lattice, rows)).trimmed(),
            None if self.condition is None else self.condition[rows],
        )

    @staticmethod
    def concatenate(parts: Sequence[Trajectories]) -> Trajectories:
        """Join batches of the same space; lattice points are padded to the longest."""
        longest = max(p.lattice.u.shape[1] for p in parts)
        conditions = [p.condition for p in parts if p.condition is not None]
        u = [torch.nn.functional.pad(p.lattice.u, (0, 0, 0, longest - p.lattice.u.shape[1])) for p in parts]
        return Trajectories(
            SpaceGroupSteps(*_joined([p.space_group for p in parts])),
            CompositionSteps(*_joined([p.composition for p in parts])),
            LatticeSteps(
                torch.cat(u),
                torch.cat([p.lattice.length for p in parts]),
                torch.cat([p.lattice.free for p in parts]),
            ),
            torch.cat(conditions) if conditions else None,
        )


def _cut(steps: Any, rows: slice) -> list[Tensor]:
    return [getattr(steps, f.name)[rows] for f in fields(steps)]


def _joined(parts: Sequence[Any]) -> list[Tensor]:
    return [torch.cat([getattr(p, f.name) for p in parts]) for f in fields(parts[0])]


def _joined_with(encoding: Tensor, given: Tensor | None) -> Tensor:
    return encoding if given is None else encoding + given


@dataclass(frozen=True)
class Scores:
    """Log-probabilities of every transition under the current policies.

    Attributes:
        log_pf, log_pb: ``(B, S)``, transitions of all stages in order; 0 where a trajectory has none.
        is_step: ``(B, S)`` bool, whether there is a transition.
        log_flow: ``(B, S)`` log of the learned flow of the state each transition leaves, 0 where there is none; None if
            the policy has no flow head.
    """

    log_pf: Tensor
    log_pb: Tensor
    is_step: Tensor
    log_flow: Tensor | None

    @property
    def log_pf_sum(self) -> Tensor:
        """``(B,)`` log-probability (density) of the trajectories."""
        return self.log_pf.sum(1)

    @property
    def log_pb_sum(self) -> Tensor:
        """``(B,)`` log-probability (density) of the trajectories backward from their ends."""
        return self.log_pb.sum(1)


class CrystalPolicy(nn.Module):
    """P_F and P_B over space group, composition and lattice.

    Args:
        n_elements: D, elements of the vocabulary.
        max_count: K, most atoms of one element per primitive cell.
        width, layers: of the trunk (paper: 3 x 256).
        shared: one network for both policies; False gives P_B its own (paper).
        components: Beta distributions a mixture.
        beta_range: bounds of their parameters.
        flow: whether to learn the flow of states, for SubTB.
        look_ahead: what the element head starts from, see :mod:`.composition_stage`.
        conditions: numbers in [0, 1] that both policies are conditional on, such as weights of the reward's terms.
    """

    def __init__(
        self,
        n_elements: int,
        max_count: int,
        *,
        width: int = 256,
        layers: int = 3,
        shared: bool = True,
        components: int = 5,
        beta_range: tuple[float, float] = (1.0, 100.0),
        flow: bool = False,
        look_ahead: LookAhead = "counts",
        conditions: int = 0,
    ) -> None:
        super().__init__()
        self.conditions = conditions
        self.space_group = SpaceGroupStage(width)
        self.composition = CompositionStage(width, n_elements, max_count, look_ahead)
        self.lattice = LatticeStage(width, components=components, low=beta_range[0], high=beta_range[1])
        self.forward_network = self._network(width, layers)
        self.backward_network = None if shared else self._network(width, layers)
        self.flow = small_head(width, 1) if flow else None

    @property
    def stages(self) -> list[Stage[Any]]:
        """In the order in which trajectories pass them."""
        return [self.space_group, self.composition, self.lattice]

    def _network(self, width: int, layers: int) -> Network:
        return Network([stage.encoder(width) for stage in self.stages], width, layers, self.conditions)

    @property
    def _device(self) -> torch.device:
        return self.forward_network.trunk.bias.device

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
            batch: B.
            space: masks, tables and limits.
            epsilon: share of actions drawn uniformly from the allowed ones.
            condition: ``(B, n)`` in [0, 1], for a conditional policy.
            generator: source of randomness.
        """
        network, encoders = self.forward_network, self.forward_network.encoders
        given = network.given(condition)
        prefix = torch.zeros(batch, network.trunk.bias.shape[0], device=self._device) if given is None else given
        groups = self.space_group.rollout(network, prefix, None, space, epsilon=epsilon, generator=generator)
        prefix = _joined_with(encoders[0](*self.space_group.final(groups, space)), given)
        composition = self.composition.rollout(network, prefix, groups, space, epsilon=epsilon, generator=generator)
        prefix = prefix + encoders[1](*self.composition.final(composition, space))
        lattice = self.lattice.rollout(network, prefix, groups, space, epsilon=epsilon, generator=generator)
        return Trajectories(groups, composition, lattice, condition)

    @torch.inference_mode()
    def sample_backward(
        self, states: CrystalStates, space: CrystalSpace, *, condition: Tensor | None = None, generator: Generator
    ) -> Trajectories:
        """Draw a trajectory that ends in each of ``states`` with the backward policy."""
        network = self.backward_network or self.forward_network
        given = network.given(condition)
        prefix = torch.zeros(len(states), network.trunk.bias.shape[0], device=self._device) if given is None else given
        groups = self.space_group.rollback(network, prefix, states, space, generator=generator)
        prefix = _joined_with(network.encoders[0](*self.space_group.final(groups, space)), given)
        composition = self.composition.rollback(network, prefix, states, space, generator=generator)
        prefix = prefix + network.encoders[1](*self.composition.final(composition, space))
        lattice = self.lattice.rollback(network, prefix, states, space, generator=generator)
        return Trajectories(groups, composition, lattice, condition)

    def score(self, trajectories: Trajectories, space: CrystalSpace) -> Scores:
        """Log-probabilities of every transition, with gradients: all states in one pass through the trunk."""
        steps: list[Any] = [trajectories.space_group, trajectories.composition, trajectories.lattice]
        rows = [stage.rows(taken, space) for stage, taken in zip(self.stages, steps, strict=True)]
        root = self.space_group.root(self._device)
        sizes = [1 if trajectories.condition is None else len(trajectories), *(len(r.owner) for r in rows)]

        def hidden(network: Network) -> tuple[Tensor, ...]:
            prefix = network.given(trajectories.condition)
            encodings = [_joined_with(network.encoders[0](root), prefix)]
            for stage_rows, encoder in zip(rows, network.encoders, strict=True):
                own = encoder(*stage_rows.inputs)
                if stage_rows.hints is not None and network is self.forward_network:
                    own = own + nn.functional.pad(stage_rows.hints, (0, 0, len(own) - len(stage_rows.hints), 0))
                encodings.append(own if prefix is None else own + prefix.index_select(0, stage_rows.owner))
                prefix = encodings[-1][: len(trajectories)]
            z: Tensor = network.trunk(torch.cat(encodings))
            return z.split(sizes)

        forward = hidden(self.forward_network)
        backward = hidden(self.backward_network) if self.backward_network else forward
        scores: list[StageScore] = []
        flows: list[Tensor] = []
        entry = forward[0]
        for stage, taken, z, z_back in zip(self.stages, steps, forward[1:], backward[1:], strict=True):
            score = stage.score(taken, space, entry, z, z_back)
            scores.append(score)
            if self.flow is not None:
                whole = torch.cat((entry.expand(len(trajectories), -1), z))
                flows.append(self.flow(whole).squeeze(1)[score.source.clamp(min=0)] * (score.source >= 0))
            entry = z[: len(trajectories)]
        return Scores(
            torch.cat([s.log_pf for s in scores], 1),
            torch.cat([s.log_pb for s in scores], 1),
            torch.cat([s.source >= 0 for s in scores], 1),
            torch.cat(flows, 1) if flows else None,
        )
