"""Rules on compositions that hold for every sample, each a small automaton that look-ahead follows.

A composition grows by one element after the other, each with its number of atoms. A rule keeps what it has to know of
the atoms so far in a state with few values; :mod:`crystalgfn.spaces.occupancy` multiplies these states with its own,
so that masks stay exact: no dead ends, no rejection, and nothing that fits is lost.

Rules are written as ``constraints: {rules: {NAME: VALUE}}``. To add one, write a class like that below and put it into
:data:`RULES`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import ConfigError, CrystalGFNError, nearest


class Ledger(Protocol):
    """An automaton over (kind of element, atoms per primitive cell)."""

    def kind(self, atomic_number: int) -> Hashable:
        """What counts about an element; elements of one kind change states alike."""
        ...

    def start(self, most: int) -> Hashable:
        """State without atoms, where at most ``most`` atoms will come."""
        ...

    def step(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """State after ``count`` atoms of an element; None if the rule is broken for good."""
        ...

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """Whether a composition of so many atoms may end in a state."""
        ...


class Rule(Ledger, Protocol):
    """A ledger that can be written in a configuration, with a check of its own for finished crystals."""

    @classmethod
    def parse(cls, written: Any) -> Self:
        """The rule from its value in a configuration.

        Raises:
            ConfigError: says what is allowed.
        """
        ...

    def holds(self, counts: Mapping[int, int]) -> bool:
        """Whether atoms ``{atomic number: count}`` obey, by a direct look: what tests compare the automaton with."""
        ...


@dataclass(frozen=True)
class AtMostOneOf:
    """At most one element of each set: ``at_most_one_of: [[F, Cl, Br]]``.

    Args:
        sets: atomic numbers.
    """

    sets: tuple[frozenset[int], ...]

    @classmethod
    def parse(cls, written: Any) -> AtMostOneOf:
        """See :class:`Rule`."""
        if not isinstance(written, list) or not all(isinstance(choice, list) for choice in written):
            raise ConfigError(f"at_most_one_of: found {written!r}, allowed: lists of elements, such as [[F, Cl]]")
        try:
            return cls(tuple(frozenset(atomic_number(str(symbol)) for symbol in choice) for choice in written))
        except CrystalGFNError as error:
            raise ConfigError(f"at_most_one_of: {error}") from None

    def kind(self, atomic_number: int) -> Hashable:
        """Which sets hold the element."""
        return frozenset(i for i, members in enumerate(self.sets) if atomic_number in members)

    def start(self, most: int) -> Hashable:
        """See :class:`Ledger`: the sets that have an element so far."""
        return frozenset()

    def step(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """See :class:`Ledger`."""
        assert isinstance(state, frozenset)
        assert isinstance(kind, frozenset)
        return None if state & kind else state | kind

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """See :class:`Ledger`."""
        return True

    def holds(self, counts: Mapping[int, int]) -> bool:
        """See :class:`Rule`."""
        return all(sum(counts.get(z, 0) > 0 for z in members) <= 1 for members in self.sets)

    def __str__(self) -> str:
        """The sets, by symbols."""
        return "; ".join(" ".join(SYMBOLS[z] for z in sorted(members)) for members in self.sets)


RULES: dict[str, type[Rule]] = {
    "at_most_one_of": AtMostOneOf,
}
"""Every rule by the name it is written with."""


def parse_rules(written: Mapping[str, Any]) -> tuple[tuple[str, Rule], ...]:
    """Rules with their names, as a configuration has them.

    Raises:
        ConfigError: no such rule, or a value that makes no sense for it.
    """
    for name in written:
        if name not in RULES:
            raise ConfigError(f"rule {name!r}: unknown, allowed: {', '.join(RULES)}{nearest(name, list(RULES))}")
    return tuple((name, RULES[name].parse(value)) for name, value in written.items())
