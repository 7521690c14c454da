"""The space-group subspace: crystal-lattice system, point symmetry and space group, set in any order.

A state is a code ``system * 6 + symmetry`` (0 = not set yet, 54 codes) until the space group is set, which fixes all
three. An action is a column of 243: 8 systems, then 5 symmetries, then 230 groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, POINT_SYMMETRY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.subspace import Possible, SpaceLimits, Subspace

N_SYSTEMS, N_SYMMETRIES, N_GROUPS = 8, 5, 230
N_CODES = (N_SYSTEMS + 1) * (N_SYMMETRIES + 1)
N_ACTIONS = N_SYSTEMS + N_SYMMETRIES + N_GROUPS
FIRST_GROUP_ACTION = N_SYSTEMS + N_SYMMETRIES

SYSTEM_OF = torch.tensor(CRYSTAL_LATTICE_SYSTEM)
SYMMETRY_OF = torch.tensor(POINT_SYMMETRY)


def code_of(system: Tensor, symmetry: Tensor) -> Tensor:
    """Code of a state with these properties set; 0 stands for not set."""
    return system * (N_SYMMETRIES + 1) + symmetry


class SpaceGroupSpace(Subspace):
    """Which groups may be sampled, and the actions that lead to them.

    Args:
        allowed: international numbers, 1..230.

    Attributes:
        allowed: ``(231,)`` bool.
        mask: ``(54, 243)`` bool; an action is allowed iff some allowed group agrees with what is set after it.
    """

    name: ClassVar[str] = "space_group"

    def __init__(self, allowed: Iterable[int]) -> None:
        self.allowed = torch.zeros(N_GROUPS + 1, dtype=torch.bool)
        self.allowed[list(allowed)] = True
        system = torch.arange(N_CODES).unsqueeze(1) // (N_SYMMETRIES + 1)
        symmetry = torch.arange(N_CODES).unsqueeze(1) % (N_SYMMETRIES + 1)
        fits = (
            self.allowed[1:]
            & ((system == 0) | (system == SYSTEM_OF[1:]))
            & ((symmetry == 0) | (symmetry == SYMMETRY_OF[1:]))
        )
        some_system = torch.stack([(fits & (SYSTEM_OF[1:] == s)).any(1) for s in range(1, N_SYSTEMS + 1)], 1)
        some_symmetry = torch.stack([(fits & (SYMMETRY_OF[1:] == p)).any(1) for p in range(1, N_SYMMETRIES + 1)], 1)
        self.mask = torch.cat((some_system & (system == 0), some_symmetry & (symmetry == 0), fits), 1)

    @classmethod
    def build(cls, limits: SpaceLimits, possible: Possible) -> SpaceGroupSpace:
        """See :meth:`.subspace.Subspace.build`."""
        return cls(possible.space_groups)

    @property
    def possible(self) -> Possible:
        """See :attr:`.subspace.Subspace.possible`."""
        return Possible(tuple(self.allowed.nonzero().flatten().tolist()))

    def to(self, device: torch.device | str) -> SpaceGroupSpace:
        """See :meth:`.subspace.Subspace.to`."""
        self.allowed, self.mask = self.allowed.to(device), self.mask.to(device)
        return self

    def decode(self, states: CrystalStates) -> dict[str, Tensor]:
        """See :meth:`.subspace.Subspace.decode`."""
        return {"space_group": states.space_group}

    def encode(self, crystals: Crystals, decided: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """See :meth:`.subspace.Subspace.encode`."""
        space_group = crystals.space_group.to(self.allowed.device)
        rows = self.allowed[space_group].nonzero().squeeze(1)
        return {"space_group": space_group[rows]}, rows
