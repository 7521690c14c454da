"""At least one element of each set."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.spaces.constraints.base import FollowedConstraint, Option, Verdict
from crystalgfn.spaces.constraints.elements import usable
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.reading import as_list, sets, symbols

MAX_SETS = 4
"""Most sets: each doubles the look-ahead tables."""


class AnyOf(FollowedConstraint):
    """At least one element of each set of atomic numbers."""

    value: tuple[tuple[int, ...], ...]
    name = "any_of"
    section = "elements"
    step = "elements asked for"
    meaning = "Sets of elements, of each of which every crystal must hold one at least."
    default: ClassVar[Any] = []
    option = Option.of_list("--any-of", "One of these at least; may be repeated.", "Fe,Mn", sets)

    @classmethod
    def annotation(cls) -> Any:
        """List of lists of symbols."""
        from pydantic import BeforeValidator

        return list[Annotated[list[str], BeforeValidator(symbols)]]

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """Each set holds a usable element, and there are few sets."""
        left = set(usable(beside))
        for choice in value:
            if not left & set(choice):
                raise ValueError(
                    f"any_of: none of {', '.join(choice) or 'nothing'} can be used, allowed: one at least of "
                    f"{', '.join(usable(beside))}"
                )
        if len(value) > MAX_SETS:
            raise ValueError(f"any_of: found {len(value)} sets, allowed: at most {MAX_SETS}")

    @classmethod
    def parse(cls, written: Any) -> tuple[tuple[int, ...], ...]:
        """Atomic numbers."""
        return tuple(tuple(atomic_number(symbol) for symbol in choice) for choice in written)

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The old sets and the new ones; a text is one set."""
        return [*was, *([now] if isinstance(now, str) else as_list(now))]

    def kind(self, atomic_number: int) -> Hashable:
        """Which sets hold the element, as bits."""
        return sum(1 << i for i, members in enumerate(self.value) if atomic_number in members)

    def start(self, most: int) -> Hashable:
        """No set has an element yet."""
        return 0

    def advance(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """Sets that have an element by now."""
        assert isinstance(state, int)
        assert isinstance(kind, int)
        return state | kind

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """Every set has an element."""
        return state == (1 << len(self.value)) - 1

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether a set has no element in the crystal."""
        satisfied = [crystals.present[:, np.isin(crystals.numbers, choice)].any(1) for choice in self.value]
        return ~np.all(satisfied, axis=0)

    def __str__(self) -> str:
        """The sets, by symbols."""
        return " and ".join(" ".join(SYMBOLS[z] for z in choice) for choice in self.value)
