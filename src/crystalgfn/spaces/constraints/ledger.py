"""Ledgers: small automata with which look-ahead follows constraints on compositions.

A composition grows by one element after the other, each with its number of atoms. A ledger keeps what it has to know of
the atoms so far in a state with few values; :mod:`crystalgfn.spaces.occupancy` multiplies these states with its own,
so that masks stay exact: no dead ends, no rejection, and nothing that fits is lost.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol


class Ledger(Protocol):
    """An automaton over (kind of element, atoms per primitive cell)."""

    def kind(self, atomic_number: int) -> Hashable:
        """What counts about an element; elements of one kind change states alike."""
        ...

    def start(self, most: int) -> Hashable:
        """State without atoms, where at most ``most`` atoms will come."""
        ...

    def advance(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """State after ``count`` atoms of an element; None if the constraint is broken for good."""
        ...

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """Whether a composition of this number of atoms may end in a state."""
        ...


@dataclass(frozen=True)
class Ledgers:
    """All ledgers together; a state is a tuple of the states of the ledgers."""

    each: tuple[Ledger, ...]

    def kinds(self, elements: tuple[int, ...]) -> tuple[list[int], list[tuple[Hashable, ...]]]:
        """Kind of each element as a number, and what each kind means to each ledger."""
        meanings = [tuple(ledger.kind(z) for ledger in self.each) for z in elements]
        distinct = list(dict.fromkeys(meanings))
        return [distinct.index(meaning) for meaning in meanings], distinct

    def start(self, most: int) -> tuple[Hashable, ...]:
        """See :class:`Ledger`."""
        return tuple(ledger.start(most) for ledger in self.each)

    def advance(
        self, state: tuple[Hashable, ...], kind: tuple[Hashable, ...], count: int
    ) -> tuple[Hashable, ...] | None:
        """See :class:`Ledger`."""
        after = [ledger.advance(s, k, count) for ledger, s, k in zip(self.each, state, kind, strict=True)]
        return None if any(s is None for s in after) else tuple(after)

    def accepts(self, state: tuple[Hashable, ...], atoms: int) -> bool:
        """See :class:`Ledger`."""
        return all(ledger.accepts(s, atoms) for ledger, s in zip(self.each, state, strict=True))
