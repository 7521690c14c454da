"""The space-group stage: up to three properties set in any order, so P_B chooses among several parents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.distributions import masked_log_softmax, sample_masked
from crystalgfn.policy.network import Network, SetEncoder, small_head
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Steps, Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.space_group import (
    FIRST_GROUP_ACTION,
    N_ACTIONS,
    N_CODES,
    N_GROUPS,
    N_SYMMETRIES,
    N_SYSTEMS,
    SYMMETRY_OF,
    SYSTEM_OF,
    SpaceGroupSpace,
    code_of,
)
from crystalgfn.spaces.states import CrystalStates

DIRECT, SYSTEM, SYMMETRY, SYSTEM_SYMMETRY, SYMMETRY_SYSTEM = range(5)
"""The five paths to a space group: at once, after its system, after its symmetry, or after both in either order."""


@dataclass(frozen=True)
class SpaceGroupSteps(Steps):
    """Space groups and the paths to them.

    Attributes:
        path: ``(B,)`` int64, 0..4, which of the five paths led to the space group.
        space_group: ``(B,)`` int64, 1..230.
    """

    path: Tensor
    space_group: Tensor

    def outcome(self) -> dict[str, Tensor]:
        """See :meth:`Steps.outcome`."""
        return {"space_group": self.space_group}


class SpaceGroupStage(Stage[SpaceGroupSteps]):
    """Heads: 243 forward actions; backward, the 4 parents of a finished group and the 2 of a (system, symmetry)."""

    name: ClassVar[str] = SpaceGroupSpace.name

    def __init__(self, width: int) -> None:
        super().__init__()
        self.action = small_head(width, N_ACTIONS)
        self.parent = small_head(width, 4)
        self.unset = small_head(width, 2)

    @classmethod
    def build(cls, space: CrystalSpace, options: PolicyOptions) -> SpaceGroupStage:
        """See :meth:`Stage.build`."""
        return cls(options.width)

    def encoder(self, width: int) -> nn.Module:
        """Embeddings of the 54 codes and of the 230 groups."""
        return SetEncoder(1 + N_CODES + N_GROUPS, width, expected=2)

    @staticmethod
    def inputs(code: Tensor, space_group: Tensor) -> Tensor:
        """Encoder input ``(R, 2)`` of states ``(R,)``; group 0 means that no group is set."""
        return torch.stack((1 + code, torch.where(space_group > 0, N_CODES + space_group, 0)), 1)

    @staticmethod
    def _properties(space_group: Tensor) -> tuple[Tensor, Tensor]:
        device = space_group.device
        return SYSTEM_OF.to(device)[space_group], SYMMETRY_OF.to(device)[space_group]

    def source(self, device: torch.device) -> tuple[Tensor]:
        """See :meth:`Stage.source`: nothing is set."""
        zero = torch.zeros(1, dtype=torch.int64, device=device)
        return (self.inputs(zero, zero),)

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
        groups, batch, device, encoder = space.groups, len(prefix), prefix.device, network.encoders[self.name]
        code = torch.zeros(batch, dtype=torch.int64, device=device)
        group, path = torch.zeros_like(code), torch.zeros_like(code)
        rows = torch.arange(batch, device=device)
        first = not so_far.steps
        shared_source = first and so_far.condition is None  # all trajectories start in the same state
        start = prefix
        if first:
            encoding = encoder(*self.source(device))
            start = encoding if shared_source else encoding + prefix
        logits = self.action(network.trunk(start)).expand(batch, -1)
        for step in range(3):
            mask = groups.mask[code[rows]]
            action = sample_masked(logits, mask, epsilon=epsilon, generator=generator)
            group[rows] = (action - FIRST_GROUP_ACTION + 1).clamp(min=0)
            is_system, is_symmetry = action < N_SYSTEMS, (action >= N_SYSTEMS) & (action < FIRST_GROUP_ACTION)
            code[rows] += torch.where(is_system, (action + 1) * (N_SYMMETRIES + 1), 0)
            code[rows] += torch.where(is_symmetry, action - N_SYSTEMS + 1, 0)
            if step == 0:
                path[rows] = torch.where(is_system, SYSTEM, torch.where(is_symmetry, SYMMETRY, DIRECT))
            elif step == 1:
                path[rows] += torch.where(is_system | is_symmetry, SYSTEM_SYMMETRY - SYSTEM, 0)
            rows = rows[is_system | is_symmetry]
            if len(rows) == 0:
                break
            encoding = encoder(self.inputs(code[rows], group[rows]))
            logits = self.action(network.trunk(encoding if shared_source else encoding + prefix[rows]))
        return SpaceGroupSteps(path, group)

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
        """See :meth:`Stage.rollback`."""
        encoder = network.encoders[self.name]
        system, symmetry = self._properties(states.space_group)
        code, unset = code_of(system, symmetry), torch.zeros_like(system)
        logits = self.parent(network.trunk(encoder(self.inputs(code, states.space_group)) + prefix))
        path = sample_masked(logits, torch.ones_like(logits, dtype=torch.bool), epsilon=0.0, generator=generator)
        logits = self.unset(network.trunk(encoder(self.inputs(code, unset)) + prefix))
        order = sample_masked(logits, torch.ones_like(logits, dtype=torch.bool), epsilon=0.0, generator=generator)
        return SpaceGroupSteps(path + torch.where(path == SYSTEM_SYMMETRY, order, 0), states.space_group)

    def visits(self, steps: SpaceGroupSteps, so_far: Trajectories, *, space: CrystalSpace) -> Visits:
        """Finished groups, then states with one property set, then states with two."""
        path, group = steps.path, steps.space_group
        system, symmetry = self._properties(group)
        one, two = (path >= SYSTEM).nonzero().squeeze(1), (path >= SYSTEM_SYMMETRY).nonzero().squeeze(1)
        by_system = (path == SYSTEM) | (path == SYSTEM_SYMMETRY)
        partial_code = torch.where(by_system, code_of(system, 0 * system), symmetry)
        full_code = code_of(system, symmetry)
        all_rows = torch.arange(len(path), device=path.device)
        code = torch.cat((full_code, partial_code[one], full_code[two]))
        groups = torch.cat((group, torch.zeros_like(code[len(group) :])))
        return Visits(torch.cat((all_rows, one, two)), (self.inputs(code, groups),))

    def final(self, steps: SpaceGroupSteps, so_far: Trajectories, *, space: CrystalSpace) -> tuple[Tensor, ...]:
        """See :meth:`Stage.final`."""
        return (self.inputs(code_of(*self._properties(steps.space_group)), steps.space_group),)

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
        """See :meth:`Stage.score`; ``entry`` is ``(1, width)`` where every trajectory starts at the same source."""
        path, group = steps.path, steps.space_group
        batch, device = len(path), path.device
        system, symmetry = self._properties(group)
        one, two = (path >= SYSTEM).nonzero().squeeze(1), (path >= SYSTEM_SYMMETRY).nonzero().squeeze(1)
        by_system = (path == SYSTEM) | (path == SYSTEM_SYMMETRY)
        set_group, set_system = group - 1 + FIRST_GROUP_ACTION, system - 1
        set_symmetry = symmetry - 1 + N_SYSTEMS
        all_rows, between = torch.arange(batch, device=device), torch.arange(len(one) + len(two), device=device)

        # forward: the first action, then the actions after one property and after two
        first = torch.where(path == DIRECT, set_group, torch.where(by_system, set_system, set_symmetry))
        second = torch.where(path <= SYMMETRY, set_group, torch.where(by_system, set_symmetry, set_system))
        actions = torch.cat((first, second[one], set_group[two]))
        partial_code = torch.where(by_system, code_of(system, 0 * system), symmetry)
        codes = torch.cat((all_rows[: len(entry)] * 0, partial_code[one], code_of(system, symmetry)[two]))
        log_p = masked_log_softmax(self.action(torch.cat((entry, forward[batch:]))), space.groups.mask[codes])
        rows = torch.cat((all_rows.clamp(max=len(entry) - 1), len(entry) + between))
        places = torch.cat((all_rows, one, two)), torch.cat((0 * all_rows, 0 * one + 1, 0 * two + 2))
        log_pf = torch.zeros(batch, 3, device=device).index_put(places, log_p[rows, actions])

        # backward: the parent of a group, and which of two properties was set last
        parent = torch.log_softmax(self.parent(backward[:batch]), 1)
        unset = torch.log_softmax(self.unset(backward[batch + len(one) :]), 1)
        steps_taken = torch.where(path == DIRECT, 0, torch.where(path <= SYMMETRY, 1, 2))
        arrivals = torch.cat((all_rows, two)), torch.cat((steps_taken, 0 * two + 1))
        last, order = (
            _column(parent, path.clamp(max=SYSTEM_SYMMETRY)),
            _column(unset, (path[two] == SYMMETRY_SYSTEM).long()),
        )
        log_pb = torch.zeros(batch, 3, device=device).index_put(arrivals, torch.cat((last, order)))

        source = torch.full((batch, 3), -1, device=device)
        source[places] = torch.cat((all_rows, 2 * batch + between))
        return StageScore(log_pf, log_pb, source)


def _column(log_p: Tensor, column: Tensor) -> Tensor:
    return log_p.gather(1, column.unsqueeze(1)).squeeze(1)
