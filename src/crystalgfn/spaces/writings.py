"""Writings of a crystal's sites: its elements as slots of Wyckoff letters, in the order in which they are sampled.

Slots come by falling number of atoms. Several writings can describe the same crystal: the normalizer of the space group
exchanges letters, and slots with equal numbers of atoms stand in any order. Each writing is a terminal state of its
own; the probability of a crystal is the sum over its writings. Their number is that of
:func:`crystalgfn.crystallography.sites.keys.log_writings`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import groupby, permutations, product

from crystalgfn.crystallography.elements import FORMULA_ORDER
from crystalgfn.crystallography.operations import affine_permutations
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.wyckoff import WYCKOFF

Slot = tuple[int, ...]
"""Letters of the orbits of one element, rising, 0 for a."""

Writing = tuple[tuple[Slot, ...], tuple[int, ...]]
"""Slots, and the atomic number of the element in each."""

_RANK = {z: rank for rank, z in enumerate(FORMULA_ORDER)}


@cache
def _images(space_group: int) -> tuple[tuple[int, ...], ...]:
    """Images of the letters under the affine normalizer, each once."""
    letters = [position.letter for position in WYCKOFF[space_group]]
    place = {letter: i for i, letter in enumerate(letters)}
    return tuple(
        dict.fromkeys(tuple(place[image[letter]] for letter in letters) for image in affine_permutations(space_group))
    )


@lru_cache(maxsize=10_000)
def _images_of(space_group: int, letters: frozenset[int]) -> tuple[dict[int, int], ...]:
    """Images of some of the letters, each once."""
    distinct = dict.fromkeys(tuple((i, image[i]) for i in sorted(letters)) for image in _images(space_group))
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
def canonical_writing(assignment: Assignment) -> Writing:
    """The writing with the least slots, and among these with the least elements in formula order."""
    group = assignment.space_group
    size = multiplicities(group)
    elements = [(_RANK[z], z, letters, -sum(size[i] for i in letters)) for z, letters in _slots(assignment)]
    images = _images_of(group, frozenset(i for _, _, letters, _ in elements for i in letters))
    least = min(
        (
            sorted((atoms, tuple(sorted(image[i] for i in letters)), rank, z) for rank, z, letters, atoms in elements)
            for image in images
        ),
        key=lambda slots: ([(atoms, letters) for atoms, letters, *_ in slots], [rank for *_, rank, _ in slots]),
    )
    return tuple(letters for _, letters, *_ in least), tuple(z for *_, z in least)


def writings(assignment: Assignment) -> list[Writing]:
    """Every writing of a crystal, each once."""
    group = assignment.space_group
    size = multiplicities(group)
    distinct: dict[Writing, None] = {}
    for image in _images_of(group, frozenset(i for _, letters in _slots(assignment) for i in letters)):
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
