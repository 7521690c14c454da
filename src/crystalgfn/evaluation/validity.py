"""Checks of finished crystals against their constraints, by code that shares nothing with the sampling masks.

Every limit is checked directly on conventional cells: Wyckoff positions by direct search, charges by sums of sets,
cells by their metric. Anything but zero violations among samples of a trained model is a bug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.space_groups import (
    CRYSTAL_LATTICE_SYSTEM,
    CRYSTAL_LATTICE_SYSTEMS,
    POINT_SYMMETRIES,
    POINT_SYMMETRY,
)
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN as SITES
from crystalgfn.errors import DataError
from crystalgfn.evaluation.cell_rules import CellRanges, no_cell, wrong_metric
from crystalgfn.spaces.constraints.base import Constraint, Constraints, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.registry import constraints_of

Verdicts = dict[str, Verdict]


@dataclass(frozen=True)
class Rule:
    """A rule for finished crystals.

    Attributes:
        name: name under which violations are counted.
        step: step of the funnel of proposals.
        violated: returns which of B crystals break the rule, ``(B,)`` bool.
    """

    name: str
    step: str
    violated: Callable[[FinishedCrystals], Verdict]


@dataclass(frozen=True)
class ValidityReport:
    """Violations of n crystals.

    Attributes:
        n: number of crystals.
        violations: number of crystals that violate each rule.
        first: position of the first crystal that violates a rule, for each violated rule.
        valid: ``(n,)`` bool, whether a crystal violates no rule.
    """

    n: int
    violations: dict[str, int]
    first: dict[str, int]
    valid: NDArray[np.bool_]

    @property
    def ok(self) -> bool:
        """Whether there is no violation at all."""
        return not any(self.violations.values())

    def __str__(self) -> str:
        if self.ok:
            return f"{self.n} crystals, no violation of {', '.join(self.violations)}"
        broken = (f"{name} {count} (first: {self.first[name]})" for name, count in self.violations.items() if count > 0)
        return f"{self.n} crystals, {int((~self.valid).sum())} of them not valid: {', '.join(broken)}"


def check(
    crystals: Crystals, constraints: Constraints | None = None, *, cells: CellRanges | None = None
) -> ValidityReport:
    """Count the crystals that violate each rule.

    Args:
        crystals: B crystals; their columns ``crystal_lattice_system`` and ``point_symmetry``, if any, are compared with
            the space group.
        constraints: the constraints to check; by default none. It is always checked that the centering divides the
            counts, and that the cell exists and fits its lattice system.
        cells: ranges of the cells.

    Returns:
        violations of each rule: labels, centering, cell, lattice_system, the constraints, and the ranges of the cells.

    Raises:
        DataError: no crystals, a space group that does not exist, or a negative count.
    """
    judged, finished = rules(constraints or Constraints(), cells or CellRanges()), finished_crystals(crystals)
    violated: Verdicts = {}
    for rule in judged:
        broken = rule.violated(finished)
        violated[rule.name] = violated[rule.name] | broken if rule.name in violated else broken
    return ValidityReport(
        n=len(crystals),
        violations={name: int(rows.sum()) for name, rows in violated.items()},
        first={name: int(rows.argmax()) for name, rows in violated.items() if rows.any()},
        valid=~np.any(list(violated.values()), axis=0),
    )


def check_section(crystals: Crystals, section: Mapping[str, Any]) -> ValidityReport:
    """Count the crystals that violate the section ``constraints`` of a configuration.

    Args:
        crystals: B crystals.
        section: the complete section, as ``config.constraints.model_dump()`` gives it.

    Returns:
        see :func:`check`.
    """
    constraints = constraints_of(section)
    return check(crystals, constraints, cells=CellRanges.of(section["lattice"], constraints))


def rules(constraints: Constraints, cells: CellRanges) -> list[Rule]:
    """Return all rules for crystals: first for their space group, then for their composition, then for their cell.

    Args:
        constraints: the constraints to check.
        cells: ranges of the cells.
    """
    before, within, behind = (list[Constraint[Any]]() for _ in range(3))
    for constraint in constraints:
        {"space_group": before, "lattice": behind}.get(constraint.subspace, within).append(constraint)
    return [
        *_rules_of(before),
        Rule("labels", "elements asked for", _wrong_labels),
        Rule("centering", "number of atoms", lambda crystals: (crystals.counts % crystals.cells[:, None] != 0).any(1)),
        *_rules_of(within),
        Rule("cell", "cell exists", no_cell),
        Rule("lattice_system", "cell exists", wrong_metric),
        *_rules_of(behind),
        *(
            Rule(
                range_.name, _STEP_OF_RANGE.get(range_.name, "lengths and angles"), partial(cells.violated, range_.name)
            )
            for range_ in fields(cells)
            if getattr(cells, range_.name) is not None
        ),
    ]


_STEP_OF_RANGE = {"volume": "space for the atoms"}


def _rules_of(constraints: Iterable[Constraint[Any]]) -> list[Rule]:
    return [Rule(each.rule_name(), each.step_name(), each.violated) for each in constraints]


def finished_crystals(crystals: Crystals) -> FinishedCrystals:
    """Return crystals as arrays on the CPU, the only input of the checks.

    Raises:
        DataError: no crystals, a space group that does not exist, or a negative count.
    """
    if not len(crystals):
        raise DataError("no crystals to check: found 0, allowed: 1 or more")
    groups, counts = crystals.space_group.cpu().numpy(), crystals.counts.cpu().numpy()
    if groups.min() < 1 or groups.max() > 230:
        raise DataError(f"space groups run from {groups.min()} to {groups.max()}, allowed: 1 to 230")
    if counts.min() < 0:
        raise DataError(f"the least count is {counts.min()}, allowed: 0 and more")
    sites = crystals.columns.get(SITES)
    if sites is None and crystals.sites is not None:
        sites = crystals.sites.texts(crystals.space_group)
    lattice = crystals.lattice.cpu().double().numpy()
    return FinishedCrystals(tuple(crystals.elements), groups, counts, lattice, crystals.columns, sites)


def _wrong_labels(crystals: FinishedCrystals) -> Verdict:
    """Return which crystals have a label that contradicts their space group, ``(B,)`` bool."""
    wrong = np.zeros(len(crystals), dtype=bool)
    for column, codes, names in (
        ("crystal_lattice_system", CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS),
        ("point_symmetry", POINT_SYMMETRY, POINT_SYMMETRIES),
    ):
        if column in crystals.columns:
            wrong |= crystals.columns[column] != np.array(names, dtype=object)[codes[crystals.groups] - 1]
    return wrong
