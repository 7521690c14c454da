"""Wyckoff assignments: the ways to spread the atoms of each element over the Wyckoff positions of a space group.

A position without free coordinates holds one orbit in the whole crystal; one with free coordinates holds any number of
orbits, also of one element, whose order does not matter. Counting, uniform sampling and enumeration rest on the same
numbers, which are exact (Python integers): with m_i the multiplicities of the free positions, the ways to fill r atoms
of one element into them are the coefficient of x^r in prod_i 1 / (1 - x^m_i); fixed positions of equal multiplicity are
chosen in binomial(left, used) ways.

Counts are ``{atomic number: atoms in the ITA conventional cell}``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import combinations, product
from math import comb

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.operations import letter_permutations
from crystalgfn.crystallography.wyckoff import WYCKOFF, WyckoffPosition
from crystalgfn.errors import DataError

Site = tuple[int, str]
"""One occupied orbit: atomic number and Wyckoff letter."""


@dataclass(frozen=True)
class Assignment:
    """Which element takes which Wyckoff positions: one site for each orbit.

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
    return _Counter.of(space_group, counts).total


def assignments(space_group: int, counts: Mapping[int, int]) -> Iterator[Assignment]:
    """Yield every assignment once, lazily and without dead ends: the first costs as little as any other.

    Args and errors as :func:`count_assignments`.
    """
    return _Counter.of(space_group, counts).walk()


def distinct_assignments(space_group: int, counts: Mapping[int, int]) -> Iterator[Assignment]:
    """Yield one assignment, its :func:`canonical` one, of each set that the group's normalizer connects.

    Args and errors as :func:`count_assignments`.
    """
    return (found for found in assignments(space_group, counts) if canonical(found) == found)


def sample_assignments(space_group: int, counts: Mapping[int, int], n: int, *, seed: int) -> list[Assignment]:
    """Draw ``n`` assignments uniformly and independently, without enumerating them.

    Args:
        space_group: international number, 1..230.
        counts: atoms of each atomic number in the conventional cell; zeros are ignored.
        n: how many to draw.
        seed: the same seed gives the same draws.

    Raises:
        DataError: as :func:`count_assignments`, or there is no assignment.
    """
    counter = _Counter.of(space_group, counts)
    if not counter.total:
        raise no_assignment(space_group, counts)
    generator = random.Random(seed)
    return [counter.draw(generator) for _ in range(n)]


def canonical(assignment: Assignment) -> Assignment:
    """Return the least of the assignments that are the same crystal by the Euclidean normalizer of the group.

    Two assignments with the same canonical one describe the same set of crystals (up to mirror images), from another
    origin or other axes of the same lengths; see :func:`~crystalgfn.crystallography.operations.letter_permutations`.
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
    found = ", ".join(f"{SYMBOLS[z]} {n}" for z, n in counts.items() if n)
    allowed = ", ".join(
        f"{p.multiplicity}{p.letter}{'' if p.degrees_of_freedom else ' (once)'}" for p in WYCKOFF[space_group]
    )
    return DataError(
        f"space group {space_group} cannot hold the counts {found or 'none'} in its conventional cell; "
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


Used = tuple[int, ...]
"""How many fixed positions of each multiplicity are taken."""


class _Counter:
    """Ways to complete an assignment, element by element: first its fixed positions, then its free ones."""

    def __init__(self, space_group: int, counts: tuple[tuple[int, int], ...]) -> None:
        self.space_group = space_group
        self.counts = counts
        positions = _positions(space_group).values()
        self.fixed: dict[int, list[str]] = {}
        for position in positions:
            if position.degrees_of_freedom == 0:
                self.fixed.setdefault(position.multiplicity, []).append(position.letter)
        self.free = [(p.letter, p.multiplicity) for p in positions if p.degrees_of_freedom > 0]
        self.none_used: Used = (0,) * len(self.fixed)
        self._rows = self._free_ways(max((n for _, n in counts), default=0))
        self._completions: dict[tuple[int, Used], int] = {}

    @staticmethod
    def of(space_group: int, counts: Mapping[int, int]) -> _Counter:
        _positions(space_group)
        return _cached_counter(space_group, checked_counts(counts))

    @cached_property
    def total(self) -> int:
        """Number of assignments; no atoms at all are none."""
        return self.completions(0, self.none_used) if self.counts else 0

    def _free_ways(self, largest: int) -> list[list[int]]:
        """Row i: ways to fill 0..``largest`` atoms of one element into the free positions i, i + 1, ..."""
        rows = [[1] + [0] * largest]
        for _, multiplicity in reversed(self.free):
            row = rows[0].copy()
            for total in range(multiplicity, largest + 1):
                row[total] += row[total - multiplicity]
            rows.insert(0, row)
        return rows

    def steps(self, element: int, used: Used) -> Iterator[tuple[Used, int, int]]:
        """Choices of how many fixed positions an element takes: (numbers, atoms left for free ones, completions)."""
        places = [len(letters) - n for letters, n in zip(self.fixed.values(), used, strict=True)]
        atoms = self.counts[element][1]
        ranges = [range(min(left, atoms // m) + 1) for left, m in zip(places, self.fixed, strict=True)]
        for taken in product(*ranges):
            rest = atoms - sum(n * m for n, m in zip(taken, self.fixed, strict=True))
            ways = self._rows[0][rest] if rest >= 0 else 0
            if ways:
                for left, n in zip(places, taken, strict=True):
                    ways *= comb(left, n)
                ways *= self.completions(element + 1, tuple(a + b for a, b in zip(used, taken, strict=True)))
            if ways:
                yield taken, rest, ways

    def completions(self, element: int, used: Used) -> int:
        """Ways to assign this element and all later ones."""
        if element == len(self.counts):
            return 1
        key = (element, used)
        if key not in self._completions:
            self._completions[key] = sum(ways for _, _, ways in self.steps(element, used))
        return self._completions[key]

    def walk(self) -> Iterator[Assignment]:
        """Yield every assignment."""
        if self.total:
            yield from (Assignment(self.space_group, sites) for sites in self._walk(0, self.none_used, frozenset()))

    def _walk(self, element: int, used: Used, taken: frozenset[str]) -> Iterator[tuple[Site, ...]]:
        if element == len(self.counts):
            yield ()
            return
        z = self.counts[element][0]
        for numbers, rest, _ in self.steps(element, used):
            now = tuple(a + b for a, b in zip(used, numbers, strict=True))
            choices = [
                combinations([letter for letter in letters if letter not in taken], n)
                for letters, n in zip(self.fixed.values(), numbers, strict=True)
            ]
            for chosen in product(*choices):
                fixed = [letter for letters in chosen for letter in letters]
                for free in self._walk_free(0, rest):
                    own = tuple((z, letter) for letter in (*fixed, *free))
                    for others in self._walk(element + 1, now, taken | set(fixed)):
                        yield own + others

    def _walk_free(self, first: int, rest: int) -> Iterator[tuple[str, ...]]:
        """Yield the multisets of free positions, from number ``first`` on, that hold ``rest`` atoms."""
        if rest == 0:
            yield ()
            return
        for i in range(first, len(self.free)):
            letter, multiplicity = self.free[i]
            if multiplicity <= rest and self._rows[i][rest - multiplicity]:
                yield from ((letter, *others) for others in self._walk_free(i, rest - multiplicity))

    def draw(self, generator: random.Random) -> Assignment:
        """Draw one assignment uniformly."""
        sites: list[Site] = []
        used, taken = self.none_used, set[str]()
        for element, (z, _) in enumerate(self.counts):
            numbers, rest = self._draw_step(element, used, generator)
            for letters, n in zip(self.fixed.values(), numbers, strict=True):
                chosen = generator.sample([letter for letter in letters if letter not in taken], n)
                taken.update(chosen)
                sites += [(z, letter) for letter in chosen]
            sites += [(z, letter) for letter in self._draw_free(rest, generator)]
            used = tuple(a + b for a, b in zip(used, numbers, strict=True))
        return Assignment(self.space_group, tuple(sites))

    def _draw_step(self, element: int, used: Used, generator: random.Random) -> tuple[Used, int]:
        """Draw how many fixed positions an element takes, and return the atoms left for its free ones with it."""
        steps = list(self.steps(element, used))
        ticket = generator.randrange(sum(ways for _, _, ways in steps))
        for numbers, rest, ways in steps:
            ticket -= ways
            if ticket < 0:
                return numbers, rest
        raise AssertionError("the ways of the steps add up to more than any ticket")

    def _draw_free(self, rest: int, generator: random.Random) -> Iterator[str]:
        """Walk over the free positions: take one more of position i, or go on to the next."""
        i = 0
        while rest:
            letter, multiplicity = self.free[i]
            again = self._rows[i][rest - multiplicity] if multiplicity <= rest else 0
            if generator.randrange(self._rows[i][rest]) < again:
                yield letter
                rest -= multiplicity
            else:
                i += 1


@lru_cache(maxsize=256)
def _cached_counter(space_group: int, counts: tuple[tuple[int, int], ...]) -> _Counter:
    return _Counter(space_group, counts)
