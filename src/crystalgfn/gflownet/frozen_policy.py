"""A policy whose weights no longer change, as a density over the trajectories of any space within its own."""

from __future__ import annotations

from weakref import WeakSet

import torch
from torch import Generator, Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConstraintError
from crystalgfn.gflownet.likelihood import log_likelihood
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.translation import rows_within, translated


class FrozenPolicy:
    """Densities of trajectories under a policy that is normalised in its own space.

    In a narrower space, the policy could be normalised over the actions that are left, but that is not the policy under
    the condition that its crystals satisfy the narrower constraints: it would count an action alike however few of its
    completions are left. So trajectories of a narrower space are traced again in the space of the policy. The density
    of a cell is that of its point in the unit cube, whatever the bounds on cells that the cube stands for.

    Args:
        policy: forward policy, in evaluation mode.
        space: space over which the policy is normalised, that of its training.
        same_steps: whether trajectories of ``space`` are recorded as this policy would record them. This holds where
            the policies that draw them were built with the same options, and record nothing that their weights change.
    """

    def __init__(self, policy: CrystalPolicy, space: CrystalSpace, *, same_steps: bool = False) -> None:
        self.policy, self.space, self.same_steps = policy, space, same_steps
        self._within: WeakSet[CrystalSpace] = WeakSet()

    @torch.no_grad()
    def log_prob(self, trajectories: Trajectories, space: CrystalSpace) -> Tensor:
        """Return log P_F ``(B,)`` of B trajectories, as a density in the unit cube of cells.

        Args:
            trajectories: drawn by any policy with the same stages.
            space: space of the trajectories, whose ends lie in that of the policy.

        Raises:
            ConstraintError: a crystal lies outside the space of the policy.
        """
        if space is self.space and self.same_steps:
            return self.policy.score(trajectories, space).log_pf_sum
        own = self._translated(trajectories.states, space)
        return self.policy.score(self.policy.retraced(trajectories, own, self.space), self.space).log_pf_sum

    def log_likelihood(
        self, states: CrystalStates, space: CrystalSpace, *, trajectories: int = 50, generator: Generator
    ) -> Tensor:
        """Return log p ``(B,)`` float64 of B samples of a space, each at the same point of the unit cube of cells.

        Arguments are those of :func:`crystalgfn.gflownet.likelihood.log_likelihood`, errors those of :meth:`log_prob`.
        """
        own = self._translated(states, space)
        log_p, _ = log_likelihood(self.policy, self.space, own, trajectories=trajectories, generator=generator)
        return log_p

    def _translated(self, states: CrystalStates, space: CrystalSpace) -> CrystalStates:
        """States of a space in the coordinates of the policy's own space."""
        if space is not self.space and space not in self._within:
            self._check(space.crystals(states))
            self._within.add(space)
        return translated(states, space, self.space)

    def _check(self, crystals: Crystals) -> None:
        """Refuse crystals outside the space of the policy, for which its masks are not defined.

        This is done for the first trajectories of a space: whether it is narrower does not change.
        """
        rows = rows_within(self.space, crystals)
        if len(rows) < len(crystals):
            outside = torch.ones(len(crystals), dtype=torch.bool, device=rows.device).index_fill(0, rows, False)
            first = crystals[outside][0]
            raise ConstraintError(
                f"{int(outside.sum())} of {len(crystals)} crystals lie outside the space of the prior, first "
                f"{first.formulas[0]} in space group {int(first.space_group[0])}; allowed: constraints at least as "
                "narrow as those of the prior"
            )
