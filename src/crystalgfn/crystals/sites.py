"""Occupied Wyckoff positions of a batch of crystals, as tensors and as the text of the column ``wyckoff``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.sites.protostructures import protostructure_label
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError

COLUMN = "wyckoff"
"""Column of tables with the sites: a JSON list of [symbol, letter, multiplicity in the conventional cell]."""


@dataclass(frozen=True)
class Sites:
    """Orbits of B crystals, at most O each.

    The orbits of an element are a *slot*; slots are numbered from 0.

    Attributes:
        slots: ``(B, O)`` int64, slot of each orbit.
        letters: ``(B, O)`` int64, its Wyckoff letter, 0 for a; -1 where a crystal has fewer orbits.
        elements: ``(B, O)`` int64, atomic number of the atoms on it; 0 where a crystal has fewer orbits.
    """

    slots: Tensor
    letters: Tensor
    elements: Tensor

    def __len__(self) -> int:
        return len(self.letters)

    def __getitem__(self, rows: Tensor) -> Sites:
        return Sites(self.slots[rows], self.letters[rows], self.elements[rows])

    def to(self, device: torch.device | str) -> Sites:
        """Move the tensors to a device."""
        return Sites(self.slots.to(device), self.letters.to(device), self.elements.to(device))

    @classmethod
    def concatenate(cls, parts: Sequence[Sites]) -> Sites:
        """Join batches; the widest number of orbits wins."""
        width = max(part.letters.shape[1] for part in parts)

        def joined(name: str, padding: int) -> Tensor:
            tensors = [getattr(part, name) for part in parts]
            return torch.cat([torch.nn.functional.pad(t, (0, width - t.shape[1]), value=padding) for t in tensors])

        return cls(joined("slots", 0), joined("letters", -1), joined("elements", 0))

    @classmethod
    def from_assignments(cls, assignments: Sequence[Assignment]) -> Sites:
        """Sites of assignments: a slot for each element, by rising atomic number."""
        most = max((len(assignment.sites) for assignment in assignments), default=0)
        slots = torch.zeros(len(assignments), most, dtype=torch.int64)
        letters, elements = torch.full_like(slots, -1), torch.zeros_like(slots)
        for row, assignment in enumerate(assignments):
            place = {position.letter: i for i, position in enumerate(WYCKOFF[assignment.space_group])}
            slot = {z: i for i, z in enumerate(dict.fromkeys(z for z, _ in assignment.sites))}
            for orbit, (z, letter) in enumerate(assignment.sites):
                slots[row, orbit], letters[row, orbit], elements[row, orbit] = slot[z], place[letter], z
        return cls(slots, letters, elements)

    def texts(self, space_group: Tensor) -> np.ndarray:
        """The column ``wyckoff``, ``(B,)``: orbits in the order of the slots.

        Args:
            space_group: ``(B,)`` international numbers.
        """
        entries: dict[tuple[int, int, int], str] = {}
        rows = []
        columns = zip(space_group.tolist(), self.letters.tolist(), self.elements.tolist(), strict=True)
        for group, letters, elements in columns:
            parts = []
            for letter, z in zip(letters, elements, strict=True):
                if letter < 0:
                    break
                key = (group, letter, z)
                if key not in entries:
                    position = WYCKOFF[group][letter]
                    entries[key] = json.dumps([SYMBOLS[z], position.letter, position.multiplicity])
                parts.append(entries[key])
            rows.append(f"[{', '.join(parts)}]")
        return np.array(rows, dtype=object)

    def labels(self, space_group: Tensor) -> np.ndarray:
        """Protostructure labels, ``(B,)``, such as ``AB_cF8_225_a_b:Mg-O``.

        Args:
            space_group: ``(B,)`` international numbers.
        """
        rows = zip(space_group.tolist(), self.letters.tolist(), self.elements.tolist(), strict=True)
        return np.array(
            [
                protostructure_label(
                    group,
                    [(SYMBOLS[z], WYCKOFF[group][i].letter) for z, i in zip(numbers, letters, strict=True) if z],
                )
                for group, letters, numbers in rows
            ],
            dtype=object,
        )


def parse_sites(text: Any, space_group: int) -> Assignment:
    """The assignment that a cell of the column ``wyckoff`` describes.

    Args:
        text: JSON list of [symbol, letter, multiplicity in the conventional cell].
        space_group: international number.

    Raises:
        DataError: no such list, element or letter, a multiplicity that is not that of the letter, or a position
            without free coordinates that is taken twice.
    """
    expected = 'allowed: a JSON list such as [["Mg", "a", 4], ["O", "b", 4]]'
    try:
        entries = [(str(symbol), str(letter), int(multiplicity)) for symbol, letter, multiplicity in json.loads(text)]
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise DataError(f"sites: found {str(text)[:60]!r}, {expected}") from None
    if not entries:
        raise DataError(f"sites: found an empty list, {expected}")
    multiplicities = {position.letter: position.multiplicity for position in WYCKOFF[space_group]}
    assignment = Assignment(space_group, tuple((atomic_number(symbol), letter) for symbol, letter, _ in entries))
    for symbol, letter, multiplicity in entries:
        if multiplicity != multiplicities[letter]:
            raise DataError(
                f"sites: {symbol} on {multiplicity}{letter}, but the multiplicity of {letter} in space group "
                f"{space_group} is {multiplicities[letter]}"
            )
    return assignment


def is_missing(text: object) -> bool:
    """Whether a cell of the column ``wyckoff`` says nothing."""
    return text is None or (isinstance(text, float) and np.isnan(text)) or (isinstance(text, str) and not text.strip())


def sites_text(assignment: Assignment) -> str:
    """The cell of the column ``wyckoff`` that :func:`parse_sites` reads as this assignment."""
    orbits = zip(assignment.sites, assignment.multiplicities, strict=True)
    return json.dumps([[SYMBOLS[z], letter, multiplicity] for (z, letter), multiplicity in orbits])


def check_counts(assignment: Assignment, counts: dict[int, int]) -> None:
    """Refuse sites that hold other atoms than the composition.

    Args:
        assignment: the sites.
        counts: atoms of each atomic number in the conventional cell.

    Raises:
        DataError: the first element that differs.
    """
    on_sites = defaultdict(int, assignment.counts)
    for z in sorted({*counts, *on_sites}):
        if on_sites[z] != counts.get(z, 0):
            raise DataError(
                f"sites hold {on_sites[z]} atoms of {SYMBOLS[z]} in the conventional cell, the composition has "
                f"{counts.get(z, 0)}"
            )
