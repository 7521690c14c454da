"""The space-group stage of spaces with sites: the group is chosen at once, so every state has one parent."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.distributions import masked_log_softmax, sample_masked
from crystalgfn.policy.network import Network, SetEncoder, small_head
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.stages.space_group import DIRECT, SpaceGroupSteps
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.space_group import N_GROUPS, SYMMETRY_OF, SYSTEM_OF, SpaceGroupSpace, code_of
from crystalgfn.spaces.states import CrystalStates


class SpaceGroupAtOnceStage(Stage[SpaceGroupSteps]):
    """One head for the 230 groups."""

    name: ClassVar[str] = SpaceGroupSpace.name
    single_parent: ClassVar[bool] = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.group = small_head(width, N_GROUPS)

    @classmethod
    def build(cls, space: CrystalSpace, options: PolicyOptions) -> SpaceGroupAtOnceStage:
        """See :meth:`Stage.build`."""
        return cls(options.width)

    def encoder(self, width: int) -> nn.Module:
        """Embeddings of the 230 groups, and of the system and point symmetry of each."""
        return SetEncoder(1 + N_GROUPS + 54, width, expected=2)

    @staticmethod
    def inputs(space_group: Tensor) -> Tensor:
        """Encoder input ``(R, 2)``; group 0 means that no group is set."""
        device = space_group.device
        code = code_of(SYSTEM_OF.to(device)[space_group], SYMMETRY_OF.to(device)[space_group])
        return torch.stack((space_group, torch.where(space_group > 0, N_GROUPS + code, 0)), 1)

    def source(self, device: torch.device) -> tuple[Tensor]:
        """See :meth:`Stage.source`: nothing is set."""
        return (self.inputs(torch.zeros(1, dtype=torch.int64, device=device)),)

    def rollout(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        space: CrystalSpace,
        epsilon: float,
        generator: Generator,
    ) -> SpaceGroupSteps:
        """See :meth:`Stage.rollout`."""
        entry = prefix if so_far.condition is not None else prefix[:1]
        entry = entry + network.encoders[self.name](*self.source(prefix.device))
        logits = self.group(network.trunk(entry)).expand(len(prefix), -1)
        mask = space.groups.allowed[1:].expand(len(prefix), -1)
        group = 1 + sample_masked(logits, mask, epsilon=epsilon, generator=generator)
        return SpaceGroupSteps(torch.full_like(group, DIRECT), group)

    def rollback(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        states: CrystalStates,
        space: CrystalSpace,
        generator: Generator,
    ) -> SpaceGroupSteps:
        """See :meth:`Stage.rollback`: there is one path."""
        return SpaceGroupSteps(torch.full_like(states.space_group, DIRECT), states.space_group)

    def visits(self, steps: SpaceGroupSteps, so_far: Trajectories, *, space: CrystalSpace) -> Visits:
        """Finished groups alone."""
        group = steps.space_group
        return Visits(torch.arange(len(group), device=group.device), (self.inputs(group),))

    def final(self, steps: SpaceGroupSteps, so_far: Trajectories, *, space: CrystalSpace) -> tuple[Tensor, ...]:
        """See :meth:`Stage.final`."""
        return (self.inputs(steps.space_group),)

    def score(
        self,
        steps: SpaceGroupSteps,
        so_far: Trajectories,
        *,
        space: CrystalSpace,
        entry: Tensor,
        forward: Tensor,
        backward: Tensor,
    ) -> StageScore:
        """See :meth:`Stage.score`."""
        group = steps.space_group
        rows = torch.arange(len(group), device=group.device)
        log_p = masked_log_softmax(self.group(entry), space.groups.allowed[1:])
        log_pf = log_p[rows.clamp(max=len(entry) - 1), group - 1].unsqueeze(1)
        return StageScore(log_pf, torch.zeros_like(log_pf), rows.unsqueeze(1))
