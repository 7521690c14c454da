"""Checks of finished crystals against what was asked for, by code that shares nothing with the sampling masks.

Every limit is counted directly on conventional cells, Wyckoff positions by direct search, charges by sums of sets,
cells by their metric. Anything but zero violations among samples of a trained model is a bug.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystal import Crystals
from crystalgfn.crystallography.elements import ATOMIC_VOLUME
from crystalgfn.crystallography.lattices import is_valid_cell, satisfies_lattice_system
from crystalgfn.crystallography.space_groups import (
    CENTERING_MULTIPLICITY,
    CRYSTAL_LATTICE_SYSTEM,
    CRYSTAL_LATTICE_SYSTEMS,
    POINT_SYMMETRIES,
    POINT_SYMMETRY,
)
from crystalgfn.errors import DataError
from crystalgfn.spaces.constraints import CompositionConstraints

from .metrics import neutral, wyckoff_compatible

ROUNDING = 1e-9
"""Relative deviation from a bound that floating point may cause."""

Verdicts = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class LatticeLimits:
    """Bounds on cells; None for no bound.

    Attributes:
        volume: least and most volume as multiples of the estimate from the composition.
        max_axis_ratio: largest longest / shortest length.
        lengths: least and most length, A, of the conventional cell; not for rhombohedral groups, whose primitive cell
            is bounded.
        angles: least and most angle, degree.
    """

    volume: tuple[float, float] | None = None
    max_axis_ratio: float | None = None
    lengths: tuple[float, float] | None = None
    angles: tuple[float, float] | None = None


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
        atoms_per_element, neutrality, wyckoff, cell, lattice_system and the bounds asked for.

    Raises:
        DataError: no crystals, a space group that does not exist, or a negative count.
    """
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
        violated |= _composition(crystals, groups, composition)
    violated |= _cells(crystals, groups, lattice or LatticeLimits())
    any_violated = np.any(list(violated.values()), axis=0)
    return ValidityReport(
        n=len(crystals),
        violations={name: int(rows.sum()) for name, rows in violated.items()},
        first={name: int(rows.argmax()) for name, rows in violated.items() if rows.any()},
        valid=~any_violated,
    )


def _wrong_labels(crystals: Crystals, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    wrong = np.zeros(len(crystals), dtype=bool)
    for column, codes, names in (
        ("crystal_lattice_system", CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS),
        ("point_symmetry", POINT_SYMMETRY, POINT_SYMMETRIES),
    ):
        if column in crystals.columns:
            wrong |= crystals.columns[column] != np.array(names, dtype=object)[codes[groups] - 1]
    return wrong


def _composition(crystals: Crystals, groups: NDArray[np.int64], limits: CompositionConstraints) -> Verdicts:
    counts = crystals.counts.cpu().numpy()
    present = counts > 0
    numbers = np.array(crystals.elements)
    allowed = numbers if limits.allowed is None else np.array(limits.allowed)
    forbidden = (present & ~np.isin(numbers, allowed)).any(1)
    missing = np.zeros(len(crystals), dtype=bool)
    for z in limits.required:
        missing |= ~present[:, numbers == z].any(1)
    n_atoms, cells = counts.sum(1), CENTERING_MULTIPLICITY[groups]
    least, most = limits.atoms_per_element
    violated: Verdicts = {
        "elements": forbidden | missing,
        "n_elements": _outside(present.sum(1), limits.n_elements),
        "n_atoms": _outside(n_atoms, limits.n_atoms),
        "n_atoms_primitive": _outside(n_atoms / cells, limits.n_atoms_primitive),
        "atoms_per_element": np.any(present & ((counts < least) | (counts > most)), axis=1),
    }
    if limits.neutrality != "none":
        # atoms that a centering translation relates share their state, so the primitive cell is what must be neutral
        whole = (counts % cells[:, None] == 0).all(1, keepdims=True)
        own = torch.from_numpy(np.where(whole, counts // cells[:, None], counts))
        primitive = Crystals(crystals.elements, crystals.space_group, own, crystals.lattice)
        violated["neutrality"] = ~neutral(primitive, limits.neutrality)
    if limits.wyckoff:
        violated["wyckoff"] = ~wyckoff_compatible(crystals)
    return violated


def _cells(crystals: Crystals, groups: NDArray[np.int64], limits: LatticeLimits) -> Verdicts:
    lattice, systems = crystals.lattice.cpu(), CRYSTAL_LATTICE_SYSTEM[groups]
    lengths, angles = np.split(lattice.numpy(), 2, axis=1)
    violated: Verdicts = {
        "cell": ~is_valid_cell(lattice).numpy(),
        "lattice_system": ~satisfies_lattice_system(lattice, torch.from_numpy(systems), ROUNDING).numpy(),
    }
    if limits.volume is not None:
        estimate = crystals.counts.cpu().numpy() @ ATOMIC_VOLUME[list(crystals.elements)]
        violated["volume"] = _outside(crystals.volume.cpu().numpy() / estimate, limits.volume)
    if limits.max_axis_ratio is not None:
        violated["axis_ratio"] = _outside(lengths.max(1) / lengths.min(1), (1.0, limits.max_axis_ratio))
    if limits.lengths is not None:
        outside = np.any(_outside(lengths, limits.lengths), axis=1)
        violated["lengths"] = outside & (systems != CRYSTAL_LATTICE_SYSTEMS.index("trigonal-rhombohedral") + 1)
    if limits.angles is not None:
        violated["angles"] = np.any(_outside(angles, limits.angles), axis=1)
    return violated


def _outside(values: NDArray, bounds: tuple[float, float]) -> NDArray[np.bool_]:  # NaN is outside
    low, high = bounds
    outside: NDArray[np.bool_] = ~((values >= low * (1 - ROUNDING)) & (values <= high * (1 + ROUNDING)))
    return outside
