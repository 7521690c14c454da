"""The charges of partial compositions where salts of polyanions, such as peroxides, count as neutral as well.

A salt holds nothing but the polyanion and its cations. So beside the charges by oxidation states
(:mod:`.charge_states`) each polyanion has a set of its own: the charges of the composition as a part of such a salt,
empty as soon as it holds another element. A composition is neutral if either set holds 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from crystalgfn.crystallography.elements import ELECTRONEGATIVITY
from crystalgfn.spaces.bitsets import WORD, unpack
from crystalgfn.spaces.charge_sets import ChargeSets
from crystalgfn.spaces.charge_states import Charges, PlainCharges, SignedCharges
from crystalgfn.spaces.constraints.limits import CompositionLimits


@dataclass(frozen=True)
class SaltCharges:
    """See :class:`.charge_states.Charges`; the blocks of the oxidation states, then one block for each polyanion.

    Attributes:
        by_states: charges by oxidation states.
        salts: charges in the salts of each polyanion.
        kind: see :class:`.charge_states.Charges`; elements of one kind are also alike in salts.
    """

    by_states: PlainCharges | SignedCharges
    salts: tuple[ChargeSets, ...]
    kind: Tensor

    @classmethod
    def build(cls, by_states: PlainCharges | SignedCharges, salts: tuple[ChargeSets, ...]) -> SaltCharges:
        """Charges by states, and of salts with the same bound."""
        kinds = torch.stack([by_states.kind, *(each.kind for each in salts)], 1)
        return cls(by_states, salts, torch.unique(kinds, dim=0, return_inverse=True)[1])

    @property
    def bound(self) -> int:
        """See :class:`.charge_states.Charges`."""
        return self.by_states.bound

    @property
    def words(self) -> int:
        """See :class:`.charge_states.Charges`."""
        return self.by_states.words + sum(len(each.charged) for each in self.salts)

    @property
    def max_count(self) -> int:
        """See :class:`.charge_states.Charges`."""
        return self.by_states.max_count

    def _split(self, sets: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The blocks by states, and the block of each polyanion, along the last dimension."""
        widths = [len(each.charged) for each in self.salts]
        first, *rest = sets.split([sets.shape[-1] - sum(widths), *widths], -1)
        return first, rest

    def _zeros(self) -> list[Tensor]:
        """For each polyanion the set that holds the charge 0 alone, ``(W,)``."""
        word, bit = divmod(self.bound, WORD)
        sets = [torch.zeros_like(each.charged) for each in self.salts]
        for own in sets:
            own[word] = 1 << bit
        return sets

    def empty(self) -> Tensor:
        """See :class:`.charge_states.Charges`."""
        return torch.cat((self.by_states.empty(), *(own.unsqueeze(0) for own in self._zeros())), 1)

    def add(self, sets: Tensor, element: Tensor, count: Tensor) -> Tensor:
        """See :class:`.charge_states.Charges`."""
        by_states, rest = self._split(sets)
        added = (each.add(own, element, count) for each, own in zip(self.salts, rest, strict=True))
        return torch.cat((self.by_states.add(by_states, element, count), *added), 1)

    def before(self, sets: Tensor, last: Tensor, element: Tensor | None = None) -> Tensor:
        """See :class:`.charge_states.Charges`."""
        by_states, rest = self._split(sets)
        carried = self.by_states.before(by_states, last, element)
        if element is None:
            rest = [own.unsqueeze(1).expand(-1, carried.shape[1], -1) for own in rest]
        return torch.cat((carried, *rest), -1)

    def neutral(self, sets: Tensor) -> Tensor:
        """See :class:`.charge_states.Charges`."""
        by_states, rest = self._split(sets)
        word, bit = divmod(self.bound, WORD)
        verdict = self.by_states.neutral(by_states)
        return reduce(torch.logical_or, ((own[:, word] >> bit & 1).bool() for own in rest), verdict)

    def goal(self, *, anything: bool) -> Tensor:
        """See :class:`.charge_states.Charges`."""
        return torch.cat((self.by_states.goal(anything=anything), *self._zeros()))

    def reach(self, goal: Tensor, element: int, count: int) -> Tensor:
        """See :class:`.charge_states.Charges`."""
        by_states, rest = self._split(goal)
        reached = (
            each.can_reach(own & each.charged, element, count) & each.charged
            for each, own in zip(self.salts, rest, strict=True)
        )
        return torch.cat((self.by_states.reach(by_states, element, count), *reached), 1)

    def after(self, adds: Tensor, element: int) -> Tensor:
        """See :class:`.charge_states.Charges`."""
        by_states, rest = self._split(adds)
        after = self.by_states.after(by_states, element)
        return torch.cat((after, *(own.unsqueeze(1).expand(-1, after.shape[1], -1) for own in rest)), -1)

    def carried(self, sets: Tensor) -> Tensor:
        """See :class:`.charge_states.Charges`."""
        by_states, rest = self._split(sets)
        found = self.by_states.carried(by_states)
        for own in rest:
            found = found | unpack(own, 2 * self.bound + 2)
        return found


def build_charges(elements: Sequence[int], max_count: int, max_atoms: int, limits: CompositionLimits) -> Charges:
    """Charges of compositions over ``elements`` in the order of the space, as the limits need them."""
    sizes, rule = (elements, max_count, max_atoms), limits.neutrality
    plain = PlainCharges(ChargeSets.build(*sizes, rule))
    by_states: PlainCharges | SignedCharges = plain
    if limits.cations_first:
        cations, anions = (ChargeSets.build(*sizes, rule, sign=sign) for sign in (1, -1))
        values = torch.tensor([float(ELECTRONEGATIVITY[z]) for z in elements])
        tied = torch.zeros(len(elements) + 1, len(elements), dtype=torch.bool)
        tied[1:] = values.unsqueeze(1) == values.unsqueeze(0)
        off_diagonal = tied[1:] & ~torch.eye(len(elements), dtype=torch.bool)
        by_states = SignedCharges(plain, cations, anions, tied, 3 if bool(off_diagonal.any()) else 2)
    possible = [each for each in rule.polyanions if each.element in elements]
    if not possible:
        return by_states
    return SaltCharges.build(by_states, tuple(ChargeSets.of_salts(*sizes, rule, each) for each in possible))
