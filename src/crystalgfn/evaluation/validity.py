"""Checks of finished crystals against what was asked for, by code that shares nothing with the sampling masks.

Every limit is counted directly on conventional cells, Wyckoff positions by direct search, charges by sums of sets,
cells by their metric. Anything but zero violations among samples of a trained model is a bug.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.space_groups import (
    CENTERING_MULTIPLICITY,
    CRYSTAL_LATTICE_SYSTEM,
    CRYSTAL_LATTICE_SYSTEMS,
    CRYSTAL_SYSTEM,
    POINT_SYMMETRIES,
    POINT_SYMMETRY,
)
from crystalgfn.crystallography.stoichiometry import Stoichiometry
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.cell_rules import LatticeLimits, cell_violations
from crystalgfn.evaluation.composition_rules import Verdicts, composition_violations
from crystalgfn.spaces.constraints.limits import CompositionConstraints
from crystalgfn.spaces.constraints.rules import parse_rules


@dataclass(frozen=True)
class ValidityReport:
    """Violations of n crystals.

    Attributes:
        n: crystals.
        violations: number of crystals that violate each rule.
        first: position of the first crystal that violates each rule that is violated at all.
        valid: ``(n,)`` bool, crystals without any violation.
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
    crystals: Crystals,
    *,
    space_groups: Collection[int] = range(1, 231),
    composition: CompositionConstraints | None = None,
    lattice: LatticeLimits | None = None,
) -> ValidityReport:
    """Count the crystals that violate each rule.

    Args:
        crystals: B crystals; where they have columns ``crystal_lattice_system``, ``point_symmetry`` these are compared
            with the space group.
        space_groups: international numbers that may occur.
        composition: limits on the composition; None checks nothing that depends on wishes (but still that the
            centering divides the counts).
        lattice: bounds on the cell.

    Returns:
        one number a rule: space_group, labels, centering, elements, n_elements, n_atoms, n_atoms_primitive,
        atoms_per_element, cell, lattice_system and what else is asked for.

    Raises:
        DataError: no crystals, a space group that does not exist, or a negative count.
    """
    violated = violations(crystals, space_groups=space_groups, composition=composition, lattice=lattice)
    any_violated = np.any(list(violated.values()), axis=0)
    return ValidityReport(
        n=len(crystals),
        violations={name: int(rows.sum()) for name, rows in violated.items()},
        first={name: int(rows.argmax()) for name, rows in violated.items() if rows.any()},
        valid=~any_violated,
    )


def violations(
    crystals: Crystals,
    *,
    space_groups: Collection[int] = range(1, 231),
    composition: CompositionConstraints | None = None,
    lattice: LatticeLimits | None = None,
) -> Verdicts:
    """Which of B crystals break each rule, ``(B,)`` bool a rule; arguments and errors as of :func:`check`."""
    if not len(crystals):
        raise DataError("no crystals to check: found 0, allowed: 1 or more")
    groups = crystals.space_group.cpu().numpy()
    if groups.min() < 1 or groups.max() > 230:
        raise DataError(f"space groups run from {groups.min()} to {groups.max()}, allowed: 1 to 230")
    if bool((crystals.counts < 0).any()):
        raise DataError(f"the least count is {int(crystals.counts.min())}, allowed: 0 and more")
    violated: Verdicts = {
        "space_group": ~np.isin(groups, list(space_groups)),
        "labels": _wrong_labels(crystals, groups),
        "centering": (crystals.counts.cpu().numpy() % CENTERING_MULTIPLICITY[groups][:, None] != 0).any(1),
    }
    if composition is not None:
        violated |= composition_violations(crystals, groups, composition)
    return violated | cell_violations(crystals, groups, lattice or LatticeLimits())


def _wrong_labels(crystals: Crystals, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    wrong = np.zeros(len(crystals), dtype=bool)
    for column, codes, names in (
        ("crystal_lattice_system", CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS),
        ("point_symmetry", POINT_SYMMETRY, POINT_SYMMETRIES),
    ):
        if column in crystals.columns:
            wrong |= crystals.columns[column] != np.array(names, dtype=object)[codes[groups] - 1]
    return wrong


def check_section(crystals: Crystals, constraints: Mapping[str, Any]) -> ValidityReport:
    """Count the crystals that violate what the section ``constraints`` of a configuration asks for.

    Args:
        crystals: B of them.
        constraints: the section in full, as ``config.constraints.model_dump()`` gives it.

    Returns:
        see :func:`check`.
    """
    return check(
        crystals,
        space_groups=groups_asked(constraints["space_groups"]),
        composition=composition_asked(constraints),
        lattice=lattice_asked(constraints["lattice"]),
    )


def groups_asked(section: Mapping[str, Any]) -> list[int]:
    """International numbers that a section ``constraints.space_groups`` in full asks for."""
    tables: dict[str, list[str]] = {
        "crystal_system": list(CRYSTAL_SYSTEM),
        "lattice_system": ["", *(CRYSTAL_LATTICE_SYSTEMS[i - 1] for i in CRYSTAL_LATTICE_SYSTEM[1:])],
        "point_symmetry": ["", *(POINT_SYMMETRIES[i - 1] for i in POINT_SYMMETRY[1:])],
    }
    asked = [(names, section[key]) for key, names in tables.items() if section[key] is not None]
    return [g for g in section["numbers"] if all(names[g] in wanted for names, wanted in asked)]


def composition_asked(section: Mapping[str, Any]) -> CompositionConstraints:
    """Limits on the composition that a section ``constraints`` in full asks for."""
    elements = section["elements"]
    wanted = section["stoichiometry"]
    return CompositionConstraints(
        allowed=tuple(atomic_number(s) for s in elements["allowed"] if s not in elements["forbidden"]),
        required=tuple(map(atomic_number, elements["required"])),
        any_of=tuple(tuple(map(atomic_number, choice)) for choice in elements["any_of"]),
        n_elements=section["n_elements"],
        n_atoms=section["n_atoms"],
        n_atoms_primitive=section["n_atoms_primitive"],
        atoms_per_element=section["atoms_per_element"],
        neutrality=section["charge"],
        wyckoff=section["wyckoff"],
        stoichiometry=Stoichiometry.parse(wanted) if wanted is not None else None,
        shares=tuple((atomic_number(s), low, high) for s, (low, high) in section["shares"].items()),
        electronegativity=section["electronegativity"] == "smact",
        rules=parse_rules(section["rules"]),
    )


def lattice_asked(section: Mapping[str, Any]) -> LatticeLimits:
    """Bounds on cells that a section ``constraints.lattice`` in full asks for."""
    hard = {name: section[name] for name in ("lengths", "angles", "density", "longest_over_shortest")}
    if section["kind"] == "box":
        return LatticeLimits(
            **hard,
            box=section["box"],
            triclinic=section["box_angles"],
            monoclinic=section["monoclinic"] or section["box_angles"],
            rhombohedral=section["box_angles"],
        )
    per_atom = section["volume_per_atom"]
    free = per_atom == "auto" and hard["lengths"] is None and hard["density"] is None
    return LatticeLimits(
        **{**hard, "longest_over_shortest": hard["longest_over_shortest"] or 7.5},
        volume_per_atom=None if per_atom == "auto" else per_atom,
        volume=section["volume"] if free else None,  # hard bounds on the volume win over the band
        triclinic=section["triclinic"],
        monoclinic=section["monoclinic"] or (90.0, 135.0),
    )
