"""The lattice stage: all free parameters move together through the unit cube (first a jump, then increments).

The first step is u = r, a later one u' = u + m + r (1 - u - m), with the least increment m, so that every trajectory is
finite. Leaving the stage is a Bernoulli choice, forced once any u > 1 - m; so is the return to the source, forced while
any u < m. log_pf and log_pb are densities of u' given u and of u given u', so they contain -sum log(1 - u - m) and
-sum log(u' - m).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from crystalgfn.policy.distributions import EDGE, BetaMixture, bernoulli_log_probs
from crystalgfn.policy.network import Network, PointEncoder, small_head
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.stages.lattice_steps import LatticeSteps
from crystalgfn.policy.stages.space_group import SpaceGroupSteps
from crystalgfn.policy.stages.stage import Stage, StageScore, Visits
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.lattice import MIN_INCREMENT
from crystalgfn.spaces.lattice_space import LatticeSpace
from crystalgfn.spaces.states import CrystalStates

MAX_STEPS = 2 + int(1 / MIN_INCREMENT)


class LatticeStage(Stage[LatticeSteps]):
    """Heads for each direction: exit or return to the source, and a mixture of Beta distributions for each slot.

    Args:
        width: units in each layer of the trunk.
        components: Beta distributions in each mixture.
        low, high: bounds of the Beta parameters.
    """

    name: ClassVar[str] = LatticeSpace.name

    def __init__(self, width: int, *, components: int = 5, low: float = 1.0, high: float = 100.0) -> None:
        super().__init__()
        self.components, self.low, self.high = components, low, high
        self.exit, self.back = small_head(width, 1), small_head(width, 1)
        self.increment, self.decrement = (self._mixture_head(width) for _ in range(2))

    @classmethod
    def build(cls, space: CrystalSpace, options: PolicyOptions) -> LatticeStage:
        """See :meth:`Stage.build`."""
        low, high = options.beta_range
        return cls(options.width, components=options.components, low=low, high=high)

    def _mixture_head(self, width: int) -> nn.Linear:
        """Head whose components begin broad and slightly different: alpha and beta around 1.1 to 1.5."""
        head = small_head(width, 6 * 3 * self.components)
        with torch.no_grad():
            start = torch.full((6, 3 * self.components), -3.0)
            start[:, : self.components] = 0.0
            head.bias.copy_((start + 0.5 * torch.randn_like(start)).flatten())
        return head

    def encoder(self, width: int) -> nn.Module:
        """Encoder of the point by its first harmonics."""
        return PointEncoder(6, width)

    def _raw(self, head: nn.Linear, z: Tensor) -> Tensor:
        """Parameters of the mixtures of all slots before their constraints, ``(R, 6, 3 k)``."""
        raw: Tensor = head(z)
        return raw.view(len(z), 6, 3 * self.components)

    def _draw(self, head: nn.Linear, z: Tensor, free: Tensor, *, epsilon: float, generator: Generator) -> Tensor:
        """Draws for the free slots as ``(R, 6)`` float64, 0 elsewhere."""
        r = torch.zeros(free.shape, dtype=torch.float64, device=z.device)
        mixture = BetaMixture(self._raw(head, z)[free], low=self.low, high=self.high)
        r[free] = mixture.sample(epsilon=epsilon, generator=generator).double()
        return r

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
        device, m, encoder = prefix.device, MIN_INCREMENT, network.encoders[self.name]
        free = space.lattice.free(so_far.of(SpaceGroupSteps).space_group)
        u = torch.zeros(len(prefix), MAX_STEPS, 6, dtype=torch.float64, device=device)
        length = torch.ones(len(prefix), dtype=torch.int64, device=device)
        rows, free_slots = torch.arange(len(prefix), device=device), free
        point = self._draw(self.increment, network.trunk(prefix), free, epsilon=epsilon, generator=generator)
        u[:, 0] = point
        for t in range(1, MAX_STEPS):
            active = ~((point > 1 - m) & free_slots).any(1)
            rows, free_slots, point = rows[active], free_slots[active], point[active]
            if len(rows) == 0:
                break
            z = network.trunk(prefix[rows] + encoder(point, free_slots))
            p_exit = torch.lerp(torch.sigmoid(self.exit(z)), torch.tensor(0.5, device=device), epsilon)
            active = torch.rand(len(rows), generator=generator, device=device) >= p_exit.squeeze(1)
            rows, free_slots, point, z = rows[active], free_slots[active], point[active], z[active]
            if len(rows) == 0:
                break
            r = self._draw(self.increment, z, free_slots, epsilon=epsilon, generator=generator)
            point = torch.where(free_slots, point + m + r * (1 - point - m), 0.0)
            u[rows, t], length[rows] = point, t + 1
        return LatticeSteps(u, length, free).trimmed()

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
        """See :meth:`Stage.rollback`."""
        device, m, encoder = prefix.device, MIN_INCREMENT, network.encoders[self.name]
        free = space.lattice.free(so_far.of(SpaceGroupSteps).space_group)
        reverse = torch.zeros(len(prefix), MAX_STEPS, 6, dtype=torch.float64, device=device)
        length = torch.ones(len(prefix), dtype=torch.int64, device=device)
        rows, free_slots, point = torch.arange(len(prefix), device=device), free, states.u.double()
        reverse[:, 0] = point
        for t in range(1, MAX_STEPS):
            active = ~((point < m) & free_slots).any(1)
            rows, free_slots, point = rows[active], free_slots[active], point[active]
            if len(rows) == 0:
                break
            z = network.trunk(prefix[rows] + encoder(point, free_slots))
            p_back = torch.sigmoid(self.back(z)).squeeze(1)
            active = torch.rand(len(rows), generator=generator, device=device) >= p_back
            rows, free_slots, point, z = rows[active], free_slots[active], point[active], z[active]
            if len(rows) == 0:
                break
            r = self._draw(self.decrement, z, free_slots, epsilon=0.0, generator=generator)
            point = torch.where(free_slots, point - m - r * (point - m), 0.0)
            reverse[rows, t], length[rows] = point, t + 1
        place = (length.unsqueeze(1) - 1 - torch.arange(int(length.max()), device=device)).clamp(min=0)
        u = reverse.gather(1, place.unsqueeze(2).expand(-1, -1, 6))
        return LatticeSteps(u, length, free)

    def visits(self, steps: LatticeSteps, so_far: Trajectories, *, space: CrystalSpace) -> Visits:
        """Last points, then all earlier points."""
        owner, place = steps.inner()
        all_rows = torch.arange(len(steps.u), device=owner.device)
        free = torch.cat((steps.free, steps.free[owner]))
        return Visits(torch.cat((all_rows, owner)), (torch.cat((steps.last, steps.u[owner, place])), free))

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
        m, batch, device = MIN_INCREMENT, len(steps.u), steps.u.device
        owner, place = steps.inner()
        all_rows = torch.arange(batch, device=device)
        last, inner, after = steps.last, steps.u[owner, place], steps.u[owner, place + 1]
        free_inner = steps.free[owner]
        points, free = torch.cat((last, inner)), torch.cat((steps.free, free_inner))

        # forward: first jump from the source, then (stay, increment) at inner points, exit at the last
        above = (1 - inner - m).clamp(min=EDGE)
        r = torch.cat((steps.u[:, 0], (after - inner - m) / above))
        z, moving = torch.cat((entry, forward[batch:])), torch.cat((steps.free, free_inner))
        stretch = torch.where(free_inner, torch.log(above), 0.0).sum(1).float()
        # backward: to the source from the first point, (stay, decrement) from every later one
        later = torch.cat((steps.length > 1, place > 0)).nonzero().squeeze(1)
        owners, places = torch.cat((all_rows, owner)), torch.cat((steps.length - 1, place))
        end, origin, slots = points[later], steps.u[owners[later], places[later] - 1], free[later]
        below = (end - m).clamp(min=EDGE)
        stretch_back = torch.where(slots, torch.log(below), 0.0).sum(1).float()

        all_slots = torch.cat((moving, slots))
        raw = torch.cat((self._raw(self.increment, z), self._raw(self.decrement, backward.index_select(0, later))))[
            all_slots
        ]
        fractions = torch.cat((r, (below - origin) / below))[all_slots].float()
        density = _sum_slots(BetaMixture(raw, low=self.low, high=self.high).log_prob(fractions), all_slots)
        increment, decrement = density.split((len(moving), len(slots)))
        forced = torch.stack((((points > 1 - m) & free).any(1), ((points < m) & free).any(1)))
        logits = torch.stack((self.exit(forward).squeeze(1), self.back(backward).squeeze(1)))
        (leave, home), (stay, remain) = (log_p.unbind(0) for log_p in bernoulli_log_probs(logits, forced))

        width = steps.u.shape[1] + 1
        log_pf = torch.zeros(batch, width, device=device).index_put(
            (torch.cat((all_rows, owner, all_rows)), torch.cat((0 * all_rows, place + 1, steps.length))),
            torch.cat((increment[:batch], stay[batch:] + increment[batch:] - stretch, leave[:batch])),
        )
        arrival = home.index_put((later,), remain[later] + decrement - stretch_back)
        log_pb = torch.zeros(batch, width, device=device).index_put((owners, places), arrival)
        source = torch.full((batch, width), -1, device=device)
        source[:, 0] = all_rows
        source[owner, place + 1] = 2 * batch + torch.arange(len(owner), device=device)
        source[all_rows, steps.length] = batch + all_rows
        return StageScore(log_pf, log_pb, source)


def _sum_slots(values: Tensor, slots: Tensor) -> Tensor:
    """Sum the values ``(N,)`` of the marked slots over each row of ``slots`` ``(R, 6)``: ``(R,)``."""
    row = slots.nonzero(as_tuple=True)[0]
    return torch.zeros(len(slots), device=values.device).index_add(0, row, values)
