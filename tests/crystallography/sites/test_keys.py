"""Keys of crystals and patterns, and numbers of writings, against enumeration and against symmetry found by moyopy."""

from __future__ import annotations

import json
import random
from functools import cache
from itertools import permutations
from math import log
from pathlib import Path

import moyopy
import numpy as np
import pytest
import torch

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.operations import affine_permutations, group_operations, letter_permutations
from crystalgfn.crystallography.sites import keys
from crystalgfn.crystallography.sites.keys import log_writings, pattern_keys, site_keys, splitmix64
from crystalgfn.crystallography.wyckoff import WYCKOFF

SHARED = Path(__file__).parents[4] / "shared" / "data" / "crystals.parquet"
CHANGED_BY_METRIC = [g for g in range(1, 231) if len(affine_permutations(g)) > len(letter_permutations(g))]
PLACE = [{position.letter: i for i, position in enumerate(positions)} for positions in WYCKOFF]

SITE_KEYS = [5_542_252_858_382_606_618, 5_594_022_634_590_244_630, 5_284_413_829_748_490_469]
PATTERN_KEYS = [4_026_324_319_639_040_124, 7_956_473_902_253_115_823, 770_577_870_987_184_303]

Crystal = tuple[int, tuple[tuple[int, str], ...]]
"""Space group, and (kind, letter) of each orbit."""


def batch(crystals: list[Crystal], *, width: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Space groups (B,), kinds (B, O) and letters (B, O)."""
    width = max([width, *(len(sites) for _, sites in crystals)])
    kinds = torch.zeros(len(crystals), width, dtype=torch.int64)
    letters = torch.full((len(crystals), width), -1)
    for row, (group, sites) in enumerate(crystals):
        for column, (kind, letter) in enumerate(sites):
            kinds[row, column], letters[row, column] = kind, PLACE[group][letter]
    return torch.tensor([group for group, _ in crystals]), kinds, letters


def random_crystal(generator: random.Random, group: int, *, orbits: int, kinds: int) -> Crystal:
    """A crystal with up to some orbits and kinds 0, 1, ..., each of which occurs."""
    letters: list[str] = []
    for _ in range(orbits):
        position = generator.choice(WYCKOFF[group])
        if position.degrees_of_freedom or position.letter not in letters:
            letters.append(position.letter)
    number = min(kinds, len(letters))
    chosen = [*range(number), *(generator.randrange(number) for _ in range(len(letters) - number))]
    return group, tuple(zip(chosen, letters, strict=True))


def crystals(seed: int, n: int, *, groups: list[int] | None = None, kinds: int = 3) -> list[Crystal]:
    generator = random.Random(seed)
    return [
        random_crystal(
            generator, generator.choice(groups or range(1, 231)), orbits=generator.randint(1, 6), kinds=kinds
        )
        for _ in range(n)
    ]


def slots_of(crystal: Crystal) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The kinds, and the letters of each."""
    found: dict[int, str] = {}
    for kind, letter in sorted(crystal[1]):
        found[kind] = found.get(kind, "") + letter
    return tuple(found), tuple(found.values())


@cache
def images_of(group: int, slots: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """The distinct images of slots, which keep their order."""
    joined = "|".join(slots)
    moved = {joined.translate(str.maketrans(p)) for p in affine_permutations(group)}
    return frozenset(tuple("".join(sorted(letters)) for letters in text.split("|")) for text in moved)


def exact_sites(crystal: Crystal) -> tuple:
    kinds, slots = slots_of(crystal)
    return crystal[0], kinds, min(images_of(crystal[0], slots))


def exact_pattern(crystal: Crystal) -> tuple:
    slots = tuple(sorted(slots_of(crystal)[1]))
    return crystal[0], min(tuple(sorted(images)) for images in images_of(crystal[0], slots))


def writings(crystal: Crystal) -> set[tuple]:
    """All lists of (letters, kind) by falling atoms, identical slots by rising kind, over all permutations."""
    group = crystal[0]
    atoms = {p.letter: p.multiplicity for p in WYCKOFF[group]}
    found = set()
    kinds, slots = slots_of(crystal)
    for images in images_of(group, slots):
        for order in permutations(zip(images, kinds, strict=True)):
            sizes = [sum(atoms[letter] for letter in letters) for letters, _ in order]
            rising = all(a[1] < b[1] for i, a in enumerate(order) for b in order[i + 1 :] if a[0] == b[0])
            if sizes == sorted(sizes, reverse=True) and rising:
                found.add(order)
    return found


def test_the_random_numbers_are_those_of_splitmix64():
    assert [hex(x) for x in splitmix64(0, 3).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_keys_are_these_numbers_everywhere():
    rock_salt, spinel = (225, ((12, "a"), (8, "b"))), (227, ((8, "e"), (13, "d"), (12, "a")))
    anorthic = (2, ((6, "a"), (6, "i"), (1, "i"), (1, "i")))
    group, elements, letters = batch([rock_salt, spinel, anorthic])
    slots = torch.tensor([[0, 1, 0, 0], [0, 1, 2, 0], [0, 0, 1, 1]])
    assert site_keys(group, elements, letters).tolist() == SITE_KEYS
    assert pattern_keys(group, slots, letters).tolist() == PATTERN_KEYS


@pytest.mark.parametrize("find", [site_keys, pattern_keys])
def test_keys_do_not_depend_on_description_order_padding_or_batch(find, monkeypatch):
    generator = random.Random(1)
    originals = crystals(2, 300) + crystals(3, 60, groups=[2, 10, 47, 69])
    moved = []
    for group, sites in originals:
        images = generator.choice(affine_permutations(group))
        new = [(kind, images[letter]) for kind, letter in sites]
        generator.shuffle(new)
        if find is pattern_keys:
            names = generator.sample(range(5), 5)
            new = [(names[kind], letter) for kind, letter in new]
        moved.append((group, tuple(new)))
    expected = find(*batch(originals))
    assert (expected >= 0).all()
    assert torch.equal(find(*batch(moved, width=9)), expected)
    monkeypatch.setattr(keys, "_PAIRS", 100)
    assert torch.equal(find(*batch(moved)), expected)
    assert torch.equal(torch.cat([find(*batch([crystal])) for crystal in moved[:40]]), expected[:40])


@pytest.mark.parametrize(("find", "exact"), [(site_keys, exact_sites), (pattern_keys, exact_pattern)])
@pytest.mark.parametrize("groups", [None, [1, 2, 62], [47], [225]], ids=str)
def test_keys_are_equal_if_and_only_if_exact_forms_are(find, exact, groups):
    several = crystals(4, 800, groups=groups)
    forms = [exact(crystal) for crystal in several]
    numbers = find(*batch(several)).tolist()
    assert len(set(zip(forms, numbers, strict=True))) == len(set(forms)) == len(set(numbers))


@pytest.mark.parametrize("groups", [None, [1, 2], [47, 10], [62, 225]], ids=str)
def test_writings_are_those_of_enumeration(groups):
    several = crystals(5, 120, groups=groups, kinds=4)
    expected = [log(len(writings(crystal))) for crystal in several]
    assert max(expected) > 1
    assert log_writings(*batch(several, width=8)).tolist() == pytest.approx(expected, abs=1e-12)


def test_rock_salt_has_four_writings():
    assert log_writings(*batch([(225, ((0, "a"), (1, "b")))])).exp().item() == pytest.approx(4)


def test_nothing_has_no_keys():
    group, kinds, letters = batch([(225, ((12, "a"),))])
    for find in (site_keys, pattern_keys, log_writings):
        assert find(group[:0], kinds[:0], letters[:0]).shape == (0,)


def metric(number: int, generator: np.random.Generator) -> np.ndarray:
    """Rows of a cell whose free lengths and angles are random."""
    a, b, c = generator.permutation([5.1, 6.7, 8.3])
    x, y, z = generator.uniform(-2.5, 2.5, size=3)
    if number <= 2:
        return np.array([[a, 0, 0], [x, b, 0], [y, z, c]])
    return np.array([[a, 0, 0], [0, b, 0], [x if number <= 15 else 0, 0, c]])


@pytest.mark.parametrize("number", CHANGED_BY_METRIC)
def test_crystals_have_the_same_key_whatever_axes_moyopy_chooses(number):
    """The same sites in lattices of other lengths and angles, where the standard cell has its axes exchanged."""
    generator = np.random.default_rng(number)
    positions = list(group_operations(number).positions.values())
    chosen = [
        positions[i] for i in sorted(generator.choice(len(positions), size=min(5, len(positions)), replace=False))
    ]
    # the general position thrice: a single orbit can have more symmetry than its group
    occupied = [*chosen, positions[-1], positions[-1], positions[-1]]
    kinds = [*range(1, len(chosen) + 1), 90, 91, 92]
    expected = site_keys(*batch([(number, tuple(zip(kinds, (p.letter for p in occupied), strict=True)))]))
    points = [p.coordinates(generator.uniform(size=p.degrees_of_freedom)) for p in occupied]
    numbers = [kind for kind, p in zip(kinds, occupied, strict=True) for _ in range(p.multiplicity)]
    for _ in range(6):
        cell = moyopy.Cell(metric(number, generator).tolist(), np.concatenate(points).tolist(), numbers)
        found = moyopy.MoyoDataset(cell, symprec=1e-4, setting=moyopy.Setting.standard())
        assert found.number == number
        sites = {(orbit, numbers[i], found.wyckoffs[i]) for i, orbit in enumerate(found.orbits)}
        assert torch.equal(site_keys(*batch([(number, tuple(site[1:] for site in sites))])), expected)


@pytest.mark.skipif(not SHARED.exists(), reason="the table of real crystals is not there")
def test_real_crystals_do_not_collide():
    frame = pytest.importorskip("pandas").read_parquet(SHARED, columns=["spacegroup", "wyckoff"])
    several = [
        (int(group), tuple((SYMBOLS.index(symbol), letter) for symbol, letter, _ in json.loads(text)))
        for group, text in zip(frame["spacegroup"], frame["wyckoff"], strict=True)
    ]
    for find, exact in ((site_keys, exact_sites), (pattern_keys, exact_pattern)):
        forms = [exact(crystal) for crystal in several]
        numbers = find(*batch(several)).tolist()
        assert len(set(zip(forms, numbers, strict=True))) == len(set(forms)) == len(set(numbers))
