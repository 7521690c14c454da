"""The section ``constraints`` of a configuration: what every sample obeys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystallography.space_groups import (
    CRYSTAL_LATTICE_SYSTEM,
    CRYSTAL_LATTICE_SYSTEMS,
    CRYSTAL_SYSTEM,
    POINT_SYMMETRIES,
    POINT_SYMMETRY,
)
from crystalgfn.crystallography.stoichiometry import Stoichiometry
from crystalgfn.errors import CrystalGFNError, nearest
from crystalgfn.section import Section
from crystalgfn.spaces.constraints.rules import parse_rules

MAX_ATOMS = 400
"""Most atoms a conventional cell may be asked to hold."""

MAX_AXIS_RATIO = 7.5
"""Largest ratio of two lengths for lattices of kind ``volume`` where the configuration leaves it open."""

MAX_CHOICES = 4
"""Most sets in ``any_of``: each doubles the look-ahead tables."""

CRYSTAL_SYSTEMS = tuple(dict.fromkeys(CRYSTAL_SYSTEM[1:]))


def _bounds(value: Any) -> Any:
    """Accept a single number for "exactly that many"."""
    return [value, value] if isinstance(value, int) and not isinstance(value, bool) else value


def _group_numbers(value: Any) -> Any:
    """Expand "all", numbers and ranges such as "3-15"."""
    if value == "all":
        return list(range(1, 231))
    if not isinstance(value, Sequence) or isinstance(value, str):
        value = [value]
    numbers: list[int] = []
    for entry in value:
        first, dash, last = str(entry).partition("-")
        if isinstance(entry, bool) or not first.strip().isdigit() or (dash and not last.strip().isdigit()):
            raise ValueError(f"{entry!r} is not a space group; allowed: numbers 1..230, ranges '3-15', or 'all'")
        numbers.extend(range(int(first), min(int(last or first), 1_000) + 1))
    wrong = [n for n in numbers if not 1 <= n <= 230]
    if wrong or not numbers:
        raise ValueError(f"space group {wrong[0] if wrong else value}: allowed 1..230")
    return sorted(set(numbers))


def _symbols(value: Any) -> Any:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        try:
            return [SYMBOLS[atomic_number(str(s))] for s in value]
        except CrystalGFNError as error:
            raise ValueError(str(error)) from None
    return value


def _words(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _as(key: str) -> BeforeValidator:
    """Let a section be written as the value of its main key alone."""
    return BeforeValidator(lambda value: value if isinstance(value, Mapping | Section) else {key: value})


Count = Annotated[int, Field(ge=1, le=MAX_ATOMS)]
CountRange = Annotated[tuple[Count, Count], BeforeValidator(_bounds)]
FloatRange = tuple[float, float]
Symbols = Annotated[list[str], BeforeValidator(_symbols)]
Words = Annotated[list[str], BeforeValidator(_words)]
SpaceGroups = Annotated[list[int], BeforeValidator(_group_numbers)]


def _ordered(name: str, bounds: tuple[float, float] | None) -> None:
    if bounds is not None and not 0 < bounds[0] < bounds[1]:
        raise ValueError(f"{name}: found {list(bounds)}, allowed: 0 < least < most")


class ElementsConfig(Section):
    """Which elements; a list alone stands for ``allowed``."""

    allowed: Symbols
    """Chemical symbols of the elements that may be used."""
    required: Symbols = Field(default_factory=list)
    """Elements that every crystal must hold."""
    forbidden: Symbols = Field(default_factory=list)
    """Elements that no crystal may hold."""
    any_of: list[Symbols] = Field(default_factory=list)
    """Sets of elements, of each of which every crystal must hold one at least."""

    @model_validator(mode="after")
    def _possible(self) -> ElementsConfig:
        usable = set(self.allowed) - set(self.forbidden)
        wrong = [s for s in self.required if s not in usable]
        if wrong:
            raise ValueError(f"required: {', '.join(wrong)} cannot be used, allowed: elements of the space")
        for choice in self.any_of:
            if not usable & set(choice):
                raise ValueError(f"any_of: none of {', '.join(choice) or 'nothing'} can be used, allowed: one at least")
        if len(self.any_of) > MAX_CHOICES:
            raise ValueError(f"any_of: found {len(self.any_of)} sets, allowed: at most {MAX_CHOICES}")
        return self


class SpaceGroupsConfig(Section):
    """Which space groups: those that fit all keys; numbers alone stand for ``numbers``."""

    numbers: SpaceGroups = Field(default_factory=lambda: list(range(1, 231)))
    """International numbers: a list of numbers and ranges such as "3-15", or "all"."""
    crystal_system: Words | None = None
    """Crystal systems to keep (triclinic ... cubic, seven); null for all."""
    lattice_system: Words | None = None
    """Crystal-lattice systems to keep (eight: trigonal is split by its lattice); null for all."""
    point_symmetry: Words | None = None
    """Point symmetries to keep; null for all. The five exclude each other: "polar" groups are not enantiomorphic."""

    @model_validator(mode="after")
    def _known(self) -> SpaceGroupsConfig:
        vocabularies = {
            "crystal_system": CRYSTAL_SYSTEMS,
            "lattice_system": CRYSTAL_LATTICE_SYSTEMS,
            "point_symmetry": POINT_SYMMETRIES,
        }
        for key, names in vocabularies.items():
            for name in getattr(self, key) or ():
                if name not in names:
                    raise ValueError(f"{key}: found {name!r}, allowed: {', '.join(names)}{nearest(name, names)}")
        if not self.selected:
            raise ValueError("no space group fits numbers, systems and point symmetry together; allowed: one at least")
        return self

    @property
    def selected(self) -> list[int]:
        """International numbers that fit every key."""
        return [
            g
            for g in self.numbers
            if (self.crystal_system is None or CRYSTAL_SYSTEM[g] in self.crystal_system)
            and (
                self.lattice_system is None
                or CRYSTAL_LATTICE_SYSTEMS[int(CRYSTAL_LATTICE_SYSTEM[g]) - 1] in self.lattice_system
            )
            and (self.point_symmetry is None or POINT_SYMMETRIES[int(POINT_SYMMETRY[g]) - 1] in self.point_symmetry)
        ]


class LatticeConfig(Section):
    """Bounds on the conventional cell, and how the unit cube becomes one."""

    kind: Literal["volume", "box"] = "volume"
    """``volume``: volume log-uniform around the estimate from the composition, axial ratios log-uniform. ``box``:
    lengths and angles uniform, as in the paper (rhombohedral: of the primitive cell), where the cell exists."""
    volume: FloatRange = (0.55, 1.6)
    """``volume``: least and most volume, as multiples of the estimate, where ``volume_per_atom`` is ``auto``."""
    box: FloatRange = (0.9, 100.0)
    """``box``: least and most length, A."""
    box_angles: FloatRange = (50.0, 150.0)
    """``box``: least and most angle, degree."""
    triclinic: FloatRange = (60.0, 120.0)
    """``volume``: least and most triclinic angle, degree."""
    monoclinic: FloatRange | None = None
    """Least and most monoclinic beta, degree; null for [90, 135] (``volume``) or ``box_angles``."""
    lengths: FloatRange | None = None
    """Least and most a, b and c, A."""
    angles: FloatRange | None = None
    """Least and most alpha, beta and gamma, degree; groups with fixed angles outside are left out."""
    volume_per_atom: Literal["auto"] | FloatRange = "auto"
    """Least and most volume per atom, A^3; ``auto`` for the estimate from the composition times ``volume``."""
    density: FloatRange | None = None
    """Least and most density, g/cm3."""
    longest_over_shortest: float | None = Field(None, gt=1.0)
    """Largest ratio of two of a, b and c; null for 7.5 (``volume``) or no bound (``box``)."""

    @model_validator(mode="after")
    def _sensible(self) -> LatticeConfig:
        for name in ("volume", "box", "box_angles", "triclinic", "monoclinic", "lengths", "angles", "density"):
            _ordered(name, getattr(self, name))
        if self.volume_per_atom != "auto":
            _ordered("volume_per_atom", self.volume_per_atom)
        return self


class ConstraintsConfig(Section):
    """What may be sampled; every limit holds for every sample."""

    elements: Annotated[ElementsConfig, _as("allowed")]
    """Which elements: a list, or a section."""
    n_elements: CountRange = (2, 5)
    """Least and most distinct elements."""
    n_atoms: CountRange = (1, MAX_ATOMS)
    """Least and most atoms in the conventional cell."""
    n_atoms_primitive: CountRange = (1, 50)
    """Least and most atoms in the primitive cell."""
    atoms_per_element: CountRange = (1, 64)
    """Least and most atoms of one element in the conventional cell."""
    stoichiometry: str | None = None
    """A formula (``LiFePO4``), an anonymous one (``AB2C4``) or a mixture (``ABO3``, ``A2BX6``); null for any."""
    shares: dict[str, FloatRange] = Field(default_factory=dict)
    """Least and most share of the atoms for elements, such as ``{O: [0.5, 0.75]}``; an element that is absent counts
    as 0."""
    rules: dict[str, Any] = Field(default_factory=dict)
    """Further rules by name (:data:`~crystalgfn.spaces.constraints.rules.RULES`), such as
    ``{at_most_one_of: [[F, Cl]]}``."""
    space_groups: Annotated[SpaceGroupsConfig, _as("numbers")] = SpaceGroupsConfig()
    """Which space groups: "all", numbers and ranges, or a section."""
    lattice: LatticeConfig = LatticeConfig()
    """Which cells."""
    charge: Literal["per_element", "per_atom", "none"] = "per_element"
    """Charge neutrality: one oxidation state an element, mixed valence, or not asked for."""
    electronegativity: Literal["smact", "none"] = "none"
    """``smact``: some choice of oxidation states is neutral and has every cation less electronegative than every anion
    (the test of smact; needs ``charge: per_element``)."""
    wyckoff: bool = True
    """Whether the counts must fit the Wyckoff positions of the space group."""
    measure: Literal["cube", "lebesgue"] = "cube"
    """Samples follow the reward with respect to uniform measure in the cube, or in A and degree."""

    @model_validator(mode="after")
    def _consistent(self) -> ConstraintsConfig:
        for name in ("n_elements", "n_atoms", "n_atoms_primitive", "atoms_per_element"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: found [{low}, {high}], allowed: least <= most")
        if self.n_elements[1] > 8:
            raise ValueError(f"n_elements: found at most {self.n_elements[1]}, allowed: at most 8")
        if self.stoichiometry is not None:
            Stoichiometry.parse(self.stoichiometry)
        parse_rules(self.rules)
        if len(self.shares) > 2:
            raise ValueError(f"shares: found {len(self.shares)} elements, allowed: at most 2")
        for symbol, (low, high) in self.shares.items():
            if symbol not in self.elements.allowed:
                raise ValueError(f"shares: {symbol} is no element of the space{nearest(symbol, self.elements.allowed)}")
            if not 0 <= low <= high <= 1:
                raise ValueError(f"shares: {symbol} has {[low, high]}, allowed: 0 <= least <= most <= 1")
        if self.electronegativity == "smact" and self.charge != "per_element":
            raise ValueError(f"electronegativity: smact needs charge per_element, found {self.charge}")
        return self

    @property
    def groups(self) -> list[int]:
        """International numbers that may be sampled."""
        return self.space_groups.selected
