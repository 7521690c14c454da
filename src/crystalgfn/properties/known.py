"""Whether a crystal, its site pattern or its formula is one of those that are known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.sites.keys import pattern_keys, site_keys
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals, formula_keys_of
from crystalgfn.crystals.property import EXACT, CheckedProperty
from crystalgfn.crystals.sites import Sites
from crystalgfn.errors import DataError, PropertyError
from crystalgfn.spaces.site_encoding import with_sites

NONE = Sites(*(torch.zeros(0, 0, dtype=torch.int64) for _ in range(3)))
"""The sites of no crystals."""


class _InTable(ABC):
    """1 for crystals that a table of known crystals holds in some respect, 0 for others.

    Args:
        table: the known crystals; those that ship if None.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = ""
    source: ClassVar[str]
    error: ClassVar[str] = EXACT

    def __init__(self, table: KnownCrystals | None = None) -> None:
        self.table = KnownCrystals.builtin() if table is None else table

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return 1 or 0 for B crystals, ``(B,)`` float32.

        Raises:
            PropertyError: the crystals have no sites.
        """
        return self._holds(crystals.space_group, _sites(self.name, crystals)).float()

    @abstractmethod
    def _holds(self, space_group: Tensor, sites: Sites) -> Tensor:
        """Whether the table holds crystals, ``(B,)`` bool."""


class Known(_InTable):
    """1 for known crystals, 0 for others: the same space group with the same elements on equivalent positions."""

    name = "known"
    source = "space group and elements on Wyckoff positions, in a table of real crystals"

    def _holds(self, space_group: Tensor, sites: Sites) -> Tensor:
        return self.table.contains(site_keys(space_group, sites.elements, sites.letters))


class KnownPattern(_InTable):
    """1 where a known crystal has the same space group and the same positions, whatever its elements; else 0."""

    name = "known_pattern"
    source = "space group and Wyckoff positions by element, in a table of real crystals"

    def _holds(self, space_group: Tensor, sites: Sites) -> Tensor:
        return self.table.knows_pattern(pattern_keys(space_group, sites.slots, sites.letters))


class KnownFormula:
    """1 for crystals whose reduced formula is known, whatever their structure; else 0.

    Args:
        table: the known crystals; those that ship if None.
    """

    name: ClassVar[str] = "known_formula"
    unit: ClassVar[str] = ""
    source = "reduced formula, in a table of real crystals and of phases of the convex hull"
    error = EXACT

    def __init__(self, table: KnownCrystals | None = None) -> None:
        self.table = KnownCrystals.builtin() if table is None else table

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return 1 or 0 for B crystals, ``(B,)`` float32."""
        return self.table.knows_formula(formula_keys_of(crystals)).float()


def known_property(kind: type[Known | KnownFormula], tables: Sequence[str]) -> CheckedProperty:
    """Return one of these properties by the table that ships and those of files; DataError as for the tables."""
    return CheckedProperty(kind.name, kind(KnownCrystals.with_tables(tables)), kind.unit)


def _sites(name: str, crystals: Crystals) -> Sites:
    try:
        sites = with_sites(crystals).sites if len(crystals) else NONE
    except DataError as error:
        raise PropertyError(f"property {name!r}: {error}") from None
    assert sites is not None
    return sites
