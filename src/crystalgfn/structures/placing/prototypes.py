"""Prototypes: known crystals described by their Wyckoff positions, to be filled with other elements.

A prototype is (space group, site of each orbit with its free coordinates, conventional lattice). A crystal can take it
over where the group is the same and elements of the same counts can be exchanged one to one; its symmetry is then exact
by construction. The library is a parquet file; see :meth:`PrototypeLibrary.save`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice, permutations, product
from pathlib import Path

import moyopy
import numpy as np
import torch

from crystalgfn.crystallography.cells import Array, checked_lattice
from crystalgfn.crystallography.elements import ELECTRONEGATIVITY, SYMBOLS
from crystalgfn.crystallography.lattices import cell_volume
from crystalgfn.crystallography.operations import group_operations
from crystalgfn.crystallography.sites.assignments import Assignment, canonical
from crystalgfn.crystallography.sites.counting import Site
from crystalgfn.crystallography.sites.prior import element_class
from crystalgfn.errors import DataError, nearest
from crystalgfn.structures.placing.random_placement import COVALENT_RADIUS, Starts, is_new, starts_at

OTHER_CLASS = 0.3
"""Dissimilarity of elements of different classes, beside the differences in electronegativity and radius."""
SCALED = 0.3
"""What a structure with the prototype's axes instead of those asked for loses in the ranking."""
EXCHANGES = 24
"""Element exchanges tried for one prototype, at most."""


@dataclass(frozen=True)
class Prototype:
    """A known crystal in terms of its Wyckoff positions.

    Attributes:
        id: name in its source.
        formula: reduced formula of the known crystal.
        space_group: international number.
        sites: (atomic number, letter) of each orbit, in the order of an Assignment.
        free: free coordinates of all sites in turn.
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
        """Its sites as an assignment."""
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
class Candidate:
    """A prototype filled with the elements asked for: one start, where it came from, and how unlike it is (0 best)."""

    starts: Starts
    source: str
    dissimilarity: float


def prototype_of(name: str, cell: Array, numbers: Array, fractional: Array, *, symprec: float = 0.05) -> Prototype:
    """Describe a crystal structure by its Wyckoff positions, with moyopy.

    Args:
        name: id of the prototype.
        cell: (3, 3) in A, a vector a row.
        numbers: (N,) atomic numbers.
        fractional: (N, 3) fractional coordinates.
        symprec: tolerance of the symmetry search in A.

    Raises:
        DataError: no symmetry is found, or an atom is not on the position that moyopy names.
    """
    kinds = [int(z) for z in numbers]
    crystal = moyopy.Cell(np.asarray(cell).tolist(), np.asarray(fractional).tolist(), kinds)
    try:
        dataset = moyopy.MoyoDataset(crystal, symprec=symprec, setting=moyopy.Setting.standard())
    except ValueError as error:
        raise DataError(f"structure {name!r}: no symmetry found within {symprec} A ({error})") from error
    standard, primitive = np.array(dataset.std_cell.basis), np.array(dataset.prim_std_cell.basis)
    points = np.array(dataset.prim_std_cell.positions) @ primitive @ np.linalg.inv(standard)
    group = group_operations(int(dataset.number))
    letters = list(group.positions)
    found = []
    for i in sorted(set(dataset.orbits)):
        letter = dataset.wyckoffs[i]
        free = _free_coordinates(group.number, letter, points[dataset.mapping_std_prim[i]])
        if free is None:
            raise DataError(f"structure {name!r}: atom {i} is not on position {letter} of space group {group.number}")
        found.append((kinds[i], letters.index(letter), tuple(round(float(u), 6) for u in free)))
    found.sort()
    sites = tuple((z, letters[rank]) for z, rank, _ in found)
    assignment = Assignment(group.number, sites)
    if sum(assignment.multiplicities) != len(dataset.std_cell.numbers):
        raise DataError(
            f"structure {name!r}: orbits of {sum(assignment.multiplicities)} atoms, "
            f"but its conventional cell has {len(dataset.std_cell.numbers)}"
        )
    return Prototype(
        name,
        reduced_formula(assignment.counts),
        group.number,
        assignment.sites,
        tuple(u for _, _, free in found for u in free),
        tuple(round(float(x), 5) for x in checked_lattice(group.number, _parameters(standard))),
    )


def reduced_formula(counts: Mapping[int, int]) -> str:
    """Reduced formula in pymatgen's spelling."""
    from pymatgen.core import Composition

    return str(Composition({SYMBOLS[z]: n for z, n in counts.items()}).reduced_formula)


class PrototypeLibrary:
    """Prototypes, found by space group and counts.

    Example::

        library = PrototypeLibrary.builtin() + PrototypeLibrary.load("prototypes.parquet")
        place(225, {12: 4, 8: 4}, (4.2, 4.2, 4.2, 90, 90, 90), seed=0, library=library)

    Attributes:
        prototypes: those it holds.
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

    @classmethod
    def builtin(cls) -> PrototypeLibrary:
        """Return the prototypes that ship: AFLOW's, as pymatgen distributes them, and phases of the builtin hull.

        AFLOW: Mehl et al., doi:10.1016/j.commatsci.2017.01.017; the others are made by ``scripts/build_hull.py``.
        """
        from crystalgfn.structures.placing import prototype_files

        return prototype_files.read(Path(str(files(__package__) / "data" / "prototypes.parquet")))

    @classmethod
    def load(cls, path: str | Path) -> PrototypeLibrary:
        """Read a library that :meth:`save` wrote.

        Raises:
            DataError: the file is missing, unreadable, or no library.
        """
        from crystalgfn.structures.placing import prototype_files

        return prototype_files.read(Path(path))

    @classmethod
    def from_structures(cls, path: str | Path) -> PrototypeLibrary:
        """Find the prototypes of a table of crystal structures; see :func:`.prototype_files.from_structures`."""
        from crystalgfn.structures.placing import prototype_files

        return prototype_files.from_structures(Path(path))

    def save(self, path: str | Path) -> None:
        """Write the library as parquet: a row a prototype."""
        from crystalgfn.structures.placing import prototype_files

        prototype_files.write(self, Path(path))

    def find(
        self,
        space_group: int,
        counts: Mapping[int, int],
        lattice: Iterable[float],
        *,
        exclude_formula: str | None = None,
        limit: int = 300,
    ) -> Iterator[Candidate]:
        """Yield the prototypes that can hold these counts, most alike first, each candidate once.

        A prototype comes in the lattice asked for and, where its own axes differ, in its own axes scaled to the volume
        of the lattice asked for. Dissimilarity is the mean over the atoms of the difference of the exchanged elements
        (electronegativity, covalent radius, class) plus the difference of the axes, or :data:`SCALED` for own axes.

        Args:
            space_group: international number.
            counts: atoms of each atomic number in the conventional cell, above 0.
            lattice: (6,) of the conventional cell, A and degree.
            exclude_formula: formula whose prototypes are left out.
            limit: candidates built at most.

        Raises:
            DataError: a formula that cannot be read, or a lattice that is none of the group.
        """
        wanted = checked_lattice(space_group, tuple(lattice))
        excluded = _reduced(exclude_formula) if exclude_formula else None
        ranked: list[tuple[float, int, Prototype, dict[int, int], Array, str]] = []
        for prototype in self._by_key.get((space_group, tuple(sorted(counts.values()))), []):
            if prototype.formula == excluded:
                continue
            own = _scaled(np.array(prototype.lattice), wanted)
            strain = float(np.abs(np.log(own[:3] / wanted[:3])).max() + np.abs(own[3:] - wanted[3:]).max() / 30)
            for elements in islice(_exchanges(prototype.assignment.counts, counts), EXCHANGES):
                unlike = _dissimilarity(prototype.assignment.counts, elements)
                ranked.append((unlike + strain, len(ranked), prototype, elements, wanted, ""))
                if strain > 0.01:
                    ranked.append((unlike + SCALED, len(ranked), prototype, elements, own, " (scaled)"))
        ranked.sort(key=lambda entry: entry[:2])
        seen: dict[tuple[Assignment, bool], list[Array]] = {}
        for unlike, _, prototype, elements, axes, remark in ranked[:limit]:
            assignment, free = prototype.exchanged(elements)
            starts = starts_at(assignment, axes.tolist(), free[None])
            if is_new(starts, 0, seen.setdefault((canonical(assignment), bool(remark)), [])):
                yield Candidate(starts, f"prototype {prototype.id}{remark}", unlike)


def _free_coordinates(space_group: int, letter: str, point: Array) -> Array | None:
    """Free coordinates (F,) of the orbit of a point on a Wyckoff position; None where it is not on it."""
    group = group_operations(space_group)
    position = group.position(letter)
    linear, start = position.linear[0], position.shift[0]
    images = (group.rotations @ point + group.translations)[:, None] + group.centering
    offset = images.reshape(-1, 3) - start
    offset -= np.rint(offset)
    offset = (offset[:, None] + _SHIFTS).reshape(-1, 3)
    free = offset @ np.linalg.pinv(linear).T
    residual = np.abs(offset - free @ linear.T).max(axis=1)
    best = int(residual.argmin())
    return free[best] % 1.0 if residual[best] < 1e-3 else None


_SHIFTS = np.array(list(product((0.0, -1.0, 1.0), repeat=3)))


def _parameters(cell: Array) -> list[float]:
    """Lattice parameters (6,) of a cell (3, 3)."""
    lengths = np.sqrt((cell**2).sum(axis=1))
    cosines = [cell[i] @ cell[j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]
    return [*lengths, *np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))]


def _scaled(lattice: Array, to: Array) -> Array:
    """The lattice with the volume of another."""
    volumes = cell_volume(torch.from_numpy(np.stack([lattice, to]))).numpy()
    return np.concatenate([lattice[:3] * (volumes[1] / volumes[0]) ** (1 / 3), lattice[3:]])


def _exchanges(old: Mapping[int, int], new: Mapping[int, int]) -> Iterator[dict[int, int]]:
    """Yield the one-to-one exchanges of elements that keep the counts."""
    by_count: dict[int, tuple[list[int], list[int]]] = {}
    for side, counts in enumerate((old, new)):
        for z, n in sorted(counts.items(), key=lambda item: (ELECTRONEGATIVITY[item[0]], item[0])):
            by_count.setdefault(n, ([], []))[side].append(z)
    for choice in product(*(permutations(there) for _, there in by_count.values())):
        here = [z for olds, _ in by_count.values() for z in olds]
        yield dict(zip(here, [z for part in choice for z in part], strict=True))


def _dissimilarity(counts: Mapping[int, int], elements: Mapping[int, int]) -> float:
    """Mean over the atoms of how unlike old and new element are."""
    unlike = sum(n * _unlike(z, elements[z]) for z, n in counts.items())
    return float(unlike / sum(counts.values()))


@cache
def _unlike(one: int, other: int) -> float:
    difference = abs(ELECTRONEGATIVITY[one] - ELECTRONEGATIVITY[other])
    difference += abs(COVALENT_RADIUS[one] - COVALENT_RADIUS[other])
    return float(difference + OTHER_CLASS * (element_class(one) != element_class(other)))


def _reduced(formula: str) -> str:
    from pymatgen.core import Composition

    try:
        return str(Composition(formula).reduced_formula)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"formula {formula!r} cannot be read ({error}); allowed are formulas such as 'LiFePO4'"
        ) from None


def load_library(name: str | Path) -> PrototypeLibrary:
    """Return the prototypes that ship (``"builtin"``), or those of a file.

    Raises:
        DataError: the file is missing, unreadable, or no library.
    """
    if str(name) == "builtin":
        return PrototypeLibrary.builtin()
    if not Path(name).suffix:
        named = nearest(str(name), ("builtin", "none"))
        raise DataError(f"unknown prototypes {str(name)!r}{named}, allowed: builtin, none, or a file (.parquet)")
    return PrototypeLibrary.load(name)
