"""Rules for the sites of elements: the symmetry of a site, and its multiplicity in the conventional cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.point_groups import site_symmetries
from crystalgfn.crystallography.wyckoff import MAX_LETTERS, WYCKOFF

LARGEST = 192
"""Largest multiplicity of a Wyckoff position."""


@dataclass(frozen=True)
class ElementSites:
    """Where an element may stand, if it is there.

    Attributes:
        element: atomic number.
        symmetries: point groups, of which every site of the element has one; empty for any.
        multiplicity: least and most multiplicity of every site, in the conventional cell.
    """

    element: int
    symmetries: tuple[str, ...] = ()
    multiplicity: tuple[int, int] = (1, LARGEST)

    def allows(self, space_group: int) -> tuple[bool, ...]:
        """Which Wyckoff positions of a group (1-230) the element may occupy, in the order of the letters."""
        low, high = self.multiplicity
        return tuple(
            low <= position.multiplicity <= high and (not self.symmetries or symmetry in self.symmetries)
            for position, symmetry in zip(WYCKOFF[space_group], site_symmetries(space_group), strict=True)
        )

    def fits(self, space_group: int, slots: Iterable[Sequence[int]]) -> bool:
        """Whether one of the slots of a pattern, as lists of letters (0 for a), may hold the element."""
        allows = self.allows(space_group)
        return any(all(allows[letter] for letter in slot) for slot in slots)

    def __str__(self) -> str:
        """The rule as a reader of the configuration knows it."""
        symmetry = " or ".join(self.symmetries)
        low, high = self.multiplicity
        multiplicity = "" if (low, high) == (1, LARGEST) else f"multiplicity {low} to {high}"
        return f"{SYMBOLS[self.element]} on sites of {' and '.join(filter(None, (symmetry, multiplicity)))}"


def roles_of_letters(rules: Sequence[ElementSites], space_group: int) -> tuple[tuple[bool, ...], ...]:
    """Which elements each letter of a group may hold: any element without a rule (first), and each with a rule."""
    each = [rule.allows(space_group) for rule in rules]
    return tuple((True, *(allows[place] for allows in each)) for place in range(len(WYCKOFF[space_group])))


def letters_of_rules(rules: Sequence[ElementSites]) -> list[list[list[bool]]]:
    """The same as a table ``(231, 27, 1 + K)``: letters that do not exist hold nothing."""
    nothing = [False] * (1 + len(rules))
    table = [[nothing] * MAX_LETTERS]
    for group in range(1, 231):
        own = [list(roles) for roles in roles_of_letters(rules, group)]
        table.append(own + [nothing] * (MAX_LETTERS - len(own)))
    return table
