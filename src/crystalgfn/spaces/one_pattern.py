"""Masks that lead to one site pattern alone, in place of the tables of :mod:`.site_patterns`."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import torch
from torch import Tensor

from crystalgfn.crystallography.wyckoff import MAX_LETTERS
from crystalgfn.spaces.site_patterns import N_ACTIONS, Patterns, PatternState
from crystalgfn.spaces.structure_types import StructureType


class OnePattern(Patterns):
    """The actions that write a pattern, one after the other; ``node`` of a state counts the actions so far.

    Args:
        pattern: in its canonical writing.
        allowed: whether its counts are some that its crystals may have.
    """

    def __init__(self, pattern: StructureType, *, allowed: bool) -> None:
        actions = [letter + MAX_LETTERS * (i == 0) for slot in pattern.slots for i, letter in enumerate(slot)]
        self.most_orbits = len(actions)
        self._actions = torch.tensor([*actions, N_ACTIONS - 1])
        self.feasible = torch.zeros(231, dtype=torch.bool)
        self.feasible[pattern.space_group] = allowed

    def to(self, device: torch.device | str) -> Self:
        """Move the tensors to a device."""
        self._actions, self.feasible = self._actions.to(device), self.feasible.to(device)
        return self

    def start(self, space_group: Tensor) -> PatternState:
        """The empty pattern, ``(B,)`` times."""
        zero = torch.zeros_like(space_group)
        return PatternState(zero, zero, zero, zero, zero, zero, zero)

    def mask(self, state: PatternState) -> Tensor:
        """The one action that is allowed, ``(B, 55)`` bool."""
        mask = torch.zeros(len(state), N_ACTIONS, dtype=torch.bool, device=state.node.device)
        return mask.scatter_(1, self._actions[state.node].unsqueeze(1), True)

    def act(self, state: PatternState, action: Tensor) -> PatternState:
        """States after the allowed action."""
        return replace(state, node=state.node + 1)
