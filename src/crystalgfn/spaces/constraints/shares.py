"""Bounds on the shares that elements have of the atoms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import nearest
from crystalgfn.spaces.constraints.base import CompositionConstraint, Verdict
from crystalgfn.spaces.constraints.finished import ROUNDING, FinishedCrystals
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.constraints.reading import inside

MAX_SHARES = 2
"""Most elements whose share may be bounded: each multiplies the look-ahead tables."""


@dataclass(frozen=True)
class ShareLedger:
    """Follows the atoms of one element; an absent element has 0.

    Attributes:
        element: atomic number.
        low, high: least and most share.
    """

    element: int
    low: float
    high: float

    def kind(self, atomic_number: int) -> Hashable:
        """Whether it is the element."""
        return atomic_number == self.element

    def start(self, most: int) -> Hashable:
        """No atoms so far."""
        return 0

    def advance(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """Atoms of the element."""
        return count if kind else state

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """Whether the share is within the bounds, up to rounding."""
        assert isinstance(state, int)
        slack = 1e-9 * atoms
        return self.low * atoms - slack <= state <= self.high * atoms + slack


class Shares(CompositionConstraint):
    """``(atomic number, least, most)`` share of the atoms of each of a few elements."""

    value: tuple[tuple[int, float, float], ...]
    name = "shares"
    step = "shares of elements"
    meaning = (
        "Least and most share of the atoms for elements, such as ``{O: [0.5, 0.75]}``; an element that is absent "
        "counts as 0."
    )
    default: ClassVar[Any] = {}

    @classmethod
    def annotation(cls) -> Any:
        """Two numbers for each symbol."""
        return dict[str, tuple[float, float]]

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """Few elements, all of the space, with shares from 0 to 1."""
        if len(value) > MAX_SHARES:
            raise ValueError(f"shares: found {len(value)} elements, allowed: at most {MAX_SHARES}")
        elements = beside["elements"]["allowed"]
        for symbol, (low, high) in value.items():
            if symbol not in elements:
                raise ValueError(f"shares: {symbol} is no element of the space{nearest(symbol, elements)}")
            if not 0 <= low <= high <= 1:
                raise ValueError(f"shares: {symbol} has {[low, high]}, allowed: 0 <= least <= most <= 1")

    @classmethod
    def parse(cls, written: Any) -> tuple[tuple[int, float, float], ...]:
        """Atomic numbers with their bounds."""
        return tuple((atomic_number(symbol), low, high) for symbol, (low, high) in written.items())

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The shares of training and the new ones; an element in both has bounds within those of training."""
        return {**was, **now, **{s: inside(f"shares {s}", was[s], pair) for s, pair in now.items() if s in was}}

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """A ledger for each element."""
        return replace(limits, ledgers=(*limits.ledgers, *(ShareLedger(*share) for share in self.value)))

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether a share lies outside."""
        shares = [(crystals.of(z) / crystals.n_atoms, low, high) for z, low, high in self.value]
        within = [(share >= low - ROUNDING) & (share <= high + ROUNDING) for share, low, high in shares]
        return ~np.all(within, axis=0)

    def __str__(self) -> str:
        """Bounds by symbol."""
        return ", ".join(f"{SYMBOLS[z]} [{low:g}, {high:g}]" for z, low, high in self.value)
