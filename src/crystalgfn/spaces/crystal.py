"""The space of crystals: a stack of subspaces, each built from what the next one leaves possible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from crystalgfn.crystallography.elements import FORMULA_ORDER, SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.composition import Compositions, CompositionSpace
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.diagnosis import explain_empty
from crystalgfn.spaces.lattice import LatticeDecoder
from crystalgfn.spaces.lattice_space import LatticeSpace
from crystalgfn.spaces.site_encoding import with_sites
from crystalgfn.spaces.site_pattern_space import SitePatternSpace
from crystalgfn.spaces.slot_elements import SlotElementSpace
from crystalgfn.spaces.space_group import SpaceGroupSpace
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.subspace import SpaceLimits, Subspace, build_stack, encode_through

SUBSPACES: tuple[type[Subspace], ...] = (SpaceGroupSpace, CompositionSpace, LatticeSpace)
"""Subspaces in the order in which a trajectory decides them."""

SITE_SUBSPACES: tuple[type[Subspace], ...] = (SpaceGroupSpace, SitePatternSpace, SlotElementSpace, LatticeSpace)
"""Subspaces of crystals with sites; their states are :class:`~crystalgfn.spaces.site_states.SiteStates`."""

S = TypeVar("S", bound=Subspace)


def formula_order(atomic_numbers: Iterable[int]) -> tuple[int, ...]:
    """Atomic numbers by rising electronegativity: the order in which compositions grow."""
    numbers = set(atomic_numbers)
    return tuple(z for z in FORMULA_ORDER if z in numbers)


class CrystalSpace:
    """All crystals that satisfy the constraints.

    Args:
        elements: atomic numbers of the vocabulary, any order.
        space_groups: international numbers that may be chosen.
        constraints: asked of the crystals; ``space_groups`` and ``lattice`` carry those on space groups and cells.
        lattice: decoding of the unit cube; groups and numbers of atoms that its bounds leave no cell are left out.
        lebesgue: samples follow the reward with respect to Lebesgue measure in A and degree, not to that of the cube.
        subspaces: kinds of subspaces that decide a crystal, in order.
        state_type: class of finished samples, with the fields of all subspaces.

    Raises:
        ConstraintError: nothing satisfies the constraints; names each whose relaxation alone would leave crystals.

    Attributes:
        elements: ``(D,)`` atomic numbers in formula order.
        subspaces: in order; see :meth:`of`.
    """

    def __init__(
        self,
        elements: Iterable[int],
        space_groups: Iterable[int],
        *,
        constraints: Constraints,
        lattice: LatticeDecoder,
        lebesgue: bool = False,
        subspaces: Sequence[type[Subspace]] = SUBSPACES,
        state_type: type[CrystalStates] = CrystalStates,
    ) -> None:
        self.elements = formula_order(elements)
        self.lebesgue, self.state_type = lebesgue, state_type
        limits = SpaceLimits(self.elements, tuple(sorted(set(space_groups))), constraints, lattice)
        try:
            self.subspaces = build_stack(limits, subspaces)
        except ConstraintError as error:
            raise ConstraintError(explain_empty(limits, subspaces)) from error
        self.device = torch.device("cpu")

    def of(self, kind: type[S]) -> S:
        """The subspace of a class.

        Raises:
            LookupError: the stack has none.
        """
        for subspace in self.subspaces:
            if isinstance(subspace, kind):
                return subspace
        raise LookupError(f"no {kind.__name__} among {', '.join(s.name for s in self.subspaces)}")

    @property
    def has_sites(self) -> bool:
        """Whether crystals of the space have Wyckoff positions."""
        return any(isinstance(subspace, SitePatternSpace) for subspace in self.subspaces)

    @property
    def groups(self) -> SpaceGroupSpace:
        """The space-group subspace, without groups that have no completion."""
        return self.of(SpaceGroupSpace)

    @property
    def composition(self) -> Compositions:
        """The subspace that decides elements and counts."""
        return next(subspace for subspace in self.subspaces if isinstance(subspace, Compositions))

    @property
    def lattice(self) -> LatticeSpace:
        """The lattice subspace."""
        return self.of(LatticeSpace)

    @property
    def max_elements(self) -> int:
        """Most elements of a composition, m."""
        return self.composition.max_elements

    @property
    def max_count(self) -> int:
        """Most atoms of one element per primitive cell, K."""
        return self.composition.max_count

    def to(self, device: torch.device | str) -> CrystalSpace:
        """Move every table to a device."""
        self.device = torch.device(device)
        for subspace in self.subspaces:
            subspace.to(device)
        return self

    def crystals(self, states: CrystalStates) -> Crystals:
        """Decode samples: counts and lattice of the conventional cell."""
        fields = {name: value for subspace in self.subspaces for name, value in subspace.decode(states).items()}
        return Crystals(self.elements, **fields)

    def states(self, crystals: Crystals) -> tuple[CrystalStates, Tensor]:
        """Real crystals in the coordinates of the space.

        Returns:
            the states of the crystals that lie in the space, and the row numbers ``(N,)`` of these crystals.

        Raises:
            DataError: the space has sites, and the crystals have none or impossible ones; names the row.
        """
        states, rows, _ = self.encode(crystals)
        return states, rows

    def encode(self, crystals: Crystals) -> tuple[CrystalStates, Tensor, dict[str, int]]:
        """Real crystals in the coordinates of the space, and why others are not; errors as for :meth:`states`.

        Returns:
            the states of the crystals that lie in the space, the row numbers ``(N,)`` of these crystals, and the number
            of other crystals by the name of the first subspace in which they do not lie.
        """
        if self.has_sites:
            crystals = with_sites(crystals)
        fields, rows, outside = encode_through(self.subspaces, crystals, self.device)
        return self.state_type(**fields), rows, outside

    def log_measure(self, states: CrystalStates) -> Tensor:
        """Term of log R with which samples follow R in the chosen measure, ``(B,)``: 0 for that of the cube."""
        if not self.lebesgue:
            return torch.zeros(len(states), device=states.space_group.device)
        return torch.stack([subspace.log_measure(states).double() for subspace in self.subspaces]).sum(0).float()

    def __repr__(self) -> str:
        groups = int(self.groups.allowed.sum())
        usable = [SYMBOLS[z] for z in self.elements if z in self.composition.limits.usable]
        return f"CrystalSpace({len(usable)} elements {' '.join(usable)}; {groups} groups)"
