"""A policy whose weights no longer change, as a density over the trajectories of any space within its own."""

from __future__ import annotations

import torch
from torch import Tensor

from crystalgfn.errors import ConfigError
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.trajectories import Trajectories
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates


class FrozenPolicy:
    """Densities of trajectories under a policy that is normalised in its own space.

    In a narrower space, the policy could be normalised over the actions that are left, but that is not the policy given
    that its crystals satisfy the narrower constraints: P(a | s) would count an action alike however few of its
    completions are left. So trajectories of a narrower space are traced again in the space of the policy.

    Args:
        policy: forward policy, in evaluation mode.
        space: space over which the policy is normalised, that of its training.
        same_steps: whether trajectories of ``space`` are recorded as this policy would record them. This holds where
            the policies that draw them were built with the same options, and record nothing that their weights change.
    """

    def __init__(self, policy: CrystalPolicy, space: CrystalSpace, *, same_steps: bool = False) -> None:
        self.policy, self.space, self.same_steps = policy, space, same_steps

    @torch.no_grad()
    def log_prob(self, trajectories: Trajectories, space: CrystalSpace) -> Tensor:
        """Return log P_F ``(B,)`` of B trajectories, as a density in the measure of ``space``.

        Args:
            trajectories: drawn by any policy with the same stages.
            space: space of the trajectories, whose ends lie in that of the policy.

        Raises:
            ConfigError: a crystal lies outside the space of the policy; or the two spaces differ in a part of the
                crystal to which several paths lead.
        """
        if space is self.space and self.same_steps:
            return self.policy.score(trajectories, space).log_pf_sum
        states = trajectories.states
        if space is self.space:
            return self._score_again(trajectories, states)
        crystals = space.crystals(states)
        own, rows = self.space.states(crystals)
        if len(rows) < len(states):
            outside = torch.ones(len(states), dtype=torch.bool, device=rows.device).index_fill(0, rows, False)
            row = int(outside.nonzero()[0])
            raise ConfigError(
                f"prior: {int(outside.sum())} of {len(states)} crystals lie outside its space, first "
                f"{crystals[row].formulas[0]} in space group {int(states.space_group[row])}; allowed: constraints at "
                "least as narrow as those of the prior"
            )
        stretch = _log_volume_element(space, states) - _log_volume_element(self.space, own)
        return self._score_again(trajectories, own) + stretch.to(torch.get_default_dtype())

    def _score_again(self, trajectories: Trajectories, states: CrystalStates) -> Tensor:
        return self.policy.score(self.policy.retraced(trajectories, states, self.space), self.space).log_pf_sum


def _log_volume_element(space: CrystalSpace, states: CrystalStates) -> Tensor:
    """log |dx / du| ``(B,)`` float64 of crystals x at points u of the space."""
    return torch.stack([subspace.log_measure(states).double() for subspace in space.subspaces]).sum(0)
