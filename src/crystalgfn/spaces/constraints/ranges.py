"""Least and most elements, atoms in a cell, and atoms of one element."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np

from crystalgfn.spaces.constraints.base import CompositionConstraint, Constraints, Option, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals, outside
from crystalgfn.spaces.constraints.limits import MAX_ATOMS, MAX_ELEMENTS, CompositionLimits
from crystalgfn.spaces.constraints.reading import exactly, inside, whole_numbers


class CountRange(CompositionConstraint):
    """Least and most of a whole number, both included."""

    value: tuple[int, int]
    limit: ClassVar[str]
    """Name of the range that it narrows in :class:`.limits.CompositionLimits`."""
    enough: ClassVar[int]
    """Least upper end of the relaxed range: hardly any crystal needs more."""

    @classmethod
    def annotation(cls) -> Any:
        """Two whole numbers."""
        from pydantic import Field

        count = Annotated[int, Field(ge=1, le=MAX_ATOMS)]
        return tuple[count, count]

    @classmethod
    def read(cls, written: Any) -> Any:
        """Two numbers, or one for "exactly that many"."""
        return exactly(written)

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """The bounds are in order."""
        low, high = value
        if low > high:
            raise ValueError(f"{cls.name}: found [{low}, {high}], allowed: least <= most")

    @classmethod
    def parse(cls, written: Any) -> tuple[int, int]:
        """A pair."""
        low, high = written
        return low, high

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """Bounds within those of training."""
        return inside(cls.name, was, now)

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Narrow a range."""
        low, high = getattr(limits, self.limit)
        changed: Any = {self.limit: (max(low, self.value[0]), min(high, self.value[1]))}
        return replace(limits, **changed)

    @abstractmethod
    def count(self, crystals: FinishedCrystals) -> Any:
        """The number that is bounded, ``(B,)``."""

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether the number lies outside."""
        return outside(self.count(crystals), self.value)

    def relaxed(self, constraints: Constraints) -> Constraints:
        """From 1 to :attr:`enough`, or to the upper bound if that is higher."""
        return constraints.replacing(type(self)((1, max(self.value[1], self.enough))))

    def __str__(self) -> str:
        """As in a configuration."""
        return str(list(self.value))


class NumberOfElements(CountRange):
    """Distinct elements."""

    name = "n_elements"
    meaning = "Least and most distinct elements."
    default = (2, 5)
    option = Option("--n-elements", "Distinct elements.", "2:4", whole_numbers)
    step = "elements asked for"
    limit, enough = "n_distinct", 4

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """The bounds are in order, and the tables stay small."""
        super().check(value, beside)
        if value[1] > MAX_ELEMENTS:
            raise ValueError(f"n_elements: found at most {value[1]}, allowed: at most {MAX_ELEMENTS}")

    def count(self, crystals: FinishedCrystals) -> Any:
        """Distinct elements."""
        return crystals.present.sum(1)

    def relaxed(self, constraints: Constraints) -> Constraints:
        """As for other ranges, with room for all elements that other constraints ask for."""
        others = constraints.without(self.name).composition_limits(())
        most = max(self.value[1], self.enough, len(others.present), others.n_distinct[0])
        return constraints.replacing(NumberOfElements((1, most)))


class AtomsConventional(CountRange):
    """Atoms in the conventional cell."""

    name = "n_atoms"
    meaning = "Least and most atoms in the conventional cell."
    default = (1, MAX_ATOMS)
    option = Option("--n-atoms", "Atoms in the conventional cell.", ":20", whole_numbers)
    step = "number of atoms"
    limit, enough = "n_conventional", 128

    def count(self, crystals: FinishedCrystals) -> Any:
        """All atoms."""
        return crystals.n_atoms


class AtomsPrimitive(CountRange):
    """Atoms in the primitive cell."""

    name = "n_atoms_primitive"
    meaning = "Least and most atoms in the primitive cell."
    default = (1, 50)
    option = Option("--n-atoms-primitive", "In the primitive cell.", ":12", whole_numbers)
    step = "number of atoms"
    limit, enough = "n_primitive", 48

    def count(self, crystals: FinishedCrystals) -> Any:
        """All atoms of one primitive cell."""
        return crystals.n_atoms / crystals.cells


class AtomsOfOne(CountRange):
    """Atoms of each element in the conventional cell."""

    name = "atoms_per_element"
    meaning = "Least and most atoms of one element in the conventional cell."
    default = (1, 64)
    option = Option("--atoms-per-element", "Of one element in the conventional cell.", ":10", whole_numbers)
    step = "number of atoms"
    limit, enough = "n_of_one", 48

    def count(self, crystals: FinishedCrystals) -> Any:
        """Atoms of each element, ``(B, D)``."""
        return crystals.counts

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether an element that occurs has too few or too many atoms."""
        return np.any(crystals.present & outside(crystals.counts, self.value), axis=1)
