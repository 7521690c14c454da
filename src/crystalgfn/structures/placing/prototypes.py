"""Prototypes: known crystals described by their Wyckoff positions, to be filled with other elements.

A prototype is (space group, site of each orbit with its free coordinates, conventional lattice). It fits a crystal of
its space group if elements of equal counts can be exchanged one to one; the symmetry is then exact by construction.
For files of prototypes, including the shipped one, see :mod:`.prototype_files`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from crystalgfn.crystallography.cells import Array, checked_lattice
from crystalgfn.crystallography.operations import group_operations
from crystalgfn.crystallography.sites.assignments import Assignment, canonical
from crystalgfn.crystallography.sites.counting import Site
from crystalgfn.errors import DataError
from crystalgfn.structures.placing.exchange import EXCHANGES, dissimilarity, exchanges, scaled_to
from crystalgfn.structures.placing.random_placement import InitialPlacements, is_new, placements_at

SCALED = 0.3
"""Dissimilarity that a structure with the prototype's axial ratios gets for not having the requested lattice."""


@dataclass(frozen=True)
class Prototype:
    """A known crystal in terms of its Wyckoff positions.

    Attributes:
        id: name of the prototype in its source.
        formula: reduced formula of the known crystal.
        space_group: international number.
        sites: (atomic number, letter) of each orbit, in the order of an Assignment.
        free: free coordinates of all sites, one site after the other.
        lattice: a, b, c in A and alpha, beta, gamma in degree, of the conventional cell.
    """

    id: str
    formula: str
    space_group: int
    sites: tuple[Site, ...]
    free: tuple[float, ...]
    lattice: tuple[float, ...]

    @property
    def assignment(self) -> Assignment:
        """The sites as an assignment."""
        return Assignment(self.space_group, self.sites)

    def exchanged(self, elements: Mapping[int, int]) -> tuple[Assignment, Array]:
        """Return the assignment and free coordinates (F,) with elements exchanged: ``{old: new}`` atomic numbers."""
        parts = np.split(np.array(self.free), np.cumsum(self.assignment.degrees_of_freedom)[:-1])
        sites = [(elements[z], letter) for z, letter in self.sites]
        letters = list(group_operations(self.space_group).positions)
        order = sorted(range(len(sites)), key=lambda i: (sites[i][0], letters.index(sites[i][1])))
        assignment = Assignment(self.space_group, tuple(sites[i] for i in order))
        return assignment, np.concatenate([parts[i] for i in order])


@dataclass(frozen=True, eq=False)
class FilledPrototype:
    """A prototype filled with the elements of a crystal.

    Attributes:
        placement: one placement.
        source: name of the prototype.
        dissimilarity: how unlike crystal and prototype are; 0 is best.
    """

    placement: InitialPlacements
    source: str
    dissimilarity: float


class PrototypeLibrary:
    """Prototypes, found by space group and counts.

    Example::

        library = load_library("builtin") + load_library("prototypes.parquet")
        place(225, {12: 4, 8: 4}, (4.2, 4.2, 4.2, 90, 90, 90), seed=0, library=library)

    Attributes:
        prototypes: the prototypes in order.
    """

    def __init__(self, prototypes: Iterable[Prototype]) -> None:
        self.prototypes = tuple(prototypes)
        self._by_key: dict[tuple[int, tuple[int, ...]], list[Prototype]] = {}
        for prototype in self.prototypes:
            counts = prototype.assignment.counts.values()
            self._by_key.setdefault((prototype.space_group, tuple(sorted(counts))), []).append(prototype)

    def __len__(self) -> int:
        return len(self.prototypes)

    def __add__(self, other: PrototypeLibrary) -> PrototypeLibrary:
        return PrototypeLibrary(self.prototypes + other.prototypes)

    def find(
        self,
        space_group: int,
        counts: Mapping[int, int],
        lattice: Iterable[float],
        *,
        exclude_formula: str | None = None,
        limit: int = 300,
    ) -> Iterator[FilledPrototype]:
        """Yield the prototypes that can hold these counts, most alike first, each structure once.

        A prototype comes in the requested lattice and, if its own axes differ, in its own axes scaled to the requested
        volume. Dissimilarity is the mean over the atoms of the difference of the exchanged elements
        (electronegativity, covalent radius, class) plus the difference of the axes, or :data:`SCALED` for own axes.

        Args:
            space_group: international number.
            counts: atoms of each atomic number in the conventional cell, above 0.
            lattice: (6,) lattice of the conventional cell, A and degree.
            exclude_formula: formula whose prototypes are left out.
            limit: most structures to build.

        Raises:
            DataError: the formula cannot be read, or the lattice does not fit the group.
        """
        requested = checked_lattice(space_group, tuple(lattice))
        excluded = _reduced(exclude_formula) if exclude_formula else None
        ranked: list[tuple[float, int, Prototype, dict[int, int], Array, str]] = []
        for prototype in self._by_key.get((space_group, tuple(sorted(counts.values()))), []):
            if prototype.formula == excluded:
                continue
            own = scaled_to(np.array(prototype.lattice), requested)
            strain = float(np.abs(np.log(own[:3] / requested[:3])).max() + np.abs(own[3:] - requested[3:]).max() / 30)
            for elements in islice(exchanges(prototype.assignment.counts, counts), EXCHANGES):
                unlike = dissimilarity(prototype.assignment.counts, elements)
                ranked.append((unlike + strain, len(ranked), prototype, elements, requested, ""))
                if strain > 0.01:
                    ranked.append((unlike + SCALED, len(ranked), prototype, elements, own, " (scaled)"))
        ranked.sort(key=lambda entry: entry[:2])
        seen: dict[tuple[Assignment, bool], list[Array]] = {}
        for unlike, _, prototype, elements, axes, remark in ranked[:limit]:
            assignment, free = prototype.exchanged(elements)
            placement = placements_at(assignment, axes.tolist(), free[None])
            if is_new(placement, 0, seen.setdefault((canonical(assignment), bool(remark)), [])):
                yield FilledPrototype(placement, f"prototype {prototype.id}{remark}", unlike)


def _reduced(formula: str) -> str:
    from pymatgen.core import Composition

    try:
        return str(Composition(formula).reduced_formula)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"formula {formula!r} cannot be read ({error}); allowed are formulas such as 'LiFePO4'"
        ) from None
