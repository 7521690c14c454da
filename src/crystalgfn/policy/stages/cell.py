"""The lattice stage of spaces with sites: one draw of all free parameters, so every state has one parent.

The density in the unit cube is a mixture of products: for component k and free slot i, logit(u_i) has a logistic
distribution with mean and scale that the network gives, so that parameters depend on each other through the component.
Mean 0 and scale 1 is the uniform distribution of u_i, with which an untrained policy begins, nearly.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.distributions import EDGE, sample_masked
from crystalgfn.policy.network import Network, PointEncoder, small_head
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.stages.lattice_steps import LatticeSteps
from crystalgfn.policy.stages.space_group import SpaceGroupSteps
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.lattice_space import LatticeSpace
from crystalgfn.spaces.states import CrystalStates

LOG_SCALE = (-6.0, 1.0)
"""Bounds of the log of the scale of logit(u)."""

FARTHEST = 8.0
"""Largest mean of logit(u), either side: u is then 0.0003 from an end of [0, 1], where a cell is a needle or a sheet.

Farther out a narrow component lies beyond the points that draws are cut at (``EDGE``), or between two float32 numbers:
what is drawn there would be scored hundreds of nats too low.
"""


class CellStage(Stage[LatticeSteps]):
    """Head for a mixture over the free slots of the unit cube.

    Args:
        width: units in each layer of the trunk.
        components: products in the mixture, k.
    """

    name: ClassVar[str] = LatticeSpace.name
    single_parent: ClassVar[bool] = True

    def __init__(self, width: int, components: int) -> None:
        super().__init__()
        self.components = components
        self.mixture = small_head(width, components * 13)
        with torch.no_grad():  # components that differ a little and are almost uniform
            bias = self.mixture.bias.view(components, 13)
            bias[:, 1:7] = 0.3 * torch.randn(components, 6)
            bias[:, 7:] = 1.8

    @classmethod
    def build(cls, space: CrystalSpace, options: PolicyOptions) -> CellStage:
        """See :meth:`Stage.build`."""
        return cls(options.width, options.components)

    def encoder(self, width: int) -> nn.Module:
        """Encoder of the point by its first harmonics."""
        return PointEncoder(6, width)

    def _mixture(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights ``(R, k)``, means and log-scales ``(R, k, 6)`` of logit(u)."""
        raw = self.mixture(z).view(len(z), self.components, 13)
        low, high = LOG_SCALE
        scales = low + (high - low) * torch.sigmoid(raw[..., 7:])
        return torch.log_softmax(raw[..., 0], 1), raw[..., 1:7].clamp(-FARTHEST, FARTHEST), scales

    def _log_density(self, z: Tensor, u: Tensor, free: Tensor) -> Tensor:
        """Log-density ``(R,)`` of points ``(R, 6)`` over their free slots."""
        weights, means, scales = self._mixture(z)
        u = u.clamp(EDGE, 1 - EDGE)
        stretch = torch.log(u) + torch.log1p(-u)
        scaled = (torch.logit(u).unsqueeze(1) - means) * torch.exp(-scales)
        log_sigmoid = nn.functional.logsigmoid
        each = log_sigmoid(scaled) + log_sigmoid(-scaled) - scales - stretch.unsqueeze(1)
        return torch.logsumexp(weights + (each * free.unsqueeze(1)).sum(2), 1)

    def rollout(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        space: CrystalSpace,
        epsilon: float,
        generator: Generator,
    ) -> LatticeSteps:
        """See :meth:`Stage.rollout`."""
        free, device = space.lattice.free(so_far.of(SpaceGroupSteps).space_group), prefix.device
        weights, means, scales = self._mixture(network.trunk(prefix))
        everything = torch.ones_like(weights, dtype=torch.bool)
        k = sample_masked(weights, everything, epsilon=0.0, generator=generator)
        rows = torch.arange(len(k), device=device)
        noise = torch.rand(len(k), 6, generator=generator, device=device).clamp(EDGE, 1 - EDGE)
        u = torch.sigmoid(means[rows, k] + torch.exp(scales[rows, k]) * torch.logit(noise))
        if epsilon > 0:
            uniform = torch.rand(len(k), 6, generator=generator, device=device)
            explore = torch.rand(len(k), 1, generator=generator, device=device) < epsilon
            u = torch.where(explore, uniform, u)
        u = torch.where(free, u.clamp(EDGE, 1 - EDGE).double(), 0.0)
        return LatticeSteps(u.unsqueeze(1), torch.ones_like(k), free)

    def rollback(
        self,
        network: Network,
        prefix: Tensor,
        *,
        so_far: Trajectories,
        states: CrystalStates,
        space: CrystalSpace,
        generator: Generator,
    ) -> LatticeSteps:
        """See :meth:`Stage.rollback`: there is one path."""
        free = space.lattice.free(so_far.of(SpaceGroupSteps).space_group)
        length = torch.ones(len(free), dtype=torch.int64, device=free.device)
        return LatticeSteps(states.u.double().unsqueeze(1), length, free)

    def visits(self, steps: LatticeSteps, so_far: Trajectories, *, space: CrystalSpace) -> Visits:
        """Points alone."""
        return Visits(torch.arange(len(steps.u), device=steps.u.device), (steps.last, steps.free))

    def final(self, steps: LatticeSteps, so_far: Trajectories, *, space: CrystalSpace) -> tuple[Tensor, ...]:
        """See :meth:`Stage.final`."""
        return (steps.last, steps.free)

    def score(
        self,
        steps: LatticeSteps,
        so_far: Trajectories,
        *,
        space: CrystalSpace,
        entry: Tensor,
        forward: Tensor,
        backward: Tensor,
    ) -> StageScore:
        """See :meth:`Stage.score`."""
        log_pf = self._log_density(entry, steps.last.float(), steps.free.clone()).unsqueeze(1)
        rows = torch.arange(len(steps.u), device=steps.u.device).unsqueeze(1)
        return StageScore(log_pf, torch.zeros_like(log_pf), rows)
