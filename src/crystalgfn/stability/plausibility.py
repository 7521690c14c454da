"""Whether numbers can be energies in eV/atom: tables hold energies of other units and kinds under the right names.

Three tests, from formation energies of 32,162 real crystals (-4.47 to 5.15 eV/atom) and from the learned estimate of
the hull, which knows what each composition can bind: numbers outside any crystal's range, compounds far below their
hull, and elements that are bound against themselves. Marks of missing values (-999, 99, -1, 0 for every compound) are
found beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystals.energies import UNIT, Energy
from crystalgfn.crystals.tables import cells
from crystalgfn.stability.estimate import LearnedEstimate

RANGES = {Energy.FORMATION: (-5.5, 12.0), Energy.ABOVE_HULL: (-0.75, 12.0)}
"""eV/atom; no energy of a crystal lies outside."""

FAR_BELOW = 1.0
"""eV/atom that a compound may lie below the estimate of its hull; 47,421 entries of the Materials Project lie at most
0.48 below, the phases that ship 0.27."""

BOUND_ELEMENT = 0.5
"""eV/atom that an element may lie below its reference; potentials have ground states up to 0.27 below."""

STRONG, WEAK = -1.0, 0.12
"""Compounds whose hull lies below the first number (eV/atom) are bound by more than the second number times it."""

MARKS = (0.0, -1.0)
"""Numbers inside the ranges that stand for missing values where they recur."""

RECURS = 3
"""Rows from which on they recur."""

LOOKED_AT = 1000
"""Lowest energies of a table that are compared with the estimate, which takes about 1 ms each."""

MISSING = frozenset({-9999.0, -999.0, -99.0, -9.0, -1.0, 99.0, 999.0, 9999.0, 99999.0, -99999.0})

_KJ_PER_MOL, _KCAL_PER_MOL, _RYDBERG, _HARTREE = 96.485, 23.0605, 13.6057, 27.2114


@dataclass(frozen=True)
class Rows:
    """Compositions of B rows with energies.

    Attributes:
        source: name of the table in messages.
        elements: D atomic numbers.
        counts: (B, D) atoms of each element.
        numbers: (B,) numbers of the rows in the table, from 0; by default their positions.
    """

    source: str
    elements: Sequence[int]
    counts: NDArray[np.float64]
    numbers: Sequence[int] | None = None

    def refuse(self, row: int, column: str, found: object, allowed: str) -> NoReturn:
        """Raise the error about the energy of a row."""
        cells.refuse(self.source, int(row if self.numbers is None else self.numbers[row]), column, found, allowed)


def check_energies(
    rows: Rows, column: str, values: NDArray[np.float64], kind: Energy = Energy.FORMATION, *, fewest: int = RECURS
) -> None:
    """Refuse numbers that cannot be energies of crystals in eV/atom.

    Args:
        rows: compositions of B rows.
        column: name of the column, for messages.
        values: (B,) energies, NaN where missing; infinities are refused.
        kind: what the column is said to hold.
        fewest: strongly bound compounds from which on weak energies of all of them are taken for another unit.

    Raises:
        DataError: the first row with such a number, and what it may be.
    """
    low, high = RANGES[kind]
    allowed = f"{kind} in {UNIT} from {low:g} to {high:g}, or empty"
    row = cells.first(np.isinf(values) | (values < low) | (values > high))
    if row is not None:
        rows.refuse(row, column, float(values[row]), allowed + _guess(rows, row, float(values[row]), kind))
    compound = (rows.counts > 0).sum(1) > 1
    _check_marks(rows, column, values, kind, compound)
    if kind is Energy.FORMATION:
        _check_elements(rows, column, values, compound)
        _check_against_estimate(rows, column, values, fewest)


def far_below(
    rows: Rows, values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return rows (K,) whose compositions were looked at, the estimates of their hulls, and which lie far below.

    Args:
        rows: compositions of B rows.
        values: (B,) formation energies, eV/atom. Of many rows the :data:`LOOKED_AT` lowest are looked at, and as many
            others.
    """
    compound = (rows.counts > 0).sum(1) > 1
    index = np.flatnonzero(compound & np.isfinite(values) & (values < 0))
    if len(index) > 2 * LOOKED_AT:
        lowest = index[np.argsort(values[index], kind="stable")[:LOOKED_AT]]
        others = index[np.linspace(0, len(index) - 1, LOOKED_AT).astype(np.int64)]
        index = np.unique(np.concatenate([lowest, others]))
    mean, deviation = _estimates(rows, index)
    return index, mean, values[index] < mean - np.maximum(FAR_BELOW, 4 * deviation)


def _check_against_estimate(rows: Rows, column: str, values: NDArray[np.float64], fewest: int) -> None:
    """Refuse formation energies (B,) far below the estimated hulls of their compositions, or all far too weak."""
    index, mean, below = far_below(rows, values)
    first = cells.first(below)
    if first is not None:
        row, found = int(index[first]), float(values[index[first]])
        allowed = f"formation energy in {UNIT}; no crystal of this composition lies far below {mean[first]:.2f}"
        rows.refuse(row, column, found, allowed + _guess(rows, row, found, Energy.FORMATION))
    strong = mean < STRONG
    if strong.sum() >= fewest and (values[index] > WEAK * mean)[strong].all():
        first = int(strong.argmax())
        row = int(index[first])
        allowed = (
            f"formation energy in {UNIT}, for this composition near {mean[first]:.2f}; all such compounds of the table "
            "are bound ten times too weakly (Hartree or Rydberg?)"
        )
        rows.refuse(row, column, float(values[row]), allowed)


def _check_marks(
    rows: Rows, column: str, values: NDArray[np.float64], kind: Energy, compound: NDArray[np.bool_]
) -> None:
    """Refuse a number that recurs among compounds as no energy does: 0 or -1 where there was no value."""
    if kind is not Energy.FORMATION:
        return
    known = np.flatnonzero(compound & np.isfinite(values))
    times = Counter(values[known].tolist())
    for mark in MARKS:
        most = max((n for value, n in times.items() if value != mark), default=0)
        alone = len(known) >= 2 and times[mark] == len(known)
        if alone or times[mark] >= max(RECURS, RECURS * most):
            row = int(known[(values[known] == mark).argmax()])
            what = f"formation energy in {UNIT}; {mark:g} stands in {times[mark]} rows: leave missing values empty"
            rows.refuse(row, column, mark, what)


def _check_elements(rows: Rows, column: str, values: NDArray[np.float64], compound: NDArray[np.bool_]) -> None:
    row = cells.first(~compound & (values < -BOUND_ELEMENT))
    if row is not None:
        allowed = (
            f"formation energy in {UNIT}, for an element 0 or more, since it is formed from itself (a total energy?)"
        )
        rows.refuse(row, column, float(values[row]), allowed)


def _guess(rows: Rows, row: int, value: float, kind: Energy) -> str:
    """Return what else a number may be, as the end of a message."""
    if value in MISSING or abs(value) >= 1e4:
        return " where the value is missing"
    counts = rows.counts[row]
    if kind is not Energy.FORMATION or (counts > 0).sum() < 2 or not np.isfinite(value):
        return ""
    hull = float(_estimates(rows, np.array([row]))[0][0])
    n_atoms = float(counts.sum())
    divisor = float(np.gcd.reduce(counts.astype(np.int64))) if (counts == np.floor(counts)).all() else 1.0
    units: dict[str, Callable[[float], float]] = {
        "eV per cell": lambda x: x / n_atoms,
        "eV per formula unit": lambda x: x / (n_atoms / max(divisor, 1.0)),
        "kJ/mol of atoms": lambda x: x / _KJ_PER_MOL,
        "kJ/mol of formula units": lambda x: x / _KJ_PER_MOL / (n_atoms / max(divisor, 1.0)),
        "kcal/mol": lambda x: x / _KCAL_PER_MOL,
        "meV/atom": lambda x: x / 1000,
    }
    guess = min(units, key=lambda unit: abs(units[unit](value) - hull))
    near = abs(units[guess](value) - hull) < max(0.35, 0.2 * abs(hull))
    return f" ({guess}?)" if near else " (eV per cell, kJ/mol, meV or a total energy?)"


def _estimates(rows: Rows, index: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return estimated hull energies and their deviations (K,), eV/atom, each composition estimated once."""
    if not len(index):
        return np.zeros(0), np.zeros(0)
    counts = rows.counts[index]
    distinct, inverse = np.unique(counts / counts.sum(1, keepdims=True), axis=0, return_inverse=True)
    mean, deviation = _estimate()(list(rows.elements), torch.as_tensor(distinct))
    place = inverse.reshape(-1)
    return mean.numpy()[place], deviation.numpy()[place]


@cache
def _estimate() -> LearnedEstimate:
    return LearnedEstimate.load()
