"""Structures to evaluate: a folder that ``crystalgfn structures`` wrote, or any folder of CIF files.

A file that cannot be read does not stop the others: it is listed with the reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crystalgfn.crystallography.cif.read import CifCrystal, read_structure, read_structures, read_text
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN as SITES
from crystalgfn.datasets.standardise import ConventionalCell, conventional_cell
from crystalgfn.errors import DataError, TrustError
from crystalgfn.files.reading import read_json
from crystalgfn.files.trust import opened
from crystalgfn.progress import track
from crystalgfn.structures.candidates.duplicates import duplicate_groups
from crystalgfn.structures.candidates.folder import MANIFEST
from crystalgfn.structures.candidates.schema import INPUT, UNIT, Quantity, Row, Status
from crystalgfn.structures.candidates.table import TABLE, CandidateTable
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.sanity import cdvae_valid, lemat_valid

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Candidates:
    """Structures with what a run recorded of them.

    Attributes:
        name: name of the folder.
        table: one row for each crystal that was handed in.
        structures: readable structures by row; conventional cells where crystalgfn wrote them.
        cifs: text of the CIF files, by row.
        broken: reason why a file could not be read, by its name.
        manifest: settings of the run that made the structures, where known.
    """

    name: str
    table: CandidateTable
    structures: dict[int, Structure]
    cifs: dict[int, str]
    broken: dict[str, str] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the table."""
        return self.table.rows

    def crystals(self, *, sites: bool = False) -> tuple[Crystals, list[int]]:
        """Return the structures as crystals (K,) in conventional cells, and the row of each.

        Args:
            sites: whether a column ``wyckoff`` with the occupied positions is found, which takes a search for symmetry.
        """
        cells, rows = [], []
        for row in self.rows:
            structure = self.structures.get(row.row)
            if structure is None:
                continue
            try:
                cell = _cell(structure, row.space_group if self.manifest else None)
                cells.append(_with_sites(cell, structure) if sites else cell)
            except DataError:
                continue
            rows.append(row.row)
        elements = sorted({z for cell in cells for z in cell.counts})
        return Crystals(
            elements=tuple(elements),
            space_group=np.array([cell.space_group for cell in cells], dtype=np.int64),  # type: ignore[arg-type]
            counts=np.array(  # type: ignore[arg-type]
                [[cell.counts.get(z, 0) for z in elements] for cell in cells], dtype=np.int64
            ).reshape(len(cells), len(elements)),
            lattice=np.array([cell.lattice for cell in cells], dtype=float).reshape(-1, 6),  # type: ignore[arg-type]
            columns={
                **self._energies(rows),
                **({SITES: np.array([json.dumps(cell.wyckoff) for cell in cells], dtype=object)} if sites else {}),
            },
        ), rows

    def _energies(self, rows: list[int]) -> dict[str, np.ndarray]:
        """Return formation energies and energies above hull (eV/atom), and lowest phonons (THz), of the given rows."""
        by_row = {row.row: row for row in self.rows}
        selection = [by_row[row] for row in rows]
        quantities = (Quantity.ABOVE_HULL, Quantity.FORMATION, Quantity.LOWEST_PHONON)
        columns = {c.name: [row.energy(c) for row in selection] for c in self.table.columns if c.quantity in quantities}
        inputs = dict.fromkeys(name for row in self.rows for name in row.inputs if name.endswith(f"[{UNIT}]"))
        for name in inputs:
            if Quantity.FORMATION in name or Quantity.ABOVE_HULL in name:
                columns[f"{INPUT}{name}"] = [row.inputs.get(name, math.nan) for row in selection]
        arrays = {name: np.array(values, dtype=float) for name, values in columns.items()}
        return {name: values for name, values in arrays.items() if np.isfinite(values).any()}


def _cell(structure: Structure, group: int | None) -> ConventionalCell:
    """Return the conventional cell; a file that crystalgfn wrote already holds that cell."""
    if not group:
        return conventional_cell(structure)
    counts = {int(z): int(n) for z, n in zip(*np.unique(structure.atomic_numbers, return_counts=True), strict=True)}
    a, b, c, alpha, beta, gamma = (float(x) for x in structure.lattice.parameters)
    return ConventionalCell(int(group), counts, (a, b, c, alpha, beta, gamma), ())


def _with_sites(cell: ConventionalCell, structure: Structure) -> ConventionalCell:
    """Return the conventional cell with its occupied positions; where symmetry is found anew and differs, that cell."""
    with quiet():
        found = cell if cell.wyckoff else conventional_cell(structure)
    same = (found.space_group, found.counts) == (cell.space_group, cell.counts)
    return replace(cell, wyckoff=found.wyckoff) if same else found


def is_structures(path: Path) -> bool:
    """Return whether a folder holds structures: a table of candidates, or CIF files."""
    return path.is_dir() and ((path / TABLE).is_file() or next(cif_files(path), None) is not None)


def cif_files(folder: Path) -> Iterator[Path]:
    """Yield the CIF files in a folder, in order of their names."""
    yield from sorted(path for path in folder.iterdir() if path.suffix.lower() == ".cif" and path.is_file())


def read_candidates(path: str | Path, *, trust: bool = False) -> Candidates:
    """Read a folder of structures.

    Args:
        path: a folder that ``crystalgfn structures`` wrote, or a folder of CIF files of any origin.
        trust: whether its files may be links that lead out of the folder.

    Raises:
        DataError: the folder holds neither.
    """
    path = Path(path)
    if not is_structures(path):
        raise DataError(f"{path}: holds neither {TABLE} nor .cif files, allowed: a folder with one of them")
    with opened(path, trust=trust):
        return _read_run(path) if (path / TABLE).is_file() else _read_cifs(path)


def _read_run(path: Path) -> Candidates:
    table = CandidateTable.read(path / TABLE)
    try:
        manifest = read_json(path / MANIFEST, dict[str, Any])
    except DataError:
        manifest = {"written by": "crystalgfn structures"}
    structures, cifs, broken = {}, {}, {}
    for row in track(table.rows, len(table), "reading", "structures"):
        if not row.cif:
            continue
        try:
            structures[row.row], cifs[row.row] = read_cif(_inside(path, row.cif))
        except (DataError, TrustError) as error:
            broken[row.cif] = str(error)
    return Candidates(path.name, table, structures, cifs, broken, manifest)


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a file that a table names; it must lie inside the table's folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DataError("outside the folder")
    return path


def _read_cifs(path: Path) -> Candidates:
    """Read a folder of CIF files of any origin: each file is a candidate as it stands, without energies."""
    rows: list[Row] = []
    structures, cifs, broken = {}, {}, {}
    files = list(cif_files(path))
    for file in track(files, len(files), "reading", "structures"):
        for name, crystal in read_cifs(file).items():
            number = len(rows)
            try:
                row, structures[number] = _measured(Row(row=number, cif=name), crystal)
                cifs[number] = crystal.text
            except DataError as error:
                broken[name] = str(error)
                row = Row(row=number, formula=Path(name).stem, reason=str(error), cif=name)
            rows.append(row)
    groups = duplicate_groups(list(structures.values()))
    for number, group in zip(structures, groups, strict=True):
        rows[number] = replace(rows[number], match_group=list(structures)[group])
    return Candidates(path.name, CandidateTable(tuple(rows)), structures, cifs, broken)


def _measured(row: Row, crystal: CifCrystal) -> tuple[Row, Structure]:
    """Return the row of a crystal that was read, and its structure."""
    structure = crystal.structure
    if structure is None:
        raise DataError(crystal.reason)
    with quiet():
        cell = conventional_cell(structure)
        cdvae, lemat = bool(cdvae_valid(structure)), bool(lemat_valid(structure))
    row = replace(
        row,
        formula=structure.composition.reduced_formula,
        status=Status.RELAXED,
        space_group=cell.space_group,
        space_group_asked=cell.space_group,
        volume_per_atom=structure.volume / len(structure),
        density=float(structure.density),
        cdvae_valid=cdvae,
        lemat_valid=lemat,
    )
    return row, structure


def read_cif(path: Path) -> tuple[Structure, str]:
    """Read a structure and the text of its file.

    Raises:
        DataError: the file cannot be read, contradicts itself or holds several crystals; see
            :func:`crystalgfn.crystallography.cif.read.read_structure`.
        TrustError: it lies outside of the folder that is read.
    """
    text = read_text(path)
    with quiet():
        return read_structure(text), text


def read_cifs(path: Path) -> dict[str, CifCrystal]:
    """Read all crystals of a file by name: that of the file, and of the data block where there are several.

    A file or data block that cannot be read is a crystal without a structure, with the reason.
    """
    try:
        with quiet():
            crystals = read_structures(read_text(path))
    except (DataError, TrustError) as error:
        crystals = [CifCrystal("", "", None, str(error))]
    if len(crystals) == 1:
        return {path.name: crystals[0]}
    named = {}
    for number, crystal in enumerate(crystals, 1):
        name = f"{path.name}#{crystal.name or number}"
        named[name if name not in named else f"{name}-{number}"] = crystal
    return named
