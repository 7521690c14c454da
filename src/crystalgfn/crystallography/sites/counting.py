"""The numbers behind Wyckoff assignments: their completions, element by element; see :mod:`.assignments`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import combinations, product
from math import comb

from crystalgfn.crystallography.wyckoff import WYCKOFF

Site = tuple[int, str]
"""One occupied orbit: atomic number and Wyckoff letter."""

Used = tuple[int, ...]
"""Number of fixed positions taken, by multiplicity."""


class Counter:
    """Completions of an assignment, element by element: each takes fixed positions first, then free positions."""

    def __init__(self, space_group: int, counts: tuple[tuple[int, int], ...]) -> None:
        self.space_group = space_group
        self.counts = counts
        positions = WYCKOFF[space_group]
        self.fixed: dict[int, list[str]] = {}
        for position in positions:
            if position.degrees_of_freedom == 0:
                self.fixed.setdefault(position.multiplicity, []).append(position.letter)
        self.free = [(p.letter, p.multiplicity) for p in positions if p.degrees_of_freedom > 0]
        self.none_used: Used = (0,) * len(self.fixed)
        self._rows = self._free_fillings(max((n for _, n in counts), default=0))
        self._completions: dict[tuple[int, Used], int] = {}

    @cached_property
    def total(self) -> int:
        """Number of assignments; 0 where there are no atoms."""
        return self.completions(0, self.none_used) if self.counts else 0

    def _free_fillings(self, largest: int) -> list[list[int]]:
        """Row i: numbers of ways to spread 0..``largest`` atoms of one element over the free positions i, i + 1, ..."""
        rows = [[1] + [0] * largest]
        for _, multiplicity in reversed(self.free):
            row = rows[0].copy()
            for total in range(multiplicity, largest + 1):
                row[total] += row[total - multiplicity]
            rows.insert(0, row)
        return rows

    def steps(self, element: int, used: Used) -> Iterator[tuple[Used, int, int]]:
        """Yield (numbers of fixed positions that an element takes, atoms left for free positions, completions)."""
        places = [len(letters) - n for letters, n in zip(self.fixed.values(), used, strict=True)]
        atoms = self.counts[element][1]
        ranges = [range(min(left, atoms // m) + 1) for left, m in zip(places, self.fixed, strict=True)]
        for taken in product(*ranges):
            rest = atoms - sum(n * m for n, m in zip(taken, self.fixed, strict=True))
            number = self._rows[0][rest] if rest >= 0 else 0
            if number:
                for left, n in zip(places, taken, strict=True):
                    number *= comb(left, n)
                number *= self.completions(element + 1, tuple(a + b for a, b in zip(used, taken, strict=True)))
            if number:
                yield taken, rest, number

    def completions(self, element: int, used: Used) -> int:
        """Number of ways to assign this element and all later elements."""
        if element == len(self.counts):
            return 1
        key = (element, used)
        if key not in self._completions:
            self._completions[key] = sum(number for _, _, number in self.steps(element, used))
        return self._completions[key]

    def walk(self) -> Iterator[tuple[Site, ...]]:
        """Yield the sites of every assignment."""
        if self.total:
            yield from self._walk(0, self.none_used, frozenset())

    def _walk(self, element: int, used: Used, taken: frozenset[str]) -> Iterator[tuple[Site, ...]]:
        if element == len(self.counts):
            yield ()
            return
        z = self.counts[element][0]
        for numbers, rest, _ in self.steps(element, used):
            used_after = tuple(a + b for a, b in zip(used, numbers, strict=True))
            choices = [
                combinations([letter for letter in letters if letter not in taken], n)
                for letters, n in zip(self.fixed.values(), numbers, strict=True)
            ]
            for chosen in product(*choices):
                fixed = [letter for letters in chosen for letter in letters]
                for free in self._walk_free(0, rest):
                    own = tuple((z, letter) for letter in (*fixed, *free))
                    for others in self._walk(element + 1, used_after, taken | set(fixed)):
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

    def draw(self, generator: random.Random) -> tuple[Site, ...]:
        """Draw the sites of one assignment uniformly."""
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
        return tuple(sites)

    def _draw_step(self, element: int, used: Used, generator: random.Random) -> tuple[Used, int]:
        """Draw the numbers of fixed positions that an element takes; return them and the atoms left for free ones."""
        steps = list(self.steps(element, used))
        ticket = generator.randrange(sum(number for _, _, number in steps))
        for numbers, rest, number in steps:
            ticket -= number
            if ticket < 0:
                return numbers, rest
        raise AssertionError("the completions of the steps add up to more than any ticket")

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
def counter_of(space_group: int, counts: tuple[tuple[int, int], ...]) -> Counter:
    """Return the counter of a group and (atomic number, count) pairs by rising atomic number; the latest are cached."""
    return Counter(space_group, counts)
