"""Place atoms: from space group, composition and lattice to candidate structures, best first.

Two sources: prototypes, which are known structures of other compositions on the same Wyckoff positions
(:mod:`.prototypes`), and random coordinates on the assignments that real crystals prefer
(:mod:`crystalgfn.crystallography.sites.prior`, :mod:`.random_placement`). No energies here: the order is by source,
prior and distances, and which candidate is the crystal remains to be computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from crystalgfn.crystallography.cells import Array, cell_vectors, checked_lattice
from crystalgfn.crystallography.sites.assignments import (
    Assignment,
    canonical,
    checked_counts,
    count_assignments,
    no_assignment,
)
from crystalgfn.crystallography.sites.prior import rank_assignments
from crystalgfn.crystallography.symmetry.search import find_symmetry
from crystalgfn.errors import DataError
from crystalgfn.structures.placing.random_placement import Starts, is_new, random_starts
from crystalgfn.structures.sanity import MIN_DISTANCE_RATIO

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from crystalgfn.structures.placing.prototypes import PrototypeLibrary

SYMPREC = 0.01
"""Tolerance in A of the check that a placed structure has its space group."""

MAX_ATOMS = 2_000
"""Atoms in the conventional cell that are refused rather than placed."""

ASSIGNMENTS_PER_START = 0.5
KEPT = 3
"""Random starts looked at for each one wanted: many end as the same structure."""


@dataclass(frozen=True)
class Placement:
    """A candidate crystal structure.

    Attributes:
        space_group: international number that was asked for.
        found_space_group: number that moyopy finds (symprec 0.01 A): the same, or a supergroup with the same cell.
        assignment: which element sits on which Wyckoff positions.
        structure: pymatgen Structure of the reduced primitive cell, A.
        conventional: pymatgen Structure of the ITA conventional cell, A, in the lattice asked for.
        source: ``"prototype <id>"``, with ``" (scaled)"`` where the prototype's axial ratios are kept, or ``"random"``.
        min_distance: least distance in A, images among them.
        min_ratio: least distance over the sum of the two covalent radii.
    """

    space_group: int
    found_space_group: int
    assignment: Assignment
    structure: Structure = field(repr=False)
    conventional: Structure = field(repr=False)
    source: str
    min_distance: float
    min_ratio: float


def place(
    space_group: int,
    counts: Mapping[int, int],
    lattice: Sequence[float],
    *,
    starts: int = 30,
    seed: int,
    library: PrototypeLibrary | None = None,
    exclude_formula: str | None = None,
) -> list[Placement]:
    """Return candidate structures, best first: prototypes by rank, then random ones.

    Random ones are spread over the assignments of largest prior weight, those of more weight getting more; each
    assignment gives its best start, then each its second, and so on. Structures whose least distance is below 0.6 of
    the covalent radii come last, in either source. Starts that came out as the same structure are given once.

    Args:
        space_group: international number, 1..230.
        counts: atoms of each atomic number in the conventional cell; zeros are ignored.
        lattice: (6,) a, b, c in A and alpha, beta, gamma in degree, of the conventional cell (hexagonal axes for the
            rhombohedral groups).
        starts: structures to return at most. Fewer come back where no more different ones are found; none
            where every arrangement has a smaller primitive cell than asked for.
        seed: the same seed gives the same structures.
        library: prototypes to try first; none by default.
        exclude_formula: reduced formula whose prototypes are left out, for blind tests.

    Raises:
        DataError: an unknown group, element or formula, counts that the group cannot hold, a lattice that is no cell or
            not one of the group, or more than 2,000 atoms.
    """
    if starts < 1:
        raise DataError(f"starts is {starts}; allowed are 1 and more")
    found_lattice = checked_lattice(space_group, lattice)
    wanted = dict(checked_counts(counts))
    if sum(wanted.values()) > MAX_ATOMS:
        raise DataError(f"counts add up to {sum(wanted.values())} atoms; allowed are up to {MAX_ATOMS}")
    if not count_assignments(space_group, wanted):
        raise no_assignment(space_group, wanted)

    placed: list[Placement] = []
    known: dict[Assignment, list[Array]] = {}
    if library is not None:
        for prototype in library.find(space_group, wanted, found_lattice, exclude_formula=exclude_formula):
            if len(placed) >= starts:
                break
            is_new(prototype.starts, 0, known.setdefault(canonical(prototype.starts.assignment), []))
            placed += _checked(prototype.starts, 0, prototype.source)
    if len(placed) < starts:
        sensible = sum(placement.min_ratio >= MIN_DISTANCE_RATIO for placement in placed)
        for found, index in _random(space_group, wanted, found_lattice, starts - len(placed), seed, known):
            if sensible >= starts:
                break
            placed += _checked(found, index, "random")
            sensible += bool(found.ratio[index] >= MIN_DISTANCE_RATIO)
    return sorted(placed, key=lambda placement: placement.min_ratio < MIN_DISTANCE_RATIO)[:starts]


def _random(
    space_group: int,
    counts: Mapping[int, int],
    lattice: Array,
    n: int,
    seed: int,
    known: dict[Assignment, list[Array]],
) -> Iterator[tuple[Starts, int]]:
    """Yield random starts unlike those known: the best of each assignment by rank, then the second of each ..."""
    ranked = rank_assignments(space_group, counts, max(1, round(n * ASSIGNMENTS_PER_START)))
    several = [bool(sum(assignment.degrees_of_freedom)) for assignment, _ in ranked]
    shares = _shares([weight for _, weight in ranked], several, n)
    found = []
    for i, ((assignment, _), share) in enumerate(zip(ranked, shares, strict=True)):
        starts = random_starts(assignment, lattice.tolist(), KEPT * (share + 1), seed=seed + i)
        seen = known.setdefault(assignment, [])
        found.append((starts, [index for index in range(len(starts)) if is_new(starts, index, seen)], share))
    for spare in (False, True):
        for turn in range(max(len(new) for _, new, _ in found)):
            for starts, new, share in found:
                if turn < len(new) and (turn >= share) == spare:
                    yield starts, new[turn]


def _shares(weights: Sequence[float], several: Sequence[bool], n: int) -> list[int]:
    """Starts of each assignment: one, and a part of the others by probability where there are free coordinates."""
    probability = np.where(several, np.exp(np.array(weights) - max(weights)), 0.0)
    left = max(0, n - len(weights))
    if not left or not probability.any():
        return [1] * len(weights)
    exact = left * probability / probability.sum()
    whole = np.floor(exact).astype(int)
    order = np.argsort(whole - exact, kind="stable")[: left - int(whole.sum())]
    whole[order] += 1
    return [int(1 + extra) for extra in whole]


def _checked(starts: Starts, index: int, source: str) -> Iterator[Placement]:
    """Yield a start if it has the group asked for, or more symmetry in the same primitive cell."""
    from pymatgen.core import Lattice, Structure

    number = _found_group(starts, index)
    if number is not None:
        conventional = Lattice(cell_vectors(starts.lattice))
        yield Placement(
            space_group=starts.assignment.space_group,
            found_space_group=number,
            assignment=starts.assignment,
            structure=Structure(Lattice(starts.cell), starts.numbers, starts.fractional[index]),
            conventional=Structure(conventional, starts.conventional_numbers, starts.conventional[index]),
            source=source,
            min_distance=float(starts.distance[index]),
            min_ratio=float(starts.ratio[index]),
        )


def _found_group(starts: Starts, index: int) -> int | None:
    """Space group that moyopy finds; None where atoms coincide or the primitive cell is smaller than asked for."""
    if starts.distance[index] < 10 * SYMPREC:
        return None
    try:
        dataset = find_symmetry(starts.cell, starts.fractional[index], starts.numbers, symprec=SYMPREC)
    except DataError:
        return None
    return int(dataset.number) if len(dataset.prim_std_cell.numbers) == len(starts.numbers) else None
