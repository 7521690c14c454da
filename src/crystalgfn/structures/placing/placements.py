"""Place atoms: from space group, composition and lattice to initial placements, best first.

Two sources: prototypes, which are known structures of other compositions on the same Wyckoff positions
(:mod:`.prototypes`), and random coordinates (:mod:`.random_placement`), on the sites of the crystal where they are
known, and else on the assignments that real crystals prefer (:mod:`crystalgfn.crystallography.sites.prior`). No
energies are computed: placements are ordered by source, prior and distances, and a potential has to tell which is the
crystal.
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
from crystalgfn.structures.placing.random_placement import InitialPlacements, is_new, random_placements
from crystalgfn.structures.sanity import MIN_DISTANCE_RATIO

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from crystalgfn.structures.placing.prototypes import PrototypeLibrary

SYMPREC = 0.01
"""Tolerance in A of the check that a placed structure has its space group."""

MAX_ATOMS = 2_000
"""Most atoms in a conventional cell; larger cells are refused."""

TOO_NEAR_RATIO = 0.48
"""Least distance over covalent radii below which a placement on given sites is not returned.

Atoms on such a placement would be too near (:data:`~crystalgfn.structures.sanity.MIN_DISTANCE_RATIO`) even in twice the
volume of the lattice.
"""

ASSIGNMENTS_PER_PLACEMENT = 0.5
OVERSAMPLING = 3
"""Random placements made for each that is returned, since many end as one structure."""


@dataclass(frozen=True)
class Placement:
    """An initial placement: the atoms of a crystal on Wyckoff positions.

    Attributes:
        space_group: international number of the requested group.
        found_space_group: number that moyopy finds (symprec 0.01 A): that of the requested group, or of a supergroup
            with an equal primitive cell.
        assignment: elements and their Wyckoff positions.
        structure: pymatgen Structure of the reduced primitive cell, A.
        conventional: pymatgen Structure of the ITA conventional cell, A, in the requested lattice.
        source: ``"prototype <id>"``, with ``" (scaled)"`` where the prototype's axial ratios are kept, or ``"random"``.
        min_distance: least distance between atoms and their images, A.
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
    placements: int = 30,
    seed: int,
    sites: Assignment | None = None,
    library: PrototypeLibrary | None = None,
    exclude_formula: str | None = None,
) -> list[Placement]:
    """Return initial placements, best first: by prototypes in order of rank, then at random.

    With ``sites``, all placements are on these sites, or on sites that the group's normalizer connects with them, and
    those with atoms too near at any volume are left out (:data:`TOO_NEAR_RATIO`). Without, random placements are spread
    over the assignments of largest prior weight; assignments of more weight get more.
    First comes the best placement of each assignment, then the second of each, and so on. Placements whose least
    distance is below 0.6 of the covalent radii come last, whatever their source. Each structure is returned once.

    Args:
        space_group: international number, 1..230.
        counts: atoms of each atomic number in the conventional cell; zeros are ignored.
        lattice: (6,) a, b, c in A and alpha, beta, gamma in degree, of the conventional cell (hexagonal axes for the
            rhombohedral groups).
        placements: most placements to return. Fewer are returned where no more distinct structures are found, and none
            where every arrangement has a smaller primitive cell than requested.
        seed: the same seed gives the same structures.
        sites: the sites of the crystal, where they are known.
        library: prototypes to try first; none by default.
        exclude_formula: reduced formula whose prototypes are left out, for blind tests.

    Raises:
        DataError: an unknown group, element or formula, counts that the group or the sites do not hold, a lattice that
            is no cell or does not fit the group, or more than 2,000 atoms.
    """
    if placements < 1:
        raise DataError(f"placements is {placements}; allowed are 1 and more")
    cell = checked_lattice(space_group, lattice)
    atoms = dict(checked_counts(counts))
    if sum(atoms.values()) > MAX_ATOMS:
        raise DataError(f"counts add up to {sum(atoms.values())} atoms; allowed are up to {MAX_ATOMS}")
    if sites is None:
        if not count_assignments(space_group, atoms):
            raise no_assignment(space_group, atoms)
    elif sites.space_group != space_group or sites.counts != atoms:
        raise DataError(f"sites {sites} hold {sites.counts}; allowed: {atoms} in space group {space_group}")

    placed: list[Placement] = []
    seen: dict[Assignment, list[Array]] = {}
    if library is not None:
        for prototype in library.find(space_group, atoms, cell, exclude_formula=exclude_formula):
            if len(placed) >= placements:
                break
            assignment = canonical(prototype.placement.assignment)
            if sites is None or assignment == canonical(sites):
                is_new(prototype.placement, 0, seen.setdefault(assignment, []))
                placed += _checked(prototype.placement, 0, prototype.source)
    if len(placed) < placements:
        missing = placements - len(placed)
        ranked = [(sites, 0.0)] if sites else _ranked(space_group, atoms, missing)
        sensible = sum(placement.min_ratio >= MIN_DISTANCE_RATIO for placement in placed)
        for batch, index in _random(ranked, cell, missing, seed, seen):
            if sensible >= placements:
                break
            placed += _checked(batch, index, "random")
            sensible += bool(batch.ratio[index] >= MIN_DISTANCE_RATIO)
    if sites is not None:
        placed = [placement for placement in placed if placement.min_ratio >= TOO_NEAR_RATIO]
    return sorted(placed, key=lambda placement: placement.min_ratio < MIN_DISTANCE_RATIO)[:placements]


def _ranked(space_group: int, counts: Mapping[int, int], n: int) -> list[tuple[Assignment, float]]:
    """Assignments of largest prior weight for ``n`` random placements, with their log weights."""
    return rank_assignments(space_group, counts, max(1, round(n * ASSIGNMENTS_PER_PLACEMENT)))


def _random(
    ranked: Sequence[tuple[Assignment, float]],
    lattice: Array,
    n: int,
    seed: int,
    seen: dict[Assignment, list[Array]],
) -> Iterator[tuple[InitialPlacements, int]]:
    """Yield new random placements: the best of each assignment by rank, then the second of each, and so on."""
    several = [bool(sum(assignment.degrees_of_freedom)) for assignment, _ in ranked]
    shares = _shares([weight for _, weight in ranked], several, n)
    batches = []
    for i, ((assignment, _), share) in enumerate(zip(ranked, shares, strict=True)):
        batch = random_placements(assignment, lattice.tolist(), OVERSAMPLING * (share + 1), seed=seed + i)
        earlier = seen.setdefault(canonical(assignment), [])
        batches.append((batch, [index for index in range(len(batch)) if is_new(batch, index, earlier)], share))
    for spare in (False, True):
        for turn in range(max(len(new) for _, new, _ in batches)):
            for batch, new, share in batches:
                if turn < len(new) and (turn >= share) == spare:
                    yield batch, new[turn]


def _shares(weights: Sequence[float], several: Sequence[bool], n: int) -> list[int]:
    """Placements of each assignment: one, and by probability more where there are free coordinates."""
    probability = np.where(several, np.exp(np.array(weights) - max(weights)), 0.0)
    left = max(0, n - len(weights))
    if not left or not probability.any():
        return [1] * len(weights)
    exact = left * probability / probability.sum()
    whole = np.floor(exact).astype(int)
    order = np.argsort(whole - exact, kind="stable")[: left - int(whole.sum())]
    whole[order] += 1
    return [int(1 + extra) for extra in whole]


def _checked(batch: InitialPlacements, index: int, source: str) -> Iterator[Placement]:
    """Yield a placement if it has the requested group, or a supergroup with an equal primitive cell."""
    from pymatgen.core import Lattice, Structure

    number = _group_of(batch, index)
    if number is not None:
        conventional = Lattice(cell_vectors(batch.lattice))
        yield Placement(
            space_group=batch.assignment.space_group,
            found_space_group=number,
            assignment=batch.assignment,
            structure=Structure(Lattice(batch.cell), batch.numbers, batch.fractional[index]),
            conventional=Structure(conventional, batch.conventional_numbers, batch.conventional[index]),
            source=source,
            min_distance=float(batch.distance[index]),
            min_ratio=float(batch.ratio[index]),
        )


def _group_of(batch: InitialPlacements, index: int) -> int | None:
    """Space group that moyopy finds; None where atoms coincide or the primitive cell is smaller than requested."""
    if batch.distance[index] < 10 * SYMPREC:
        return None
    try:
        dataset = find_symmetry(batch.cell, batch.fractional[index], batch.numbers, symprec=SYMPREC)
    except DataError:
        return None
    return int(dataset.number) if len(dataset.prim_std_cell.numbers) == len(batch.numbers) else None
