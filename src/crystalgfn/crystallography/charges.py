"""Oxidation states, and whether a composition can be charge neutral."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from itertools import product
from typing import Literal, get_args

from crystalgfn.errors import DataError, nearest

ChargeRule = Literal["per_element", "per_atom", "none"]


def _load() -> tuple[tuple[int, ...], ...]:
    table = json.loads((files(__package__) / "data" / "charges.json").read_text())
    return ((), *(tuple(states) for states in table["oxidation_states"]))


OXIDATION_STATES: tuple[tuple[int, ...], ...] = _load()
"""Oxidation states by atomic number, ascending, never 0: pymatgen's common and ICSD states together; ``()`` if none."""


def is_neutral(counts: Mapping[int, int], rule: ChargeRule) -> bool:
    """Say whether oxidation states exist that add up to zero. Direct, for checks; the masks have their own tables.

    Args:
        counts: atoms by atomic number; zeros are ignored.
        rule: ``"per_element"``: all atoms of an element share one state; ``"per_atom"``: each atom has its own (mixed
            valence); ``"none"``: everything is neutral. By either rule a crystal of one element is neutral, and so is
            an empty crystal; a crystal of several elements is not if one of the elements has no oxidation state.

    Raises:
        DataError: the rule or an atomic number does not exist, or a count is negative.
    """
    if rule not in get_args(ChargeRule):
        raise DataError(
            f"charge rule is {rule!r}{nearest(rule, get_args(ChargeRule))}; allowed: {get_args(ChargeRule)}"
        )
    for number, count in counts.items():
        if not 1 <= number <= 118 or count < 0:
            raise DataError(f"{count} atoms of element {number}; allowed are 0 and more of elements 1 to 118")
    present = {number: count for number, count in counts.items() if count}
    if rule == "none" or len(present) < 2:
        return True
    if rule == "per_element":
        charges = ([n * state for state in OXIDATION_STATES[z]] for z, n in present.items())
        return any(sum(choice) == 0 for choice in product(*charges))
    total = {0}
    for z, n in present.items():
        for _ in range(n):
            total = _add(total, OXIDATION_STATES[z])
    return 0 in total


def _add(charges: set[int], states: Iterable[int]) -> set[int]:
    """Sums of each charge so far and each state of one more atom."""
    return {charge + state for charge in charges for state in states}
