"""Crystals with sites by direct enumeration, without any mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import permutations

from crystalgfn.crystallography.elements import FORMULA_ORDER
from crystalgfn.crystallography.point_groups import site_point_group
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.element_sites import ElementSites
from direct_compositions import satisfies

Slots = tuple[tuple[int, ...], ...]
Crystal = tuple[int, Slots, tuple[int, ...]]
"""Space group, letters of each slot, atomic number in each slot."""


def partitions(most: int, slots: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """Falling sequences of counts with a sum up to ``most``."""
    yield ()
    for n in range(1, min(most, largest or most) + 1):
        if slots:
            yield from ((n, *rest) for rest in partitions(most - n, slots - 1, n))


def slots_of(group: int, atoms: int) -> list[tuple[int, ...]]:
    """All lists of letters, in order, with that many atoms per primitive cell."""
    cells = int(CENTERING_MULTIPLICITY[group])

    def grow(first: int, left: int) -> Iterator[tuple[int, ...]]:
        if left == 0:
            yield ()
        for letter in range(first, len(WYCKOFF[group])):
            position = WYCKOFF[group][letter]
            m = position.multiplicity // cells
            if m <= left:
                for rest in grow(letter + (position.degrees_of_freedom == 0), left - m):
                    yield (letter, *rest)

    return list(grow(0, atoms))


def patterns_of(group: int, accepted: list[tuple[int, ...]]) -> list[Slots]:
    """Every pattern, as a list of slots, by trying all combinations."""
    fixed = {i for i, p in enumerate(WYCKOFF[group]) if p.degrees_of_freedom == 0}
    patterns: list[Slots] = []

    def grow(rest: tuple[int, ...], slots: Slots) -> None:
        if not rest:
            patterns.append(slots)
            return
        for slot in slots_of(group, rest[0]):
            taken = Counter(x for s in (*slots, slot) for x in s if x in fixed)
            if all(n == 1 for n in taken.values()):
                grow(rest[1:], (*slots, slot))

    for counts in accepted:
        grow(counts, ())
    return patterns


def within(slots: Slots, group: int, orbits: int | None, free_coordinates: int | None) -> bool:
    """Whether a pattern has at most so many orbits, and at most so many free coordinates."""
    letters = [x for slot in slots for x in slot]
    free = sum(WYCKOFF[group][x].degrees_of_freedom for x in letters)
    return (orbits is None or len(letters) <= orbits) and (free_coordinates is None or free <= free_coordinates)


def keeps_rules(group: int, slots: Slots, numbers: tuple[int, ...], rule: ElementSites) -> bool:
    """Whether every site of an element has one of the symmetries and a multiplicity within the bounds."""
    low, high = rule.multiplicity
    positions = [WYCKOFF[group][x] for z, slot in zip(numbers, slots, strict=True) if z == rule.element for x in slot]
    return all(
        low <= position.multiplicity <= high
        and (not rule.symmetries or site_point_group(group, position.letter) in rule.symmetries)
        for position in positions
    )


def enumerate_sites(elements: tuple[int, ...], groups: list[int], limits: Constraints) -> set[Crystal]:
    """Every writing of every crystal with sites that satisfies the constraints."""
    low, high = limits["n_elements"]
    rank = {z: i for i, z in enumerate(FORMULA_ORDER)}
    crystals = set()
    for group in groups:
        cells = int(CENTERING_MULTIPLICITY[group])
        most = min(limits["n_atoms_primitive"][1], limits["n_atoms"][1] // cells)
        only = limits["structure_type"]
        for slots in patterns_of(group, [c for c in partitions(most, high) if low <= len(c)]):
            if not within(slots, group, limits["max_orbits"], limits["max_free_coordinates"]):
                continue
            if only is not None and (group, slots) != (only.space_group, only.slots):
                continue
            for numbers in permutations(elements, len(slots)):
                if any(not keeps_rules(group, slots, numbers, rule) for rule in limits["element_sites"] or ()):
                    continue
                alike = [(i, j) for i in range(len(slots)) for j in range(i) if slots[i] == slots[j]]
                if any(rank[numbers[i]] < rank[numbers[j]] for i, j in alike):
                    continue  # slots alike are filled in formula order
                counts = tuple(sum(WYCKOFF[group][x].multiplicity for x in slot) for slot in slots)
                if satisfies(numbers, counts, group, limits):
                    crystals.add((group, slots, numbers))
    return crystals
