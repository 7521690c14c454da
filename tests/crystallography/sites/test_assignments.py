"""Counting, enumerating and drawing assignments against each other and against brute force."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from crystalgfn.crystallography.operations import letter_permutations
from crystalgfn.crystallography.sites.assignments import (
    Assignment,
    assignments,
    canonical,
    count_assignments,
    distinct_assignments,
    sample_assignments,
)
from crystalgfn.crystallography.wyckoff import WYCKOFF, is_compatible
from crystalgfn.errors import DataError


def multisets(space_group: int, count: int) -> list[tuple[str, ...]]:
    """All multisets of letters whose multiplicities add up to a count, by trying every number of every letter."""
    positions = WYCKOFF[space_group]
    ranges = [
        range(count // p.multiplicity + 1 if p.degrees_of_freedom else min(1, count // p.multiplicity) + 1)
        for p in positions
    ]
    return [
        tuple(letter for p, n in zip(positions, numbers, strict=True) for letter in p.letter * n)
        for numbers in itertools.product(*ranges)
        if sum(n * p.multiplicity for p, n in zip(positions, numbers, strict=True)) == count
    ]


def brute_force(space_group: int, counts: dict[int, int]) -> set[Assignment]:
    fixed = {p.letter for p in WYCKOFF[space_group] if not p.degrees_of_freedom}
    found = set()
    for choice in itertools.product(*(multisets(space_group, n) for n in counts.values())):
        used = [letter for letters in choice for letter in letters if letter in fixed]
        if len(used) == len(set(used)):
            sites = [(z, letter) for z, letters in zip(counts, choice, strict=True) for letter in letters]
            found.add(Assignment(space_group, tuple(sites)))
    return found


def random_cases(n: int, seed: int) -> list[tuple[int, dict[int, int]]]:
    generator = random.Random(seed)
    cases = []
    while len(cases) < n:
        group = generator.randint(1, 230)
        step = min(p.multiplicity for p in WYCKOFF[group])
        counts = {z: step * generator.randint(1, 4) for z in generator.sample(range(1, 119), generator.randint(1, 3))}
        work = 1
        for position in WYCKOFF[group]:
            work *= max(counts.values()) // position.multiplicity + 1 if position.degrees_of_freedom else 2
        if work < 20_000 and count_assignments(group, counts) < 5_000:
            cases.append((group, counts))
    return cases


@pytest.mark.parametrize(("space_group", "counts"), random_cases(80, seed=0))
def test_enumeration_and_count_agree_with_brute_force(space_group, counts):
    listed = list(assignments(space_group, counts))
    assert len(set(listed)) == len(listed) == count_assignments(space_group, counts)
    assert set(listed) == brute_force(space_group, counts)
    assert bool(listed) == is_compatible(space_group, counts.values())
    assert all(found.counts == counts for found in listed)


def test_known_counts():
    assert count_assignments(225, {11: 4, 17: 4}) == 2  # rock salt: a, b either way
    assert count_assignments(225, {11: 4, 17: 4, 19: 4}) == 0
    assert count_assignments(1, {1: 7, 2: 5}) == 1
    assert count_assignments(221, {22: 1, 38: 1, 8: 3}) == 4
    assert count_assignments(166, {8: 300, 9: 600}) > 10**9
    assert count_assignments(225, {}) == 0


def test_draws_are_uniform():
    case = 123, {8: 4, 22: 1, 38: 1}
    total = count_assignments(*case)
    draws = Counter(sample_assignments(*case, 60 * total, seed=1))
    assert set(draws) == set(assignments(*case))
    statistic = sum((n - 60) ** 2 / 60 for n in draws.values())
    assert abs(statistic - (total - 1)) < 5 * (2 * (total - 1)) ** 0.5  # chi-squared: mean and five deviations


def test_draws_need_no_enumeration_and_follow_the_seed():
    counts = {8: 300, 9: 600}
    first = sample_assignments(166, counts, 20, seed=3)
    assert first == sample_assignments(166, counts, 20, seed=3) != sample_assignments(166, counts, 20, seed=4)
    assert all(found.counts == counts for found in first)
    assert next(assignments(166, counts)).counts == counts


@pytest.mark.parametrize(("space_group", "counts"), random_cases(30, seed=5))
def test_distinct_assignments_are_the_orbits_of_the_normalizer(space_group, counts):
    everything = set(assignments(space_group, counts))
    distinct = list(distinct_assignments(space_group, counts))
    reached = set()
    for found in distinct:
        orbit = {
            Assignment(space_group, tuple((z, image[letter]) for z, letter in found.sites))
            for image in letter_permutations(space_group)
        }
        assert {canonical(member) for member in orbit} == {found}
        assert not orbit & reached
        reached |= orbit
    assert reached == everything


def test_rock_salt_is_one_crystal():
    assert [str(found) for found in distinct_assignments(225, {11: 4, 17: 4})] == ["225: Na(4a) Cl(4b)"]


def test_an_assignment_tells_its_sites():
    spinel = Assignment(227, ((13, "d"), (8, "e"), (12, "a")))
    assert spinel.sites == ((8, "e"), (12, "a"), (13, "d"))
    assert spinel.multiplicities == (32, 8, 16)
    assert spinel.degrees_of_freedom == (1, 0, 0)
    assert spinel.counts == {8: 32, 12: 8, 13: 16}
    assert spinel == Assignment(227, spinel.sites[::-1])
    assert Assignment(47, ((1, "A"), (1, "z"))).sites == ((1, "z"), (1, "A"))


@pytest.mark.parametrize(
    ("space_group", "counts", "message"),
    [
        (0, {8: 1}, "space group is 0; allowed are 1 to 230"),
        (225, {0: 4}, "atomic number is 0; allowed are 1 to 118"),
        (225, {8: -4}, "count of O is -4"),
        (225, {8: 2.5}, "count of O is 2.5"),
        (225, {8: float("nan")}, "count of O is nan"),
        (225, {8: 2}, "space group 225 cannot hold the counts O 2"),
    ],
)
def test_bad_input_is_named(space_group, counts, message):
    with pytest.raises(DataError, match=message):
        sample_assignments(space_group, counts, 1, seed=0)


def test_impossible_assignments_are_refused():
    with pytest.raises(DataError, match="positions a have no free coordinates and are taken twice"):
        Assignment(225, ((8, "a"), (12, "a")))
    with pytest.raises(DataError, match="no Wyckoff position 'm'"):
        Assignment(225, ((8, "m"),))
