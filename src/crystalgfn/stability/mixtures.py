"""Compositions, and the mixture of phases with least energy: a linear program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import FORMULA_ORDER, SYMBOLS, atomic_number
from crystalgfn.errors import DataError

Floats = NDArray[np.float64]

System = frozenset[int]
"""Atomic numbers of a chemical system."""

Key = tuple[tuple[int, float], ...]
"""A composition: atomic numbers in order, each with its fraction of the atoms."""

_LARGEST = 1000
"""Largest denominator of a fraction in a formula."""


@dataclass(frozen=True)
class Columns:
    """The phases of one chemical system: fractions (P, E) over sorted elements, energies (P,) in eV/atom."""

    compositions: tuple[Key, ...]
    fractions: Floats
    energies: Floats


def lowest_mixture(columns: Columns, target: Floats) -> tuple[float, Floats]:
    """Return the least energy (eV/atom) of a mixture with fractions ``target`` (E,), and the shares (P,) in it.

    NaN where no mixture of the phases has these fractions.
    """
    from scipy.optimize import linprog

    solution = linprog(columns.energies, A_eq=columns.fractions.T, b_eq=target, bounds=(0, None), method="highs")
    if solution.status != 0:
        return math.nan, np.zeros(len(columns.energies))
    shares = np.asarray(solution.x)
    return float(columns.energies @ shares), shares


def composition_key(counts: Mapping[str, float]) -> Key:
    """Return (atomic number, fraction) sorted; fractions are rounded to 12 digits so that equal ones compare equal.

    Raises:
        DataError: an unknown element, or a count that is not a positive finite number.
    """
    positive = {atomic_number(symbol): float(n) for symbol, n in counts.items() if n != 0}
    total = sum(positive.values())
    if not positive or not math.isfinite(total) or min(positive.values()) <= 0:
        raise DataError(f"composition {dict(counts)}, allowed: positive counts of at least one element")
    return tuple((z, round(positive[z] / total, 12)) for z in sorted(positive))


def formula_of(composition: Key) -> str:
    """Return the reduced formula of a composition, by rising electronegativity."""
    shares = {z: Fraction(fraction).limit_denominator(_LARGEST) for z, fraction in composition}
    multiple = math.lcm(*(share.denominator for share in shares.values()))
    counts = {z: int(share * multiple) for z, share in shares.items()}
    divisor = math.gcd(*counts.values())
    order = sorted(counts, key=FORMULA_ORDER.index)
    return "".join(f"{SYMBOLS[z]}{counts[z] // divisor if counts[z] > divisor else ''}" for z in order)
