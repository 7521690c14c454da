"""Finished samples of a space with sites."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import MAX_LETTERS, WYCKOFF
from crystalgfn.spaces.states import CrystalStates


def _tables() -> tuple[Tensor, Tensor]:
    multiplicity = torch.zeros(231, MAX_LETTERS, dtype=torch.int64)
    freedom = torch.zeros(231, MAX_LETTERS, dtype=torch.int64)
    for group in range(1, 231):
        for place, position in enumerate(WYCKOFF[group]):
            multiplicity[group, place] = position.multiplicity // int(CENTERING_MULTIPLICITY[group])
            freedom[group, place] = position.degrees_of_freedom
    return multiplicity, freedom


MULTIPLICITY, FREEDOM = _tables()
"""Multiplicity in the primitive cell, and free coordinates, of each letter: ``(231, 27)`` int64, 0 where there is none.
"""


def _positions() -> Tensor:
    exists = MULTIPLICITY > 0
    return torch.where(exists, exists.flatten().cumsum(0).view_as(exists), 0)


POSITION = _positions()
"""A number for each Wyckoff position of each group, from 1; 0 for letters that do not exist: ``(231, 27)`` int64."""

_OF_LETTER = torch.randint(1 << 56, (MAX_LETTERS,), generator=torch.Generator().manual_seed(0))
"""Random numbers whose sums tell multisets of letters apart."""


@dataclass(frozen=True)
class SiteStates(CrystalStates):
    """Finished samples with sites; O orbits and m elements at most.

    Attributes:
        slots: ``(B, O)`` int64, slot of each orbit, rising from 0; 0 where there are fewer orbits.
        letters: ``(B, O)`` int64, its Wyckoff letter, 0 for a; -1 where there are fewer orbits.
        filled: ``(B, m)`` int64, slot that each element of ``elements`` fills; 0 where there are fewer elements.
    """

    slots: Tensor
    letters: Tensor
    filled: Tensor


def slot_counts(space_group: Tensor, slots: Tensor, letters: Tensor, most: int) -> Tensor:
    """Atoms per primitive cell of each slot.

    Args:
        space_group: ``(B,)``.
        slots, letters: ``(B, O)``, as in :class:`SiteStates`.
        most: most slots, m.

    Returns:
        ``(B, m)`` int64, 0 where there are fewer slots.
    """
    table = MULTIPLICITY.to(space_group.device)
    atoms = table[space_group.unsqueeze(1), letters.clamp(min=0)] * (letters >= 0)
    return torch.zeros(len(slots), most, dtype=torch.int64, device=slots.device).scatter_add_(1, slots, atoms)


def orbit_elements(numbers: Tensor, filled: Tensor, slots: Tensor) -> Tensor:
    """Atomic number on each orbit, ``(B, O)`` int64; 0 where its slot is open.

    Args:
        numbers: ``(B, m)`` atomic numbers of the elements so far; 0 where there are fewer.
        filled, slots: ``(B, m)`` and ``(B, O)``, as in :class:`SiteStates`.
    """
    return torch.zeros_like(numbers).scatter_add_(1, filled, numbers).gather(1, slots)


def slot_keys(slots: Tensor, letters: Tensor, most: int) -> Tensor:
    """A number for the letters of each slot, ``(B, m)`` int64: equal within a crystal iff the slots are alike.

    Args:
        slots, letters: ``(B, O)``, as in :class:`SiteStates`.
        most: most slots, m.
    """
    numbers = _OF_LETTER.to(slots.device)[letters.clamp(min=0)] * (letters >= 0)
    return torch.zeros(len(slots), most, dtype=torch.int64, device=slots.device).scatter_add_(1, slots, numbers)


def free_coordinates(space_group: Tensor, letters: Tensor) -> Tensor:
    """Coordinates of the atoms that symmetry leaves free, ``(B,)`` int64.

    Args:
        space_group: ``(B,)``.
        letters: ``(B, O)``, as in :class:`SiteStates`.
    """
    return (FREEDOM.to(letters.device)[space_group.unsqueeze(1), letters.clamp(min=0)] * (letters >= 0)).sum(1)
