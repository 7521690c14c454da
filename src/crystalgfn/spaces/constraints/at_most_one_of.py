"""At most one element of each set."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import ConfigError, CrystalGFNError
from crystalgfn.spaces.constraints.base import Rule, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals


class AtMostOneOf(Rule):
    """At most one element of each set of atomic numbers."""

    value: tuple[frozenset[int], ...]
    name = "at_most_one_of"
    meaning = "Sets of elements, of each of which a crystal holds one at most, such as ``[[F, Cl, Br]]``."

    @classmethod
    def parse(cls, written: Any) -> tuple[frozenset[int], ...]:
        """Atomic numbers.

        Raises:
            ConfigError: no lists of elements.
        """
        if not isinstance(written, list) or not all(isinstance(choice, list) for choice in written):
            raise ConfigError(f"at_most_one_of: found {written!r}, allowed: lists of elements, such as [[F, Cl]]")
        try:
            return tuple(frozenset(atomic_number(str(symbol)) for symbol in choice) for choice in written)
        except CrystalGFNError as error:
            raise ConfigError(f"at_most_one_of: {error}") from None

    def kind(self, atomic_number: int) -> Hashable:
        """Which sets hold the element."""
        return frozenset(i for i, members in enumerate(self.value) if atomic_number in members)

    def start(self, most: int) -> Hashable:
        """No set has an element yet."""
        return frozenset()

    def advance(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """Sets that have an element by now; none may get a second one."""
        assert isinstance(state, frozenset)
        assert isinstance(kind, frozenset)
        return None if state & kind else state | kind

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """Any composition may end here."""
        return True

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether a set has two elements or more in the crystal."""
        numbers = [crystals.present[:, np.isin(crystals.numbers, list(members))].sum(1) for members in self.value]
        return np.any([number > 1 for number in numbers], axis=0)

    def __str__(self) -> str:
        """The sets, by symbols."""
        return "; ".join(" ".join(SYMBOLS[z] for z in sorted(members)) for members in self.value)
