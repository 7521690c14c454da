"""Keys of crystals and site patterns: 63-bit numbers that say whether two descriptions mean the same sites.

Letters change with the choice of axes and origin. With P the permutations of letters that the affine normalizer of the
group makes (:func:`~crystalgfn.crystallography.operations.affine_permutations`), the key of a crystal is

    mix(group, min over p in P of sum over orbits of R[element, p(letter)])

a hash of the multiset of (element, letter) that is the same for all descriptions. The pattern without elements is
hashed alike, with mix(seed + sum over the letters of a slot of R[0, p(letter)]) for each slot, so that slots have no
order. Sums are modulo 2^64; R and mix are those of splitmix64, with one fixed seed, so that a key is the same number on
every platform and in every version, and tables of keys can be stored.

Letters are given as places, 0 for ``a``, with -1 where a row has fewer orbits than its batch; nothing is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystallography.hashing import POSITIVE, SEED, mix, splitmix64
from crystalgfn.crystallography.operations import affine_permutations
from crystalgfn.crystallography.wyckoff import MAX_LETTERS, WYCKOFF

_COLUMNS = MAX_LETTERS + 1  # the last one is that of the padding, -1
_KINDS = 119  # atomic numbers, and 0 for "any element"
_PAIRS = 1 << 13  # (crystal, image) pairs at a time, which bounds the memory


@dataclass(frozen=True)
class _Tables:
    """The permutations of all groups, one after the other, and what a letter is worth.

    Attributes:
        images: ``(sum of P, 28)`` place of the image of each letter.
        first, number: ``(231,)`` rows of each group in ``images``.
        words: ``(119, 28)`` random numbers R[element, letter]; 0 for the padding.
        multiplicity: ``(231, 28)`` atoms in the conventional cell; 0 for the padding.
    """

    images: Tensor
    first: Tensor
    number: Tensor
    words: Tensor
    multiplicity: Tensor


def site_keys(space_group: Tensor, elements: Tensor, letters: Tensor) -> Tensor:
    """Return a key for each crystal: equal for descriptions that differ in axes, origin or order of the orbits alone.

    Args:
        space_group: ``(B,)`` international numbers.
        elements: ``(B, O)`` atomic number of each orbit.
        letters: ``(B, O)`` place of its Wyckoff letter; -1 pads.

    Returns:
        ``(B,)`` int64, not negative.
    """
    least = [
        _least(words.sum(1), row, len(own)) for own, row, words in _words_of_images(space_group, letters, elements)
    ]
    return _mix_group(space_group, least)


def pattern_keys(space_group: Tensor, slots: Tensor, letters: Tensor) -> Tensor:
    """Return a key for each pattern: which orbits are of one element, whatever that element is.

    Args:
        space_group: ``(B,)`` international numbers.
        slots: ``(B, O)`` number of the slot of each orbit, from 0; slots may come in any order.
        letters: ``(B, O)`` place of its Wyckoff letter; -1 pads.

    Returns:
        ``(B,)`` int64, not negative; no relation to :func:`site_keys`.
    """
    size = _number_of_slots(slots, letters)
    least = []
    for own, row, words in _words_of_images(space_group, letters, torch.zeros_like(letters)):
        each = words.new_zeros(len(words), size).scatter_add_(1, _filled(slots, letters)[own][row], words)
        mixed = torch.where(each != 0, mix(each + SEED), 0)  # 0: a slot that only other crystals of the batch have
        least.append(_least(mixed.sum(1), row, len(own)))
    return _mix_group(space_group, least)


def log_writings(space_group: Tensor, slots: Tensor, letters: Tensor) -> Tensor:
    """Return the log of the number of distinct writings of a crystal with a different element in each slot.

    A writing lists slots with their letters and elements, by falling atoms of a slot. The crystal has one for each
    distinct image under the normalizer, times the orders of slots with equal numbers of atoms; slots with identical
    letters stand in one order, that of their elements.

    Args:
        space_group: ``(B,)`` international numbers.
        slots: ``(B, O)`` number of the slot of each orbit, from 0.
        letters: ``(B, O)`` place of its Wyckoff letter; -1 pads.

    Returns:
        ``(B,)`` float64, 0 or more.
    """
    tables, filled, size = _tables(letters.device), _filled(slots, letters), _number_of_slots(slots, letters)
    own_words = tables.words[filled + 1, letters].sum(1)
    unmoved = torch.zeros_like(space_group)  # permutations that keep the letters of every slot
    for own, row, words in _words_of_images(space_group, letters, filled + 1):
        same = words.sum(1) == own_words[own][row]
        unmoved[own] = torch.zeros_like(own).scatter_add_(0, row, same.long())
    images = tables.number[space_group].double() / unmoved.double()

    atoms = torch.zeros(len(letters), size, dtype=torch.int64, device=letters.device)
    content = atoms.clone()
    atoms.scatter_add_(1, filled, tables.multiplicity[space_group.unsqueeze(1), letters])
    content.scatter_add_(1, filled, tables.words[0][letters])
    return images.log() + _log_factorials(atoms, atoms > 0) - _log_factorials(content, atoms > 0)


def _words_of_images(space_group: Tensor, letters: Tensor, kinds: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """R[kind, p(letter)] ``(N, O)`` for all pairs of a crystal and a permutation, some crystals at a time.

    Yields:
        which crystals ``(b,)``, which of these each pair belongs to ``(N,)``, and the numbers.
    """
    tables = _tables(letters.device)
    number = tables.number[space_group]
    for own in _parts(number):
        row = torch.arange(len(own), device=own.device).repeat_interleave(number[own])
        before = number[own].cumsum(0) - number[own]
        image = tables.first[space_group[own]][row] + torch.arange(len(row), device=own.device) - before[row]
        moved = tables.images[image].gather(1, (letters[own] % _COLUMNS)[row])
        yield own, row, tables.words.flatten()[kinds[own][row] * _COLUMNS + moved]


def _parts(number: Tensor) -> tuple[Tensor, ...]:
    """Split crystals, in order, into parts of about :data:`_PAIRS` pairs."""
    rows = torch.arange(len(number), device=number.device)
    _, sizes = torch.unique_consecutive(number.cumsum(0) // _PAIRS, return_counts=True)
    return rows.split(sizes.tolist())


def _least(values: Tensor, row: Tensor, rows: int) -> Tensor:
    """The least of the values ``(N,)`` of each row ``(rows,)``."""
    return values.new_zeros(rows).scatter_reduce_(0, row, values, "amin", include_self=False)


def _mix_group(space_group: Tensor, least: list[Tensor]) -> Tensor:
    values = torch.cat(least) if least else torch.zeros_like(space_group)
    return mix(values + mix(space_group)) & POSITIVE


def _filled(slots: Tensor, letters: Tensor) -> Tensor:
    """Slots, with 0 for the padding, which counts nothing there."""
    return torch.where(letters >= 0, slots, 0)


def _number_of_slots(slots: Tensor, letters: Tensor) -> int:
    return int(_filled(slots, letters).max()) + 1 if letters.numel() else 1


def _log_factorials(values: Tensor, there: Tensor) -> Tensor:
    """Sum of log(k!) over the sets of k equal values of each row ``(B, S)``: ``(B,)``."""
    equal = (values.unsqueeze(2) == values.unsqueeze(1)) & there.unsqueeze(2) & there.unsqueeze(1)
    place = equal.tril().sum(2).clamp(min=1)  # 1 .. k within its set
    return place.double().log().sum(1)


@cache
def _tables(device: torch.device) -> _Tables:
    rows: list[list[int]] = []
    first, number = np.zeros(231, dtype=np.int64), np.zeros(231, dtype=np.int64)
    multiplicity = np.zeros((231, _COLUMNS), dtype=np.int64)
    for group in range(1, 231):
        permutations = affine_permutations(group)
        place = {letter: i for i, letter in enumerate(permutations[0])}
        rest = list(range(len(place), _COLUMNS))
        first[group], number[group] = len(rows), len(permutations)
        rows += [[place[image] for image in images.values()] + rest for images in permutations]
        multiplicity[group, : len(place)] = [position.multiplicity for position in WYCKOFF[group]]
    words = (splitmix64(SEED, _KINDS * _COLUMNS) >> np.uint64(1)).astype(np.int64).reshape(_KINDS, _COLUMNS)
    words[:, MAX_LETTERS] = 0
    return _Tables(
        *(torch.from_numpy(table).to(device) for table in (np.array(rows), first, number, words, multiplicity))
    )
