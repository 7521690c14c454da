"""The charges that a partial composition can carry, as it grows and as look-ahead tabulates them.

:class:`PlainCharges` keeps the set Q of charges that a composition can carry (:mod:`.charge_sets`).

:class:`SignedCharges` also keeps the electronegativity test: elements are added by rising electronegativity, so every
cation is less electronegative than every anion iff no cation comes after an anion, and no two elements of equal
electronegativity have opposite signs. Q is then two sets: charges by choices of oxidation states without an anion so
far, and by choices with an anion. Tables have these two blocks for the state before an element is added and, where
elements tie, a third: charges without an anion so far of compositions whose last element ties with the next element,
which then cannot be an anion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from crystalgfn.spaces.bitsets import WORD, pack, unpack
from crystalgfn.spaces.charge_sets import ChargeSets


class Charges(Protocol):
    """Sets of charges of partial compositions, packed; sets in tables have the same form and at least as many blocks.

    One more bit, "any charge", is set in every set: it carries the rule that crystals of one element are neutral
    whatever their oxidation states.

    Attributes:
        bound: charges run over -bound..bound.
        kind: ``(D,)`` int64; elements of one kind have the same oxidation states.
        words: words of a set in the tables, W.
        max_count: most atoms of one element, K.
    """

    @property
    def bound(self) -> int:
        """Largest charge."""
        ...

    @property
    def kind(self) -> Tensor:
        """Which elements have the same oxidation states."""
        ...

    @property
    def words(self) -> int:
        """Words of a set in the tables."""
        ...

    @property
    def max_count(self) -> int:
        """Most atoms of one element."""
        ...

    def empty(self) -> Tensor:
        """The set of a composition without atoms, ``(1, W')``."""
        ...

    def add(self, sets: Tensor, element: Tensor, count: Tensor) -> Tensor:
        """Sets ``(B, W')`` after adding ``count`` atoms of ``element``, both ``(B,)``."""
        ...

    def before(self, sets: Tensor, last: Tensor, element: Tensor | None = None) -> Tensor:
        """Sets as the tables have them before an element is added.

        Args:
            sets: ``(B, W')``.
            last: ``(B,)`` 1 + column of the last element, 0 at the start.
            element: ``(B,)`` column of the next element, or None for all D: then ``(B, D or 1, W)`` else ``(B, W)``.
        """
        ...

    def neutral(self, sets: Tensor) -> Tensor:
        """Whether charge 0 is in each set: ``(B,)`` bool."""
        ...

    def goal(self, *, anything: bool) -> Tensor:
        """The sets from which a composition may stop, ``(W,)``; with ``anything``, whatever its charge."""
        ...

    def reach(self, goal: Tensor, element: int, count: int) -> Tensor:
        """Charges from which adding atoms leads into ``goal``, both ``(U, W)``."""
        ...

    def after(self, adds: Tensor, element: int) -> Tensor:
        """The sets ``(C, W)`` before adding ``element``, for each last element that may come before it.

        Returns:
            ``(C, element + 1 or 1, W)``.
        """
        ...

    def carried(self, sets: Tensor) -> Tensor:
        """Charges of each set as bits, "any charge" last: ``(B, 2 bound + 2)`` bool."""
        ...


@dataclass(frozen=True)
class PlainCharges:
    """See :class:`Charges`; one block."""

    sets: ChargeSets

    @property
    def bound(self) -> int:
        """Largest charge."""
        return self.sets.bound

    @property
    def kind(self) -> Tensor:
        """See :class:`Charges`."""
        return self.sets.kind

    @property
    def words(self) -> int:
        """See :class:`Charges`."""
        return len(self.sets.charged)

    @property
    def max_count(self) -> int:
        """See :class:`Charges`."""
        return self.sets.step.shape[1] - 1

    def empty(self) -> Tensor:
        """See :class:`Charges`."""
        return self.goal(anything=True).unsqueeze(0)

    def add(self, sets: Tensor, element: Tensor, count: Tensor) -> Tensor:
        """See :class:`Charges`."""
        return self.sets.add(sets, element, count)

    def before(self, sets: Tensor, last: Tensor, element: Tensor | None = None) -> Tensor:
        """See :class:`Charges`."""
        return sets.unsqueeze(1) if element is None else sets

    def neutral(self, sets: Tensor) -> Tensor:
        """See :class:`Charges`."""
        word, bit = divmod(self.bound, WORD)
        return (sets[:, word] >> bit & 1).bool()

    def goal(self, *, anything: bool) -> Tensor:
        """See :class:`Charges`."""
        bits = torch.zeros(2 * self.bound + 2, dtype=torch.bool, device=self.sets.charged.device)
        bits[self.bound], bits[-1] = True, anything
        return pack(bits)

    def reach(self, goal: Tensor, element: int, count: int) -> Tensor:
        """See :class:`Charges`."""
        charged = self.sets.charged
        return (self.sets.can_reach(goal & charged, element, count) & charged) | (goal & ~charged)

    def after(self, adds: Tensor, element: int) -> Tensor:
        """See :class:`Charges`."""
        return adds.unsqueeze(1)

    def carried(self, sets: Tensor) -> Tensor:
        """See :class:`Charges`."""
        return unpack(sets, 2 * self.bound + 2)


@dataclass(frozen=True)
class SignedCharges:
    """See :class:`Charges`; blocks without an anion, with an anion, and (tables only, where elements tie) before a tie.

    Attributes:
        plain: all oxidation states.
        cations, anions: positive states, negative states.
        tied: ``(D + 1, D)`` bool, whether the last element (1 + column) and the next have equal electronegativities.
        blocks: number of blocks in the tables, 2 or 3.
    """

    plain: PlainCharges
    cations: ChargeSets
    anions: ChargeSets
    tied: Tensor
    blocks: int

    @property
    def bound(self) -> int:
        """Largest charge."""
        return self.plain.bound

    @property
    def kind(self) -> Tensor:
        """See :class:`Charges`."""
        return self.plain.kind

    @property
    def words(self) -> int:
        """See :class:`Charges`."""
        return self.blocks * self.plain.words

    @property
    def max_count(self) -> int:
        """See :class:`Charges`."""
        return self.plain.max_count

    def empty(self) -> Tensor:
        """See :class:`Charges`."""
        start = self.plain.empty()
        return torch.cat((start, start & ~self.plain.sets.charged), 1)

    def add(self, sets: Tensor, element: Tensor, count: Tensor) -> Tensor:
        """See :class:`Charges`; ``sets`` as :meth:`before` gives them for the element."""
        without, with_anion, *before_tie = sets.split(self.plain.words, 1)
        no_anion_yet = without | before_tie[0] if before_tie else without
        cations = self.cations.add(no_anion_yet, element, count)
        anions = self.anions.add(without | with_anion, element, count)
        return torch.cat((cations, anions), 1)  # which leaves "any charge" as it is

    def before(self, sets: Tensor, last: Tensor, element: Tensor | None = None) -> Tensor:
        """See :class:`Charges`."""
        if self.blocks == 2:
            return sets.unsqueeze(1) if element is None else sets
        without, with_anion = sets.split(self.plain.words, 1)
        none = without & ~self.plain.sets.charged
        free, tied = torch.cat((without, with_anion, none), 1), torch.cat((none, with_anion, without), 1)
        if element is None:
            return torch.where(self.tied[last].unsqueeze(2), tied.unsqueeze(1), free.unsqueeze(1))
        return torch.where(self.tied[last, element].unsqueeze(1), tied, free)

    def neutral(self, sets: Tensor) -> Tensor:
        """See :class:`Charges`."""
        return self.plain.neutral(sets[:, self.plain.words :])

    def goal(self, *, anything: bool) -> Tensor:
        """See :class:`Charges`."""
        with_anion = self.plain.goal(anything=anything)
        others = with_anion & ~self.plain.sets.charged
        return torch.cat((others, with_anion, *([others] * (self.blocks - 2))))

    def reach(self, goal: Tensor, element: int, count: int) -> Tensor:
        """See :class:`Charges`."""
        charged = self.plain.sets.charged
        without, with_anion, *_ = goal.split(self.plain.words, 1)
        cations = self.cations.can_reach(without & charged, element, count) & charged
        anions = self.anions.can_reach(with_anion & charged, element, count) & charged
        anything = with_anion & ~charged
        blocks = [cations | anions, anions, cations][: self.blocks]
        return torch.cat([block | anything for block in blocks], 1)

    def after(self, adds: Tensor, element: int) -> Tensor:
        """See :class:`Charges`."""
        if self.blocks == 2:
            return adds.unsqueeze(1)
        without, with_anion, before_tie = adds.split(self.plain.words, 1)
        empty = torch.zeros_like(without)
        free, tied = torch.cat((without, with_anion, empty), 1), torch.cat((before_tie, with_anion, empty), 1)
        return torch.where(self.tied[: element + 1, element].view(1, -1, 1), tied.unsqueeze(1), free.unsqueeze(1))

    def carried(self, sets: Tensor) -> Tensor:
        """See :class:`Charges`."""
        without, with_anion, *_ = sets.split(self.plain.words, 1)
        return self.plain.carried(without | with_anion)
