"""Wyckoff assignments: the ways to spread the atoms of each element over the Wyckoff positions of a space group.

A position without free coordinates holds one orbit in the whole crystal; a position with free coordinates holds any
number of orbits, also of one element, in no order. Counting, uniform sampling and enumeration rest on the same exact
numbers (Python integers): with m_i the multiplicities of the free positions, the ways to fill r atoms
of one element into them are the coefficient of x^r in prod_i 1 / (1 - x^m_i); fixed positions of equal multiplicity are
chosen in binomial(left, used) ways.

Counts are ``{atomic number: atoms in the ITA conventional cell}``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.operations import letter_permutations
from crystalgfn.crystallography.sites.counting import Counter, Site, counter_of
from crystalgfn.crystallography.wyckoff import WYCKOFF, WyckoffPosition
from crystalgfn.errors import DataError


@dataclass(frozen=True)
class Assignment:
    """Which element occupies which Wyckoff positions: one site for each orbit.

    Sites are sorted by atomic number, then in the order of the letters, so equal assignments are equal objects.

    Attributes:
        space_group: international number, 1..230.
        sites: (atomic number, letter) of each orbit; a letter with free coordinates can occur several times.

    Raises:
        DataError: no such group or letter, or a position without free coordinates is taken twice.
    """

    space_group: int
    sites: tuple[Site, ...]

    def __post_init__(self) -> None:
        positions = _positions(self.space_group)
        order = {letter: rank for rank, letter in enumerate(positions)}
        for _, letter in self.sites:
            if letter not in order:
                raise DataError(
                    f"space group {self.space_group} has no Wyckoff position {letter!r}; allowed are {''.join(order)}"
                )
        sites = sorted(((int(z), letter) for z, letter in self.sites), key=lambda site: (site[0], order[site[1]]))
        fixed = [letter for _, letter in sites if positions[letter].degrees_of_freedom == 0]
        if len(set(fixed)) < len(fixed):
            twice = sorted({letter for letter in fixed if fixed.count(letter) > 1})
            raise DataError(f"positions {', '.join(twice)} have no free coordinates and are taken twice; allowed: once")
        object.__setattr__(self, "sites", tuple(sites))

    @property
    def multiplicities(self) -> tuple[int, ...]:
        """Atoms in the conventional cell of each site."""
        return tuple(position.multiplicity for position in self.positions)

    @property
    def degrees_of_freedom(self) -> tuple[int, ...]:
        """Free coordinates, 0..3, of each site."""
        return tuple(position.degrees_of_freedom for position in self.positions)

    @property
    def positions(self) -> tuple[WyckoffPosition, ...]:
        """The Wyckoff position of each site."""
        positions = _positions(self.space_group)
        return tuple(positions[letter] for _, letter in self.sites)

    @property
    def counts(self) -> dict[int, int]:
        """Atoms of each atomic number in the conventional cell."""
        counts: dict[int, int] = {}
        for (z, _), multiplicity in zip(self.sites, self.multiplicities, strict=True):
            counts[z] = counts.get(z, 0) + multiplicity
        return counts

    def __str__(self) -> str:
        sites = zip(self.sites, self.multiplicities, strict=True)
        return f"{self.space_group}: " + " ".join(f"{SYMBOLS[z]}({m}{letter})" for (z, letter), m in sites)


def count_assignments(space_group: int, counts: Mapping[int, int]) -> int:
    """Count the assignments, exactly; 0 where the group cannot hold these counts.

    Args:
        space_group: international number, 1..230.
        counts: atoms of each atomic number in the conventional cell; zeros are ignored.

    Raises:
        DataError: no such group or element, or a count that is negative or no whole number.
    """
    return _counter(space_group, counts).total


def assignments(space_group: int, counts: Mapping[int, int]) -> Iterator[Assignment]:
    """Yield every assignment once, lazily and without dead ends: the first costs as little as any other.

    Arguments and errors as for :func:`count_assignments`.
    """
    return (Assignment(space_group, sites) for sites in _counter(space_group, counts).walk())


def distinct_assignments(space_group: int, counts: Mapping[int, int]) -> Iterator[Assignment]:
    """Yield the :func:`canonical` assignment of each set that the group's normalizer connects.

    Arguments and errors as for :func:`count_assignments`.
    """
    return (each for each in assignments(space_group, counts) if canonical(each) == each)


def sample_assignments(space_group: int, counts: Mapping[int, int], n: int, *, seed: int) -> list[Assignment]:
    """Draw ``n`` assignments uniformly and independently, without enumerating them.

    Args:
        space_group: international number, 1..230.
        counts: atoms of each atomic number in the conventional cell; zeros are ignored.
        n: number of draws.
        seed: the same seed gives the same draws.

    Raises:
        DataError: as for :func:`count_assignments`, or there is no assignment.
    """
    counter = _counter(space_group, counts)
    if not counter.total:
        raise no_assignment(space_group, counts)
    generator = random.Random(seed)
    return [Assignment(space_group, counter.draw(generator)) for _ in range(n)]


def canonical(assignment: Assignment) -> Assignment:
    """Return the least of the assignments that the Euclidean normalizer of the group connects with this one.

    Two assignments with the same canonical assignment describe the same set of crystals (up to mirror images), from
    another origin or other axes of the same lengths; see
    :func:`~crystalgfn.crystallography.operations.letter_permutations`.
    """
    images = letter_permutations(assignment.space_group)
    if len(images) == 1:
        return assignment
    order = {letter: rank for rank, letter in enumerate(images[0])}
    sites = min(
        sorted(((z, image[letter]) for z, letter in assignment.sites), key=lambda site: (site[0], order[site[1]]))
        for image in images
    )
    return Assignment(assignment.space_group, tuple(sites))


def no_assignment(space_group: int, counts: Mapping[int, int]) -> DataError:
    """Return the error that says that a group cannot hold these counts."""
    shown = ", ".join(f"{SYMBOLS[z]} {n}" for z, n in counts.items() if n)
    allowed = ", ".join(
        f"{p.multiplicity}{p.letter}{'' if p.degrees_of_freedom else ' (once)'}" for p in WYCKOFF[space_group]
    )
    return DataError(
        f"space group {space_group} cannot hold the counts {shown or 'none'} in its conventional cell; "
        f"allowed are sums of the multiplicities of {allowed}"
    )


@cache
def _positions(space_group: int) -> dict[str, WyckoffPosition]:
    if not 1 <= space_group <= 230:
        raise DataError(f"space group is {space_group}; allowed are 1 to 230")
    return {position.letter: position for position in WYCKOFF[space_group]}


def checked_counts(counts: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    """Return the counts above 0 as (atomic number, count), by rising atomic number.

    Raises:
        DataError: an element that does not exist, or a count that is negative or no whole number.
    """
    for z, n in counts.items():
        if not 1 <= z <= 118 or int(z) != z:
            raise DataError(f"atomic number is {z}; allowed are 1 to 118")
        if not 0 <= n < float("inf") or int(n) != n:
            raise DataError(f"count of {SYMBOLS[int(z)]} is {n}; allowed are whole numbers of 0 and more")
    return tuple(sorted((int(z), int(n)) for z, n in counts.items() if n))


def _counter(space_group: int, counts: Mapping[int, int]) -> Counter:
    _positions(space_group)
    return counter_of(space_group, checked_counts(counts))
