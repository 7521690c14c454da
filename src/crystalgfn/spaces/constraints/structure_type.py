"""One structure type: its space group and sites, filled with any elements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from crystalgfn.crystallography.operations import affine_permutations
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import ConfigError, DataError
from crystalgfn.spaces.constraints.base import Option, SiteConstraint, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import SiteLimits
from crystalgfn.spaces.structure_types import StructureType, structure_type_label


class HasStructureType(SiteConstraint):
    """The pattern of a protostructure label."""

    value: StructureType
    name = "structure_type"
    meaning = (
        "A structure type whose group and sites are kept and whose elements are exchanged: a protostructure label "
        "(``AB2C4_cF56_227_a_d_e``; elements after a colon are left aside) or the path of a CIF; null for any."
    )
    option = Option(
        "--structure-type", "Sites of a CIF or label, any elements.", "spinel.cif", lambda text, _: _label(text)
    )

    @classmethod
    def annotation(cls) -> Any:
        """A label."""
        return str | None

    @classmethod
    def read(cls, written: Any) -> Any:
        """The label without elements; of the structure, where it is a file."""
        try:
            return structure_type_label(written) if isinstance(written, str) else written
        except DataError as error:
            raise ValueError(f"{cls.name}: {error}") from None

    @classmethod
    def parse(cls, written: Any) -> StructureType:
        """Group and slots."""
        return StructureType.parse(written)

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The type of training, or any where training had none."""
        if now is None:
            return was
        now = _label(now)
        if was is not None and cls.parse(was) != cls.parse(now):
            raise ConfigError(f"restriction {cls.name}: found {now!r}, allowed: {was!r}, as in training")
        return now

    def contribute(self, limits: SiteLimits) -> SiteLimits:
        """The only pattern."""
        return replace(limits, pattern=self.value)

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether letters and their partition into elements are no image of those of the type."""
        letters = [position.letter for position in WYCKOFF[self.value.space_group]]
        slots = [[letters[place] for place in slot] for slot in self.value.slots]
        images = {
            _multiset([image[letter] for letter in slot] for slot in slots)
            for image in affine_permutations(self.value.space_group)
        }
        verdict = crystals.groups != self.value.space_group
        for row in np.flatnonzero(~verdict):
            of_element: dict[str, list[str]] = {}
            for symbol, letter, _ in crystals.sites[row]:
                of_element.setdefault(symbol, []).append(letter)
            verdict[row] = _multiset(of_element.values()) not in images
        return verdict


def _label(written: Any) -> str:
    """The label that :meth:`HasStructureType.read` gives.

    Raises:
        ConfigError: neither a label nor a file with a structure.
    """
    try:
        return structure_type_label(str(written))
    except DataError as error:
        raise ConfigError(f"structure type: {error}") from None


def _multiset(slots: Iterable[list[str]]) -> frozenset[tuple[tuple[str, ...], int]]:
    """Lists of letters that may come in any order, each with how often it is there."""
    return frozenset(Counter(tuple(sorted(slot)) for slot in slots).items())
