"""Which Wyckoff assignments real crystals prefer: a fitted log weight for an element on a Wyckoff position.

The log weight of an assignment is a sum over its orbits of

    weight(class of the element, degrees of freedom) + slope(degrees of freedom) log(m / c) + bias(group, position)

with m the multiplicity and c the lattice points of the conventional cell. Positions that the normalizer of the group
exchanges share a bias; positions that are rare in the data have a bias near 0, so that the other terms decide.
``scripts/data/fit_site_prior.py`` fits the terms to real crystals by maximum conditional likelihood (the true
assignment among all with the same group and counts) and writes ``data/site_prior.json``.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from itertools import combinations
from math import log
from typing import Any

from crystalgfn.crystallography.elements import GROUP
from crystalgfn.crystallography.operations import letter_permutations
from crystalgfn.crystallography.sites.assignments import (
    Assignment,
    assignments,
    canonical,
    checked_counts,
    count_assignments,
    no_assignment,
)
from crystalgfn.crystallography.sites.counting import Site
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError

ELEMENT_CLASSES = ("hydrogen", "alkali", "alkaline earth", "f block", "transition metal", "p metal", "pnictogen",
                   "chalcogen", "halogen", "second row", "noble gas")  # fmt: skip
ENUMERATED = 2_000
"""Up to this number of assignments all are ranked; above it, only those that a beam search finds."""


def element_class(z: int) -> int:
    """Place in :data:`ELEMENT_CLASSES` of an element by atomic number."""
    group = int(GROUP[z])
    if z in (1, 5, 6):
        return 0 if z == 1 else 9
    if 57 <= z <= 71 or 89 <= z <= 103:
        return 3
    by_group = {1: 1, 2: 2, 15: 6, 16: 7, 17: 8, 18: 10}
    return by_group.get(group, 4 if group <= 12 else 5)


@cache
def position_classes(space_group: int) -> dict[str, str]:
    """For each letter, the first letter of the positions that the normalizer exchanges with it."""
    permutations = letter_permutations(space_group)
    order = list(permutations[0])
    return {letter: min((p[letter] for p in permutations), key=order.index) for letter in order}


@cache
def site_weights(space_group: int, z: int) -> dict[str, float]:
    """Log weight of one orbit of an element on each Wyckoff position, by letter.

    Raises:
        DataError: there is no such space group.
    """
    table = _table()
    classes = position_classes(space_group)
    biases = table["bias"].get(str(space_group), {})
    row = table["weight"][element_class(z)]
    return {
        p.letter: row[p.degrees_of_freedom]
        + table["slope"][p.degrees_of_freedom] * log(p.multiplicity / CENTERING_MULTIPLICITY[space_group])
        + biases.get(classes[p.letter], 0.0)
        for p in WYCKOFF[space_group]
    }


def log_weight(assignment: Assignment) -> float:
    """Log weight of an assignment, not normalised; equal for assignments that the normalizer connects."""
    return sum(site_weights(assignment.space_group, z)[letter] for z, letter in assignment.sites)


def rank_assignments(space_group: int, counts: Mapping[int, int], n: int) -> list[tuple[Assignment, float]]:
    """Return the assignments of largest weight, one of each set that the normalizer connects, best first.

    Exact up to :data:`ENUMERATED` assignments. Above, a beam search: element by element, the best partial assignments
    that can be completed are kept. Nothing is random.

    Args:
        space_group: international number, 1..230.
        counts: atoms of each atomic number in the conventional cell; zeros are ignored.
        n: most assignments to return.

    Returns:
        (canonical assignment, log weight) pairs, at most ``n``.

    Raises:
        DataError: no such group or element, a wrong count, or no assignment.
    """
    total = count_assignments(space_group, counts)
    if not total:
        raise no_assignment(space_group, counts)
    if n < 1:
        raise DataError(f"asked for {n} assignments; allowed are 1 or more")
    width = min(1_000, max(200, 2 * n * len(letter_permutations(space_group))))
    candidates = assignments(space_group, counts) if total <= ENUMERATED else _beam(space_group, counts, width)
    weighed = {assignment: log_weight(assignment) for assignment in map(canonical, candidates)}
    return heapq.nsmallest(n, weighed.items(), key=lambda item: (-item[1], item[0].sites))


def _beam(space_group: int, counts: Mapping[int, int], width: int) -> list[Assignment]:
    """Best assignments by beam search, with at most ``width`` partial assignments after each element."""
    pairs = list(checked_counts(counts))
    beam: list[tuple[float, tuple[Site, ...], frozenset[str]]] = [(0.0, (), frozenset())]
    for i, (z, n) in enumerate(pairs):
        options = _options(space_group, z, n, width)
        extensions = [
            (weight + own, sites + tuple((z, letter) for letter in letters), taken | fixed)
            for weight, sites, taken in beam
            for own, letters, fixed in options
            if not taken & fixed
        ]
        extensions.sort(key=lambda partial: (-partial[0], partial[1]))
        later = dict(pairs[i + 1 :])
        beam = []
        for partial in extensions:
            if _completable(space_group, partial[2], tuple(later.items())):
                beam.append(partial)
                if len(beam) == width:
                    break
    return [Assignment(space_group, sites) for _, sites, _ in beam]


@lru_cache(maxsize=4096)
def _completable(space_group: int, taken: frozenset[str], counts: tuple[tuple[int, int], ...]) -> bool:
    """Whether the positions not taken can hold the counts."""
    fixed = {p.letter: p.multiplicity for p in WYCKOFF[space_group] if not p.degrees_of_freedom}
    # only the number of positions of each multiplicity that are not taken matters
    free = {p.multiplicity for p in WYCKOFF[space_group] if p.degrees_of_freedom}
    places = dict.fromkeys(fixed.values(), 0)
    for letter, m in fixed.items():
        places[m] += letter not in taken
    return _holds(tuple(sorted(places.items())), frozenset(free), tuple(n for _, n in counts))


@lru_cache(maxsize=4096)
def _holds(places: tuple[tuple[int, int], ...], free: frozenset[int], counts: tuple[int, ...]) -> bool:
    if not counts:
        return True
    return any(_holds(rest, free, counts[1:]) for rest in set(_remains(places, free, counts[0])))


def _remains(
    places: tuple[tuple[int, int], ...], free: frozenset[int], atoms: int
) -> list[tuple[tuple[int, int], ...]]:
    """Fixed places left after one element, for each placement of its atoms."""
    if not places:
        sums = {0}
        for total in range(1, atoms + 1):
            if any(total - m in sums for m in free):
                sums.add(total)
        return [()] if atoms in sums else []
    (m, n), others = places[0], places[1:]
    return [
        ((m, n - used), *rest)
        for used in range(min(n, atoms // m) + 1)
        for rest in _remains(others, free, atoms - used * m)
    ]


def _options(space_group: int, z: int, atoms: int, width: int) -> list[tuple[float, tuple[str, ...], frozenset[str]]]:
    """Best placements of the atoms of one element: (log weight, letters, letters without free coordinates)."""
    weights = site_weights(space_group, z)
    free = [p for p in WYCKOFF[space_group] if p.degrees_of_freedom and p.multiplicity <= atoms]
    best: list[list[tuple[float, tuple[str, ...]]]] = [[] for _ in range(atoms + 1)]
    best[0].append((0.0, ()))
    for p in free:
        for total in range(p.multiplicity, atoms + 1):
            more = [(w + weights[p.letter], (*letters, p.letter)) for w, letters in best[total - p.multiplicity]]
            best[total] = heapq.nsmallest(width, best[total] + more, key=lambda item: (-item[0], item[1]))
    fixed = [p for p in WYCKOFF[space_group] if not p.degrees_of_freedom and p.multiplicity <= atoms]
    options = []
    for size in range(len(fixed) + 1):
        for chosen in combinations(fixed, size):
            rest = atoms - sum(p.multiplicity for p in chosen)
            if rest >= 0:
                own = sum(weights[p.letter] for p in chosen)
                letters = tuple(p.letter for p in chosen)
                options += [(own + w, letters + others, frozenset(letters)) for w, others in best[rest]]
    return sorted(options, key=lambda option: (-option[0], option[1]))[:width]


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads((files(__package__) / "data" / "site_prior.json").read_text())
    return table
