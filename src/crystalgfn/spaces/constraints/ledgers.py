"""Constraints on compositions that look-ahead follows with a few numbers: what to keep in mind of the atoms so far.

A ledger is a small automaton (:class:`.rules.Ledger`). :mod:`~crystalgfn.spaces.occupancy` multiplies the ledgers'
states with its contexts, so that look-ahead stays exact. Here are those of constraints that have a key of their own;
others are rules (:mod:`.rules`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from crystalgfn.spaces.constraints.limits import CompositionConstraints
from crystalgfn.spaces.constraints.rules import Ledger

ROUNDING = 1e-9
"""Share of the atoms by which a bound may be missed through floating point."""


@dataclass(frozen=True)
class AnyOf:
    """One element at least of each set.

    Args:
        sets: atomic numbers.
    """

    sets: tuple[tuple[int, ...], ...]

    def kind(self, atomic_number: int) -> Hashable:
        """Which sets hold the element, as bits."""
        return sum(1 << i for i, members in enumerate(self.sets) if atomic_number in members)

    def start(self, most: int) -> Hashable:
        """See :class:`Ledger`."""
        return 0

    def step(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """See :class:`Ledger`."""
        assert isinstance(state, int)
        assert isinstance(kind, int)
        return state | kind

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """See :class:`Ledger`."""
        return state == (1 << len(self.sets)) - 1


@dataclass(frozen=True)
class Ratios:
    """A stoichiometry: named elements in their ratios, other elements in the open ratios, each ratio used once.

    The state holds every (formula units, open ratios left) that the atoms so far can mean. That all named elements are
    there is left to ``required``, and how many elements there are to ``n_elements``.

    Args:
        named: ``(atomic number, ratio)``.
        open: ratios left to other elements.
    """

    named: tuple[tuple[int, int], ...]
    open: tuple[int, ...]

    def kind(self, atomic_number: int) -> Hashable:
        """Ratio of a named element, 0 for others."""
        return dict(self.named).get(atomic_number, 0)

    def start(self, most: int) -> Hashable:
        """See :class:`Ledger`."""
        unit = sum(ratio for _, ratio in self.named) + sum(self.open)
        return frozenset((units, self.open) for units in range(1, most // unit + 1))

    def step(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """See :class:`Ledger`."""
        assert isinstance(state, frozenset)
        assert isinstance(kind, int)
        if kind:
            after = frozenset((units, left) for units, left in state if count == units * kind)
        else:
            after = frozenset(
                (units, _without(left, count // units))
                for units, left in state
                if count % units == 0 and count // units in left
            )
        return after or None

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """See :class:`Ledger`."""
        assert isinstance(state, frozenset)
        return any(not left for _, left in state)


def _without(ratios: tuple[int, ...], ratio: int) -> tuple[int, ...]:
    place = ratios.index(ratio)
    return ratios[:place] + ratios[place + 1 :]


@dataclass(frozen=True)
class Share:
    """Bounds on one element's share of the atoms; absent counts as 0.

    Args:
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
        """See :class:`Ledger`."""
        return 0

    def step(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """See :class:`Ledger`."""
        return count if kind else state

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """See :class:`Ledger`."""
        assert isinstance(state, int)
        return self.low * atoms - ROUNDING * atoms <= state <= self.high * atoms + ROUNDING * atoms


def ledgers_of(constraints: CompositionConstraints) -> tuple[Ledger, ...]:
    """The ledgers that a set of constraints needs; mostly none."""
    found: list[Ledger] = [Share(*share) for share in constraints.shares]
    if constraints.any_of:
        found.append(AnyOf(constraints.any_of))
    if constraints.stoichiometry is not None:
        found.append(Ratios(constraints.stoichiometry.named, constraints.stoichiometry.open))
    return (*found, *(rule for _, rule in constraints.rules))


@dataclass(frozen=True)
class Ledgers:
    """All ledgers together; a state is a tuple of theirs."""

    each: tuple[Ledger, ...]

    def kinds(self, elements: tuple[int, ...]) -> tuple[list[int], list[tuple[Hashable, ...]]]:
        """Kind of each element as a number, and what each kind means to each ledger."""
        meanings = [tuple(ledger.kind(z) for ledger in self.each) for z in elements]
        distinct = list(dict.fromkeys(meanings))
        return [distinct.index(meaning) for meaning in meanings], distinct

    def start(self, most: int) -> tuple[Hashable, ...]:
        """See :class:`Ledger`."""
        return tuple(ledger.start(most) for ledger in self.each)

    def step(self, state: tuple[Hashable, ...], kind: tuple[Hashable, ...], count: int) -> tuple[Hashable, ...] | None:
        """See :class:`Ledger`."""
        after = [ledger.step(s, k, count) for ledger, s, k in zip(self.each, state, kind, strict=True)]
        return None if any(s is None for s in after) else tuple(after)

    def accepts(self, state: tuple[Hashable, ...], atoms: int) -> bool:
        """See :class:`Ledger`."""
        return all(ledger.accepts(s, atoms) for ledger, s in zip(self.each, state, strict=True))
