"""Oxidation states, and whether a composition can be charge neutral."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from importlib.resources import files
from itertools import product
from typing import Literal, get_args

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.errors import DataError, nearest

ChargeRule = Literal["per_element", "per_atom", "common", "common_strict", "none"]
"""``per_element``: all atoms of an element share one state. ``per_atom``: each atom has its own (mixed valence).
``common``: as ``per_element``, by common states only, or a peroxide or superoxide. ``common_strict``: the same without
peroxides and superoxides. ``none``: every composition is neutral."""

States = tuple[tuple[int, ...], ...]


def _load() -> tuple[States, States]:
    table = json.loads((files(__package__) / "data" / "charges.json").read_text())
    every, common = (((), *(tuple(states) for states in table[key])) for key in ("oxidation_states", "common"))
    return every, common


OXIDATION_STATES: States
COMMON_STATES: States
OXIDATION_STATES, COMMON_STATES = _load()
"""Oxidation states by atomic number, ascending, never 0; ``()`` if none. The first holds pymatgen's common and ICSD
states together, the second the common ones."""


@dataclass(frozen=True)
class Polyanion:
    """A group of atoms of one element whose charge is none of the element's common oxidation states.

    Attributes:
        name: such as ``peroxide``.
        element: atomic number of its atoms.
        state: charge of one atom, -1/2 in a superoxide.
        cations: (atomic number, oxidation state) of the elements with which it forms salts.
    """

    name: str
    element: int
    state: Fraction
    cations: tuple[tuple[int, int], ...]

    def charge_of(self, z: int, count: int) -> int | None:
        """Charge of ``count`` atoms of an element in a salt; None if the element, or this count of it, is in none."""
        charge = dict(self.cations).get(z, Fraction(0)) * count if z != self.element else self.state * count
        return int(charge) if charge and charge.denominator == 1 else None


def _salts(name: str, state: Fraction, **symbols: str) -> Polyanion:
    cations = {"one": 1, "two": 2}
    each = ((atomic_number(s), cations[number]) for number, text in symbols.items() for s in text.split())
    return Polyanion(name, atomic_number("O"), state, tuple(each))


POLYANIONS = (
    _salts("peroxide", Fraction(-1), one="H Li Na K Rb Cs", two="Mg Ca Sr Ba Zn Cd Hg"),
    _salts("superoxide", Fraction(-1, 2), one="Na K Rb Cs"),
)
"""Peroxides and superoxides, with the cations of which crystals are known (Greenwood and Earnshaw, Chemistry of the
Elements, chapter 14)."""


@dataclass(frozen=True)
class Neutrality:
    """What counts as charge neutral.

    Attributes:
        rule: see :data:`ChargeRule`.
        own: (atomic number, oxidation states) of elements whose states are given, in place of those of the rule.
    """

    rule: ChargeRule = "none"
    own: tuple[tuple[int, tuple[int, ...]], ...] = ()

    @property
    def asked(self) -> bool:
        """Whether charges count at all."""
        return self.rule != "none"

    @property
    def mixed(self) -> bool:
        """Whether atoms of one element may have different states."""
        return self.rule == "per_atom"

    def states(self, z: int) -> tuple[int, ...]:
        """Oxidation states that an element may have."""
        usual = COMMON_STATES if self.rule in ("common", "common_strict") else OXIDATION_STATES
        return dict(self.own).get(z, usual[z])

    @cached_property
    def polyanions(self) -> tuple[Polyanion, ...]:
        """Groups that count beside the states: their element has no states of its own, their cations have theirs."""
        if self.rule != "common":
            return ()
        return tuple(
            Polyanion(each.name, each.element, each.state, tuple(c for c in each.cations if c[1] in self.states(c[0])))
            for each in POLYANIONS
            if each.element not in dict(self.own)
        )


def is_neutral(counts: Mapping[int, int], rule: ChargeRule | Neutrality) -> bool:
    """Say whether oxidation states exist that add up to zero. Direct, for checks; the masks have their own tables.

    Args:
        counts: atoms by atomic number; zeros are ignored.
        rule: by any rule a crystal of one element is neutral, and so is an empty crystal; a crystal of several elements
            is not if one of the elements has no oxidation state.

    Raises:
        DataError: the rule or an atomic number does not exist, or a count is negative.
    """
    neutrality = rule if isinstance(rule, Neutrality) else Neutrality(rule)
    if neutrality.rule not in get_args(ChargeRule):
        raise DataError(
            f"charge rule is {rule!r}{nearest(str(rule), get_args(ChargeRule))}; allowed: {get_args(ChargeRule)}"
        )
    for number, count in counts.items():
        if not 1 <= number <= 118 or count < 0:
            raise DataError(f"{count} atoms of element {number}; allowed are 0 and more of elements 1 to 118")
    present = {number: count for number, count in counts.items() if count}
    if not neutrality.asked or len(present) < 2:
        return True
    if not neutrality.mixed:
        if any(salt_is_neutral(present, polyanion) for polyanion in neutrality.polyanions):
            return True
        charges = ([n * state for state in neutrality.states(z)] for z, n in present.items())
        return any(sum(choice) == 0 for choice in product(*charges))
    total = {0}
    for z, n in present.items():
        for _ in range(n):
            total = _add(total, neutrality.states(z))
    return 0 in total


def salt_is_neutral(present: Mapping[int, int], polyanion: Polyanion) -> bool:
    """Whether a composition is a neutral salt of a polyanion and its cations, and of nothing else."""
    states: dict[int, Fraction] = {z: Fraction(state) for z, state in polyanion.cations}
    states[polyanion.element] = polyanion.state
    if polyanion.element not in present or not present.keys() <= states.keys():
        return False
    return sum(n * states[z] for z, n in present.items()) == 0


def _add(charges: set[int], states: Iterable[int]) -> set[int]:
    """Sums of each charge so far and each state of one more atom."""
    return {charge + state for charge in charges for state in states}
