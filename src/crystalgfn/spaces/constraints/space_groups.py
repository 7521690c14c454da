"""Which space groups: by number, system and point symmetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np

from crystalgfn.crystallography.space_groups import (
    CRYSTAL_LATTICE_SYSTEM,
    CRYSTAL_LATTICE_SYSTEMS,
    CRYSTAL_SYSTEM,
    POINT_SYMMETRIES,
    POINT_SYMMETRY,
)
from crystalgfn.errors import ConfigError, nearest
from crystalgfn.spaces.constraints.base import Constraint, Option, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.reading import as_list, subset, words

CRYSTAL_SYSTEMS = tuple(dict.fromkeys(CRYSTAL_SYSTEM[1:]))


class _GroupConstraint(Constraint[list[int]]):
    """A constraint on space groups."""

    section = "space_groups"
    subspace = "space_group"
    rule = "space_group"
    step = "elements asked for"  # proposals come from the allowed groups: no step of its own


class Numbers(_GroupConstraint):
    """International numbers."""

    value: frozenset[int]
    name = "numbers"
    meaning = 'International numbers: a list of numbers and ranges such as "3-15", or "all".'
    default: ClassVar[Any] = list(range(1, 231))
    option = Option.of_list("--space-groups", "International numbers.", "195-230")

    @classmethod
    def annotation(cls) -> Any:
        """Whole numbers."""
        return list[int]

    @classmethod
    def read(cls, written: Any) -> Any:
        """Expand "all", numbers and ranges such as "3-15"."""
        if written == "all":
            return list(range(1, 231))
        entries = [written] if not isinstance(written, Sequence) or isinstance(written, str) else written
        numbers: list[int] = []
        for entry in entries:
            first, dash, last = str(entry).partition("-")
            if isinstance(entry, bool) or not first.strip().isdigit() or (dash and not last.strip().isdigit()):
                raise ValueError(f"{entry!r} is not a space group; allowed: numbers 1..230, ranges '3-15', or 'all'")
            numbers.extend(range(int(first), min(int(last or first), 1_000) + 1))
        wrong = [n for n in numbers if not 1 <= n <= 230]
        if wrong or not numbers:
            raise ValueError(f"space group {wrong[0] if wrong else entries}: allowed 1..230")
        return sorted(set(numbers))

    @classmethod
    def parse(cls, written: Any) -> frozenset[int]:
        """The numbers."""
        return frozenset(written)

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """Numbers that training had, written as in a configuration."""
        try:
            numbers = cls.read(now)
        except ValueError as error:
            raise ConfigError(f"restriction numbers: {error}") from None
        return subset(cls.name, was, numbers)

    def contribute(self, limits: list[int]) -> list[int]:
        """The groups with these numbers."""
        return [group for group in limits if group in self.value]

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether it is another group."""
        return ~np.isin(crystals.groups, list(self.value))


class _GroupWord(_GroupConstraint):
    """Words that describe a space group, any of which will do."""

    value: tuple[str, ...]
    vocabulary: ClassVar[tuple[str, ...]]
    word_of: ClassVar[tuple[str, ...]]
    """Word of each group by its number, from 1 on."""

    @classmethod
    def annotation(cls) -> Any:
        """List of words."""
        from pydantic import BeforeValidator

        return Annotated[list[str], BeforeValidator(words)] | None

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """Every word is in the vocabulary."""
        for word in value or ():
            if word not in cls.vocabulary:
                near = nearest(word, cls.vocabulary)
                raise ValueError(f"{cls.name}: found {word!r}, allowed: {', '.join(cls.vocabulary)}{near}")

    @classmethod
    def parse(cls, written: Any) -> tuple[str, ...]:
        """The words."""
        return tuple(written)

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Any:
        """None for no constraint; an empty list asks for the impossible."""
        written = section[cls.section][cls.name]
        return None if written is None else cls(cls.parse(written))

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """Words that training had, or any where training had none."""
        return now if was is None else subset(cls.name, was, as_list(now))

    def contribute(self, limits: list[int]) -> list[int]:
        """The groups with one of the words."""
        return [group for group in limits if self.word_of[group] in self.value]

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether the group has another word."""
        return ~np.isin(np.array(self.word_of)[crystals.groups], self.value)


class CrystalSystem(_GroupWord):
    """One of seven crystal systems."""

    name = "crystal_system"
    meaning = "Crystal systems to keep (triclinic ... cubic, seven); null for all."
    option = Option.of_list("--crystal-system", "Crystal systems.", "cubic,hexagonal")
    vocabulary = CRYSTAL_SYSTEMS
    word_of = tuple(CRYSTAL_SYSTEM)


class LatticeSystem(_GroupWord):
    """One of eight crystal-lattice systems."""

    name = "lattice_system"
    meaning = "Crystal-lattice systems to keep (eight: trigonal is split by its lattice); null for all."
    option = Option.of_list("--lattice-system", "Lattice systems.", "rhombohedral")
    vocabulary = CRYSTAL_LATTICE_SYSTEMS
    word_of = ("", *(CRYSTAL_LATTICE_SYSTEMS[code - 1] for code in CRYSTAL_LATTICE_SYSTEM[1:]))


class PointSymmetry(_GroupWord):
    """One of five point symmetries, which exclude each other."""

    name = "point_symmetry"
    meaning = (
        'Point symmetries to keep; null for all. The five exclude each other: "polar" groups are not enantiomorphic.'
    )
    option = Option.of_list("--point-symmetry", "Point symmetries.", "polar")
    vocabulary = POINT_SYMMETRIES
    word_of = ("", *(POINT_SYMMETRIES[code - 1] for code in POINT_SYMMETRY[1:]))
