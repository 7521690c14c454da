"""Whether a crystal, or its site pattern, is one of the real crystals that are known."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.sites.keys import pattern_keys, site_keys
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals
from crystalgfn.crystals.property import EXACT
from crystalgfn.crystals.sites import Sites
from crystalgfn.errors import DataError, PropertyError
from crystalgfn.spaces.site_encoding import with_sites

NONE = Sites(*(torch.zeros(0, 0, dtype=torch.int64) for _ in range(3)))
"""The sites of no crystals."""


class Known:
    """1 for known crystals, 0 for others: the same space group with the same elements on equivalent positions.

    Args:
        table: the known crystals; those that ship if None.
    """

    name: ClassVar[str] = "known"
    unit: ClassVar[str] = ""
    source: ClassVar[str] = "space group and elements on Wyckoff positions, in a table of real crystals"
    error: ClassVar[str] = EXACT

    def __init__(self, table: KnownCrystals | None = None) -> None:
        self.table = KnownCrystals.builtin() if table is None else table

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return 1 or 0 for B crystals, ``(B,)`` float32.

        Raises:
            PropertyError: the crystals have no sites.
        """
        sites = _sites(self.name, crystals)
        return self.table.contains(site_keys(crystals.space_group, sites.elements, sites.letters)).float()


class KnownPattern:
    """1 where a known crystal has the same space group and the same positions, whatever its elements; else 0.

    Args:
        table: the known crystals; those that ship if None.
    """

    name: ClassVar[str] = "known_pattern"
    unit: ClassVar[str] = ""
    source: ClassVar[str] = "space group and Wyckoff positions by element, in a table of real crystals"
    error: ClassVar[str] = EXACT

    def __init__(self, table: KnownCrystals | None = None) -> None:
        self.table = KnownCrystals.builtin() if table is None else table

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return 1 or 0 for B crystals, ``(B,)`` float32.

        Raises:
            PropertyError: the crystals have no sites.
        """
        sites = _sites(self.name, crystals)
        return self.table.knows_pattern(pattern_keys(crystals.space_group, sites.slots, sites.letters)).float()


def _sites(name: str, crystals: Crystals) -> Sites:
    try:
        sites = with_sites(crystals).sites if len(crystals) else NONE
    except DataError as error:
        raise PropertyError(f"property {name!r}: {error}") from None
    assert sites is not None
    return sites
