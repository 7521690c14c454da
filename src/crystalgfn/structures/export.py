"""Files: symmetrised CIF with space group and Wyckoff letters, and extXYZ.

A CIF holds the conventional cell in the standard setting of the International Tables (hexagonal axes for rhombohedral
groups, second origin), the symmetry operations, and one atom an orbit, so that any reader rebuilds the same crystal and
finds the same space group.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import ATOMIC_MASS, SYMBOLS
from crystalgfn.errors import DataError
from crystalgfn.tables.files import write_atomically

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

SYMPREC = 0.1
"""Tolerance (A) within which a structure is symmetrised."""

_SAME = 1e-5  # fractional coordinates that are one place, after moyopy has averaged them


@dataclass(frozen=True)
class Site:
    """An orbit of atoms.

    Attributes:
        symbol: element.
        wyckoff: Wyckoff letter.
        multiplicity: atoms of the orbit in the conventional cell.
        position: fractional coordinates (3,) of one of them.
    """

    symbol: str
    wyckoff: str
    multiplicity: int
    position: tuple[float, float, float]


@dataclass(frozen=True)
class Symmetrised:
    """A crystal in the standard setting of its space group.

    Attributes:
        space_group: number.
        symbol: Hermann-Mauguin symbol, short.
        lattice: a, b, c (A), alpha, beta, gamma (degree) of the conventional cell.
        sites: one an orbit.
    """

    space_group: int
    symbol: str
    lattice: tuple[float, ...]
    sites: tuple[Site, ...]

    def positions(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return atomic numbers (n,) and fractional coordinates (n, 3) of the conventional cell."""
        numbers = [SYMBOLS.index(site.symbol) for site in self.sites for _ in range(site.multiplicity)]
        orbits = [_orbit(self.space_group, np.array(site.position)) for site in self.sites]
        return np.array(numbers), np.concatenate(orbits)


def symmetrise(structure: Structure, *, symprec: float = SYMPREC) -> Symmetrised:
    """Put a crystal into the standard setting of the space group that it has within ``symprec`` (A).

    Coordinates are averaged over the site symmetry, cells over the lattice system. A tolerance at which the result is
    not consistent (too many atoms would fall together) is halved until it is; P1 always is.

    Raises:
        DataError: a structure in which moyopy finds no symmetry at all, such as one with atoms on top of each other.
    """
    while symprec > 1e-6:
        found = _symmetrised(structure, symprec)
        if found is not None:
            return found
        symprec /= 2
    raise DataError(f"{structure.composition.reduced_formula}: no space group can be assigned, not even P1")


def _symmetrised(structure: Structure, symprec: float) -> Symmetrised | None:
    import moyopy

    def dataset(basis: Any, positions: Any, numbers: Any, tolerance: float) -> Any:
        cell = moyopy.Cell(np.asarray(basis).tolist(), np.asarray(positions).tolist(), [int(z) for z in numbers])
        return moyopy.MoyoDataset(cell, symprec=tolerance, setting=moyopy.Setting.standard())

    try:
        first = dataset(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers, symprec)
        cell = first.std_cell
        again = dataset(cell.basis, cell.positions, cell.numbers, min(symprec, 1e-3))
    except BaseException as error:  # moyopy raises bare Rust errors
        if isinstance(error, KeyboardInterrupt):
            raise
        return None
    number = int(first.number)
    if int(again.number) != number:
        return None
    positions, numbers = np.asarray(cell.positions), np.asarray(cell.numbers)
    # atoms of an orbit are found with the tables' operations, not with those found: these are exact
    left, sites = set(range(len(numbers))), []
    for atom in range(len(numbers)):
        if atom not in left:
            continue
        position = _on_site(number, positions[atom])
        orbit = _orbit(number, position)
        members = set()
        for image in orbit:
            same = [i for i in left if numbers[i] == numbers[atom] and _apart(positions[i], image) < 10 * _SAME]
            if len(same) != 1:
                return None
            members.add(same[0])
        if len(members) != len(orbit):
            return None
        left -= members
        x, y, z = (float(c) for c in position)
        sites.append(Site(SYMBOLS[int(numbers[atom])], str(again.wyckoffs[atom]), len(orbit), (x, y, z)))
    return Symmetrised(number, _symbol(number), _lattice(number, np.asarray(cell.basis)), tuple(sites))


def to_cif(structure: Structure, *, symprec: float = SYMPREC, name: str | None = None) -> str:
    """Return the text of a symmetrised CIF; see :func:`symmetrise`.

    Args:
        structure: the crystal, any cell.
        symprec: tolerance of its symmetry, A.
        name: of the data block; the reduced formula by default.

    Raises:
        DataError: no space group can be assigned.
    """
    found = symmetrise(structure, symprec=symprec)
    formula = structure.composition.reduced_formula
    label = re.sub(r"[^\w.-]", "_", name or formula)
    numbers, _ = found.positions()
    volume = float(np.linalg.det(_matrix(found.lattice)))
    density = float(ATOMIC_MASS[numbers].sum()) * 1.66053906660 / volume
    counts = structure.composition.reduced_composition.get_el_amt_dict()
    units = len(numbers) / sum(counts.values())
    cell = zip(
        ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"), found.lattice, strict=True
    )
    lines = [
        f"data_{label}",
        f"_symmetry_space_group_name_H-M   '{found.symbol}'",
        *(f"_cell_{key}   {value:.8f}" for key, value in cell),
        f"_symmetry_Int_Tables_number   {found.space_group}",
        f"_space_group_IT_number   {found.space_group}",
        f"_chemical_formula_structural   {formula}",
        "_chemical_formula_sum   '" + " ".join(f"{e}{n * units:g}" for e, n in counts.items()) + "'",
        f"_cell_volume   {volume:.8f}",
        f"_cell_formula_units_Z   {units:g}",
        f"_exptl_crystal_density_diffrn   {density:.5f}",
        "loop_",
        " _symmetry_equiv_pos_site_id",
        " _symmetry_equiv_pos_as_xyz",
        *(f"  {i}  '{text}'" for i, text in enumerate(_operation_texts(found.space_group), 1)),
        "loop_",
        " _atom_site_type_symbol",
        " _atom_site_label",
        " _atom_site_symmetry_multiplicity",
        " _atom_site_Wyckoff_symbol",
        " _atom_site_fract_x",
        " _atom_site_fract_y",
        " _atom_site_fract_z",
        " _atom_site_occupancy",
        *(
            f"  {s.symbol}  {s.symbol}{i}  {s.multiplicity}  {s.wyckoff}  "
            + "  ".join(f"{c:.10f}" for c in s.position)
            + "  1"
            for i, s in enumerate(found.sites)
        ),
    ]
    return "\n".join(lines) + "\n"


def write_cif(path: str | Path, structure: Structure, *, symprec: float = SYMPREC, name: str | None = None) -> None:
    """Write a symmetrised CIF, atomically; see :func:`to_cif`.

    Raises:
        DataError: no space group can be assigned, or the file cannot be written.
    """
    text = to_cif(structure, symprec=symprec, name=name)
    with write_atomically(Path(path)) as stream:
        stream.write(text.encode())


def to_atoms(structure: Structure, info: Mapping[str, Any] | None = None) -> Atoms:
    """Return an ASE Atoms object, with values such as energies (eV/atom) in its ``info``."""
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.info = dict(info or {})
    return atoms


def write_extxyz(
    path: str | Path, structures: Sequence[Structure], infos: Sequence[Mapping[str, Any]] | None = None
) -> None:
    """Write all structures as frames of one extXYZ file, atomically; ``infos`` go into the comment lines.

    Raises:
        DataError: the file cannot be written.
    """
    text = _frames(structures, infos)
    with write_atomically(Path(path)) as stream:
        stream.write(text.encode())


def append_extxyz(path: str | Path, structure: Structure, info: Mapping[str, Any] | None = None) -> None:
    """Add a frame to an extXYZ file and wait until it is on disk.

    After a kill the last frame may be incomplete: call :func:`repair_extxyz` before going on.

    Raises:
        DataError: the file cannot be written.
    """
    text = _frames([structure], None if info is None else [info])
    try:
        with Path(path).open("ab") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error


def repair_extxyz(path: str | Path) -> int:
    """Cut an incomplete last frame off an extXYZ file; return how many whole frames it holds.

    Raises:
        DataError: the file cannot be read or written.
    """
    path = Path(path)
    if not path.exists():
        return 0
    frames = end = 0
    try:
        with path.open("rb+") as stream:
            while head := stream.readline():
                if not head.strip().isdigit():
                    break
                lines = [stream.readline() for _ in range(int(head) + 1)]
                if not all(line.endswith(b"\n") for line in lines):
                    break
                frames, end = frames + 1, stream.tell()
            stream.truncate(end)
    except OSError as error:
        raise DataError(f"cannot repair {path}: {error.strerror or error}") from error
    return frames


def _frames(structures: Sequence[Structure], infos: Sequence[Mapping[str, Any]] | None) -> str:
    from ase.io.extxyz import write_extxyz as write

    stream = io.StringIO()
    write(stream, [to_atoms(s, i) for s, i in zip(structures, infos or [{}] * len(structures), strict=True)])
    return stream.getvalue()


@lru_cache(maxsize=230)
def _operations(number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotations (G, 3, 3) and translations (G, 3) of the conventional cell, those of the centring with them."""
    import moyopy

    found = moyopy.operations_from_number(number, setting=moyopy.Setting.standard())
    return np.asarray(found.rotations, dtype=float), np.asarray(found.translations, dtype=float)


@lru_cache(maxsize=230)
def _operation_texts(number: int) -> tuple[str, ...]:
    texts = []
    for rotation, translation in zip(*_operations(number), strict=True):
        parts = []
        for row, shift in zip(rotation, translation, strict=True):
            terms = "".join(("+" if c > 0 else "-") + "xyz"[k] for k, c in enumerate(row) if c)
            fraction = Fraction(float(shift)).limit_denominator(24) % 1
            parts.append(terms.removeprefix("+") + (f"+{fraction}" if fraction else ""))
        texts.append(", ".join(parts))
    return tuple(texts)


def _on_site(number: int, position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the position averaged over the operations that leave it in place."""
    rotations, translations = _operations(number)
    images = rotations @ position + translations
    difference = images - position
    difference -= np.round(difference)
    fixed = np.abs(difference).max(axis=1) < 10 * _SAME
    return (position + difference[fixed].mean(axis=0)) % 1


def _orbit(number: int, position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distinct images (m, 3) of a position, the position first."""
    rotations, translations = _operations(number)
    images = (rotations @ position + translations) % 1
    kept: list[NDArray[np.float64]] = []
    for image in images:
        if not kept or min(_apart(image, other) for other in kept) > _SAME:
            kept.append(image)
    return np.array(kept)


def _apart(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    difference = left - right
    return float(np.abs(difference - np.round(difference)).max())


@lru_cache(maxsize=230)
def _symbol(number: int) -> str:
    import moyopy

    return str(moyopy.SpaceGroupType(number).hm_short)


def _lattice(number: int, basis: NDArray[np.float64]) -> tuple[float, ...]:
    """Return a, b, c, alpha, beta, gamma (A, degree) with the equalities of the crystal system exact."""
    a, b, c = (float(x) for x in np.linalg.norm(basis, axis=1))
    cosines = np.array([basis[1] @ basis[2] / (b * c), basis[0] @ basis[2] / (a * c), basis[0] @ basis[1] / (a * b)])
    alpha, beta, gamma = (float(x) for x in np.degrees(np.arccos(np.clip(cosines, -1, 1))))
    if number >= 195:
        a = b = c = (a + b + c) / 3
    elif number >= 75:
        a = b = (a + b) / 2
    if number >= 16:
        alpha = beta = gamma = 90.0
        if 143 <= number <= 194:
            gamma = 120.0
    elif number >= 3:
        alpha = gamma = 90.0
    return a, b, c, alpha, beta, gamma


def _matrix(lattice: tuple[float, ...]) -> NDArray[np.float64]:
    from pymatgen.core import Lattice

    return np.asarray(Lattice.from_parameters(*lattice).matrix)
