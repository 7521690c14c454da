"""Writings of a crystal's sites: its elements as slots of Wyckoff letters, in the order in which they are sampled.

Slots come by falling number of atoms. Several writings can describe the same crystal: the normalizer of the space group
exchanges letters, and slots with equal numbers of atoms stand in any order. Each writing is a terminal state of its
own; the probability of a crystal is the sum over its writings. Their number is that of
:func:`crystalgfn.crystallography.sites.keys.log_writings`.

The affine normalizer also exchanges or shears axes of different lengths; such a writing belongs to another cell. So the
canonical writing of a crystal, which stands beside its cell, is the least of those that the Euclidean normalizer gives.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import groupby, permutations, product

from crystalgfn.crystallography.elements import FORMULA_ORDER
from crystalgfn.crystallography.operations import affine_permutations, letter_permutations
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.wyckoff import WYCKOFF

Slot = tuple[int, ...]
"""Letters of the orbits of one element, rising, 0 for a."""

Writing = tuple[tuple[Slot, ...], tuple[int, ...]]
"""Slots, and the atomic number of the element in each."""

_RANK = {z: rank for rank, z in enumerate(FORMULA_ORDER)}


@lru_cache(maxsize=10_000)
def _images_of(space_group: int, letters: frozenset[int], *, same_cell: bool) -> tuple[dict[int, int], ...]:
    """Images of some of the letters, each once: with the same cell, or with any cell."""
    names = [position.letter for position in WYCKOFF[space_group]]
    place = {letter: i for i, letter in enumerate(names)}
    images = letter_permutations(space_group) if same_cell else affine_permutations(space_group)
    distinct = dict.fromkeys(tuple((i, place[image[names[i]]]) for i in sorted(letters)) for image in images)
    return tuple(map(dict, distinct))


@cache
def multiplicities(space_group: int) -> tuple[int, ...]:
    """Multiplicity of each letter in the conventional cell."""
    return tuple(position.multiplicity for position in WYCKOFF[space_group])


def _slots(assignment: Assignment) -> list[tuple[int, Slot]]:
    """Elements with their letters."""
    place = {position.letter: i for i, position in enumerate(WYCKOFF[assignment.space_group])}
    letters: dict[int, list[int]] = {}
    for z, letter in assignment.sites:
        letters.setdefault(z, []).append(place[letter])
    return [(z, tuple(each)) for z, each in letters.items()]


@lru_cache(maxsize=100_000)
def canonical_writing(assignment: Assignment, *, same_cell: bool = True) -> Writing:
    """The writing with the least slots, and among these with the least elements in formula order.

    Args:
        assignment: sites of a crystal.
        same_cell: among the writings that belong to the same cell; else among all.
    """
    group = assignment.space_group
    size = multiplicities(group)
    elements = [(_RANK[z], z, letters, -sum(size[i] for i in letters)) for z, letters in _slots(assignment)]
    images = _images_of(group, frozenset(i for _, _, letters, _ in elements for i in letters), same_cell=same_cell)
    least = min(
        (
            sorted((atoms, tuple(sorted(image[i] for i in letters)), rank, z) for rank, z, letters, atoms in elements)
            for image in images
        ),
        key=lambda slots: ([(atoms, letters) for atoms, letters, *_ in slots], [rank for *_, rank, _ in slots]),
    )
    return tuple(letters for _, letters, *_ in least), tuple(z for *_, z in least)


def writings(assignment: Assignment) -> list[Writing]:
    """Every writing of a crystal, each once, whatever cell belongs to it."""
    group = assignment.space_group
    size = multiplicities(group)
    distinct: dict[Writing, None] = {}
    for image in _images_of(group, frozenset(i for _, letters in _slots(assignment) for i in letters), same_cell=False):
        slots = sorted(
            (-sum(size[i] for i in letters), tuple(sorted(image[i] for i in letters)), z)
            for z, letters in _slots(assignment)
        )
        classes = [list(each) for _, each in groupby(slots, key=lambda slot: slot[0])]
        for orders in product(*(permutations(each) for each in classes)):
            writing = [slot for order in orders for slot in order]
            # equal slots are filled in formula order: that is one writing
            ranks = [_RANK[z] for *_, z in writing]
            pairs = range(len(writing) - 1)
            if all(
                ranks[i] < ranks[j] for i in pairs for j in range(i + 1, len(writing)) if writing[i][1] == writing[j][1]
            ):
                distinct[tuple(letters for _, letters, _ in writing), tuple(z for *_, z in writing)] = None
    return list(distinct)
