"""What a second potential says of relaxed structures: S.U.N. by each and by both, and how far they agree, by class.

The energy above hull is measured from the hull of each potential. A structure that the second potential was not asked
about is no success by its verdict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from crystalgfn.crystallography.chemical_classes import CLASSES, class_of
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.evaluation.candidates import Candidates
from crystalgfn.evaluation.crystals import Numbers
from crystalgfn.evaluation.measured import measured, measured_share
from crystalgfn.evaluation.sun import NEEDS_ENERGY, NEEDS_KNOWN, counts_of
from crystalgfn.structures.candidates.opinions import has_opinion
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import THRESHOLDS, succeeded

OF_CLASSES = 0.08
"""Energy above hull (eV/atom) up to which a crystal counts as stable in the numbers of each chemical class."""

ALL = "all"
"""The scope of all crystals that were handed in, beside the chemical classes."""


@dataclass(frozen=True)
class Verdicts:
    """Two potentials' energies of candidates, eV/atom.

    Attributes:
        first, second: names of the potentials; the first relaxed the structures.
        above: columns of their energies above hull; None where there is no hull.
    """

    first: str
    second: str
    above: tuple[PotentialColumn, PotentialColumn] | None

    @classmethod
    def of(cls, table: CandidateTable) -> Verdicts | None:
        """The verdicts in a table; None where no second potential was asked."""
        names = list(dict.fromkeys(c.potential for c in table.columns if c.quantity is Quantity.FORMATION))
        if len(names) < 2:
            return None
        first, second = names[:2]
        hulls = {c.potential: c for c in table.columns if c.quantity is Quantity.ABOVE_HULL}
        both = (hulls[first], hulls[second]) if {first, second} <= hulls.keys() else None
        return cls(first, second, both)

    def difference(self, row: Row) -> float:
        """Second minus first formation energy; NaN where one is missing."""
        one, two = (row.energy(PotentialColumn(Quantity.FORMATION, name)) for name in (self.first, self.second))
        return two - one


def opinion_numbers(candidates: Candidates) -> Numbers:
    """Return what two potentials say, of all crystals handed in and of each chemical class.

    Args:
        candidates: candidates with duplicates, and with novelty for S.U.N.

    Returns:
        empty without a second opinion. Else for all crystals ``judged``, ``difference`` and ``difference_absolute``,
        and ``sun_first_T``, ``sun_second_T``, ``sun_both_T`` and ``agreement_T`` at each threshold T (eV/atom); the
        same with the name of the class at the end, at :data:`OF_CLASSES` alone.
    """
    verdicts = Verdicts.of(candidates.table)
    if verdicts is None:
        return {}
    scopes: dict[str, list[Row]] = defaultdict(list)
    for row in candidates.rows:
        scopes[ALL].append(row)
        scopes[class_of(SYMBOLS.index(symbol) for symbol in counts_of(row, candidates))].append(row)
    compared = any(row.novel is not None for row in candidates.rows)
    numbers: Numbers = {}
    for scope in (ALL, *CLASSES):
        if rows := scopes[scope]:
            thresholds = THRESHOLDS if scope == ALL else (OF_CLASSES,)
            numbers |= _of_scope(rows, scope, verdicts, thresholds=thresholds, compared=compared)
    return numbers


def _of_scope(
    rows: Sequence[Row], scope: str, verdicts: Verdicts, *, thresholds: Sequence[float], compared: bool
) -> Numbers:
    n, suffix = len(rows), "" if scope == ALL else f"_{scope}"
    what = "crystals handed in" if scope == ALL else f"{scope} handed in"
    judged = [row for row in rows if has_opinion(row, verdicts.second)]
    differences = np.array([verdicts.difference(row) for row in judged])
    differences = differences[np.isfinite(differences)]
    by = f"{verdicts.second} minus {verdicts.first} in formation energy, of structures relaxed by the latter (eV/atom)"
    numbers = {
        f"judged{suffix}": measured(len(judged), f"{what} that {verdicts.second} was asked about", n),
        f"difference{suffix}": measured(_mean(differences), f"mean of {by}", len(differences)),
        f"difference_absolute{suffix}": measured(
            _mean(np.abs(differences)), f"mean absolute value of {by}", len(differences)
        ),
    }
    why = NEEDS_ENERGY if verdicts.above is None else "" if compared else NEEDS_KNOWN
    for threshold in thresholds:
        end = f"{threshold:g}{suffix}"
        for name, who, success in _successes(verdicts, threshold):
            method = f"share stable (<= {threshold:g} eV/atom) by {who}, unique and novel; of {n} {what}"
            value = None if why else sum(map(success, rows)) / n
            numbers[f"sun_{name}_{end}"] = measured_share(value, why or method, n)
        numbers[f"agreement_{end}"] = _agreement(judged, verdicts, threshold)
    return numbers


def _successes(verdicts: Verdicts, threshold: float) -> list[tuple[str, str, Callable[[Row], bool]]]:
    """Name, wording and test of a success by the first potential, by the second, and by both."""

    def by(*potentials: int) -> Callable[[Row], bool]:
        columns = [verdicts.above[i] for i in potentials] if verdicts.above else []
        return lambda row: bool(row.novel) and all(succeeded(row, column, threshold) for column in columns)

    asked = "structures that it was not asked about do not count"
    return [
        ("first", verdicts.first, by(0)),
        ("second", f"{verdicts.second} ({asked})", by(1)),
        ("both", f"{verdicts.first} and {verdicts.second}", by(0, 1)),
    ]


def _agreement(judged: Sequence[Row], verdicts: Verdicts, threshold: float) -> dict[str, object]:
    """Share of the structures judged by both of which both, or neither, say that they are stable."""
    if verdicts.above is None:
        return measured(None, NEEDS_ENERGY, len(judged))
    energies = np.array([[row.energy(column) for column in verdicts.above] for row in judged]).reshape(-1, 2)
    stable = energies[np.isfinite(energies).all(axis=1)] <= threshold
    method = (
        f"share on which {verdicts.first} and {verdicts.second} agree whether energy above hull is <= {threshold:g} "
        f"eV/atom; of {len(stable)} structures that both judged"
    )
    return measured_share(_mean(stable[:, 0] == stable[:, 1]), method, len(stable))


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
