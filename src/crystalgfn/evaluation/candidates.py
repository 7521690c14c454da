"""Structures to evaluate: a folder that ``crystalgfn structures`` wrote, or any folder of CIF files.

A file that cannot be read never stops the others: it is named with the reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets.standardise import ConventionalCell, conventional_cell
from crystalgfn.errors import DataError
from crystalgfn.progress import track
from crystalgfn.structures.candidates.candidate import RELAXED
from crystalgfn.structures.candidates.duplicates import duplicate_groups
from crystalgfn.structures.candidates.folder import MANIFEST
from crystalgfn.structures.candidates.table import read_rows
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.sanity import cdvae_valid, lemat_valid

if TYPE_CHECKING:
    from pymatgen.core import Structure

TABLE = "structures.parquet"


@dataclass(frozen=True)
class Candidates:
    """Structures and what is known of them.

    Attributes:
        name: of the folder.
        rows: of :mod:`crystalgfn.structures.candidates.table`, one a crystal that was handed in.
        structures: by row, those that could be read; conventional cells where crystalgfn wrote them.
        cifs: text of their files, by row.
        broken: reason by file, of those that could not be read.
        manifest: how they were made, where that is known.
    """

    name: str
    rows: list[dict[str, Any]]
    structures: dict[int, Structure]
    cifs: dict[int, str]
    broken: dict[str, str] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def crystals(self) -> tuple[Crystals, list[int]]:
        """Return the structures as crystals (K,) in conventional cells, and the row of each."""
        cells, rows = [], []
        for row in self.rows:
            structure = self.structures.get(row["row"])
            if structure is None:
                continue
            try:
                cells.append(_cell(structure, row if self.manifest else {}))
            except DataError:
                continue
            rows.append(row["row"])
        elements = sorted({z for cell in cells for z in cell.counts})
        return Crystals(
            elements=tuple(elements),
            space_group=np.array([cell.space_group for cell in cells], dtype=np.int64),  # type: ignore[arg-type]
            counts=np.array(  # type: ignore[arg-type]
                [[cell.counts.get(z, 0) for z in elements] for cell in cells], dtype=np.int64
            ).reshape(len(cells), len(elements)),
            lattice=np.array([cell.lattice for cell in cells], dtype=float).reshape(-1, 6),  # type: ignore[arg-type]
            columns=self._energies(rows),
        ), rows

    def _energies(self, rows: list[int]) -> dict[str, np.ndarray]:
        """Columns of formation energies and energies above hull, eV/atom, of the given rows."""
        by_row = {row["row"]: row for row in self.rows}
        names = [name for name in (self.rows[0] if self.rows else {}) if name.endswith("[eV/atom]")]
        kept = [name for name in names if "formation_energy" in name or "e_above_hull" in name]
        found = {}
        for name in kept:
            values = np.array([_number(by_row[row].get(name)) for row in rows], dtype=float)
            if np.isfinite(values).any():
                found[name] = values
        return found


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _cell(structure: Structure, row: dict[str, Any]) -> ConventionalCell:
    """The conventional cell; a file that crystalgfn wrote holds it already."""
    group = row.get("space_group")
    if not group:
        return conventional_cell(structure)
    counts = {int(z): int(n) for z, n in zip(*np.unique(structure.atomic_numbers, return_counts=True), strict=True)}
    a, b, c, alpha, beta, gamma = (float(x) for x in structure.lattice.parameters)
    return ConventionalCell(int(group), counts, (a, b, c, alpha, beta, gamma), ())


def is_structures(path: Path) -> bool:
    """Whether a folder holds structures: a table of candidates, or CIF files."""
    return path.is_dir() and ((path / TABLE).is_file() or next(cif_files(path), None) is not None)


def cif_files(folder: Path) -> Iterator[Path]:
    """Yield the CIF files in a folder, in order of their names."""
    yield from sorted(path for path in folder.iterdir() if path.suffix.lower() == ".cif" and path.is_file())


def read_candidates(path: str | Path) -> Candidates:
    """Read a folder of structures.

    Args:
        path: what ``crystalgfn structures`` wrote, or a folder of CIF files of any origin.

    Raises:
        DataError: neither of them.
    """
    path = Path(path)
    if not is_structures(path):
        raise DataError(f"{path}: holds neither {TABLE} nor .cif files, allowed: a folder with one of them")
    return _read_run(path) if (path / TABLE).is_file() else _read_cifs(path)


def _read_run(path: Path) -> Candidates:
    rows = read_rows(path / TABLE)
    absent = [name for name in ("row", "formula", "status") if rows and name not in rows[0]]
    if absent:
        raise DataError(f"{path / TABLE}: no column {absent[0]!r}, allowed: a table that crystalgfn structures wrote")
    try:
        manifest = json.loads((path / MANIFEST).read_text())
    except (OSError, ValueError):
        manifest = {"written by": "crystalgfn structures"}
    structures, cifs, broken = {}, {}, {}
    for row in track(rows, len(rows), "reading", "structures"):
        if not row.get("cif"):
            continue
        try:
            structures[row["row"]], cifs[row["row"]] = read_cif(_inside(path, row["cif"]))
        except DataError as error:
            broken[str(row["cif"])] = str(error)
    return Candidates(path.name, rows, structures, cifs, broken, manifest)


def _inside(folder: Path, name: str) -> Path:
    """A file that a table names, which must lie in its folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DataError("outside the folder")
    return path


def _read_cifs(path: Path) -> Candidates:
    """Any folder of CIF files: each is a candidate as it stands, without energies."""
    rows: list[dict[str, Any]] = []
    structures, cifs, broken = {}, {}, {}
    files = list(cif_files(path))
    for number, file in enumerate(track(files, len(files), "reading", "structures")):
        row: dict[str, Any] = {"row": number, "formula": file.stem, "status": "failed", "reason": "", "cif": file.name}
        rows.append(row)
        try:
            structure, text = read_cif(file)
            with quiet():
                cell = conventional_cell(structure)
        except DataError as error:
            row["reason"] = broken[file.name] = str(error)
            continue
        structures[number], cifs[number] = structure, text
        row |= {
            "formula": structure.composition.reduced_formula,
            "status": RELAXED,
            "space_group": cell.space_group,
            "space_group_asked": cell.space_group,
            "volume_per_atom [A^3]": structure.volume / len(structure),
            "density [g/cm^3]": float(structure.density),
        }
        with quiet():
            row |= {"cdvae_valid": bool(cdvae_valid(structure)), "lemat_valid": bool(lemat_valid(structure))}
    held = list(structures)
    for row_number, group in zip(held, duplicate_groups([structures[i] for i in held]), strict=True):
        rows[row_number]["match_group"] = held[group]
    return Candidates(path.name, rows, structures, cifs, broken)


def read_cif(path: Path) -> tuple[Structure, str]:
    """Read a structure with its text.

    Raises:
        DataError: whatever is wrong with it.
    """
    from pymatgen.io.cif import CifParser

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        with quiet():
            structure = CifParser.from_str(text, occupancy_tolerance=1.01).parse_structures(primitive=False)[0]
    except Exception as error:  # parsers fail in many ways, and no file may stop the others
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"cannot be read ({type(error).__name__}: {reason})") from None
    if not structure.is_ordered or any(getattr(site.specie, "symbol", None) not in SYMBOLS[1:] for site in structure):
        raise DataError("disordered, or sites that are no element")
    return structure, text
