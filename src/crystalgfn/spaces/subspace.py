"""What a subspace promises: the part of a crystal that one stage of the policy decides, with its constraints.

Subspaces stand in the order in which a trajectory decides them, and each may look at what earlier ones decided. They
are built in the opposite order, each from what the next one leaves possible, so that every mask knows whether the rest
can be completed, and no trajectory comes to a dead end.

    trajectories, decoding, encoding    space group  ->  composition  ->  lattice
    what is left possible               space group  <-  composition  <-  lattice

Spaces with sites decide a site pattern and its elements in place of the composition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.element_sites import ElementSites
from crystalgfn.spaces.lattice import LatticeDecoder
from crystalgfn.spaces.reservations import SlotCounts
from crystalgfn.spaces.states import CrystalStates


@dataclass(frozen=True)
class SpaceLimits:
    """What a space is made of, and what its crystals must satisfy.

    Attributes:
        elements: ``(D,)`` atomic numbers in formula order.
        space_groups: international numbers that may be chosen, rising.
        constraints: what is asked of the crystals; each subspace reads those that narrow it.
        lattice: decoder of the unit cube, with its bounds.
    """

    elements: tuple[int, ...]
    space_groups: tuple[int, ...]
    constraints: Constraints
    lattice: LatticeDecoder


@dataclass(frozen=True)
class Possible:
    """What a subspace, together with all later ones, leaves possible to earlier ones.

    Attributes:
        space_groups: international numbers that have a completion.
        n_atoms: space group -> numbers of atoms in the conventional cell at which a crystal may end; None for any.
        counts: space group -> atoms per primitive cell of the elements of the compositions that are left, with the
            slots reserved for elements with rules; None where composition is not decided yet.
        element_sites: these rules, in the order of the reserved slots.
    """

    space_groups: tuple[int, ...]
    n_atoms: Mapping[int, frozenset[int]] | None = None
    counts: Mapping[int, frozenset[SlotCounts]] | None = None
    element_sites: tuple[ElementSites, ...] = ()


class Subspace(Protocol):
    """One part of a crystal: its masks, and its share of decoding states into crystals and of encoding them again.

    Attributes:
        name: name of the subspace, and of the stage of the policy that decides it.
    """

    name: ClassVar[str]

    @classmethod
    def build(cls, limits: SpaceLimits, possible: Possible) -> Self:
        """The subspace with its masks.

        Args:
            limits: limits of the whole space.
            possible: what the next subspace leaves possible; for the last one, everything within the limits.

        Raises:
            ConstraintError: nothing is left.
        """
        ...

    @property
    def possible(self) -> Possible:
        """What is left possible to the subspace before this one."""
        ...

    def to(self, device: torch.device | str) -> Self:
        """Move the tables to a device."""
        ...

    def decode(self, states: CrystalStates) -> Mapping[str, Any]:
        """The fields of :class:`~crystalgfn.crystals.crystal.Crystals` that the subspace decides.

        Args:
            states: B finished samples; only fields of this subspace and of earlier ones are read.
        """
        ...

    def encode(self, crystals: Crystals, decided: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """Real crystals in the coordinates of the subspace.

        Args:
            crystals: B crystals that lie in all earlier subspaces.
            decided: fields of their states from earlier subspaces, each ``(B, ...)``.

        Returns:
            fields of the states of the crystals that lie in this subspace, each ``(N, ...)``, and the row numbers
            ``(N,)`` of these crystals.
        """
        ...

    def log_measure(self, states: CrystalStates) -> Tensor:
        """log of the volume element of the subspace in the crystal's own units, ``(B,)``: 0 for discrete choices."""
        return torch.zeros(len(states), device=states.space_group.device)


def build_stack(limits: SpaceLimits, subspaces: Sequence[type[Subspace]]) -> tuple[Subspace, ...]:
    """Build subspaces from the last to the first, each from what the next one leaves possible.

    Raises:
        ConstraintError: a subspace has nothing left.
    """
    possible = Possible(limits.space_groups)
    stack: list[Subspace] = []
    for kind in reversed(subspaces):
        stack.insert(0, kind.build(limits, possible))
        possible = stack[0].possible
    return tuple(stack)


def encode_through(
    subspaces: Sequence[Subspace], crystals: Crystals, device: torch.device
) -> tuple[dict[str, Tensor], Tensor, dict[str, int]]:
    """Real crystals in the coordinates of subspaces, each on what the ones before it have left.

    Returns:
        fields of the states of the crystals that lie in all subspaces, the row numbers ``(N,)`` of these crystals, and
        the number of other crystals by the name of the first subspace in which they do not lie.
    """
    rows, decided = torch.arange(len(crystals), device=device), dict[str, Tensor]()
    outside: dict[str, int] = {}
    for subspace in subspaces:
        fields, inside = subspace.encode(crystals, decided)
        decided = {name: value[inside] for name, value in decided.items()} | fields
        if len(inside) < len(crystals):
            outside[subspace.name] = len(crystals) - len(inside)
        crystals, rows = crystals[inside], rows[inside]
    return decided, rows, outside
