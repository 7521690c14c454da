"""The folder that ``crystalgfn structures`` writes; finished candidates are on disk, so that a killed run can go on.

DIR/manifest.json          crystals, tools and settings of the run; it cannot go on with others
DIR/parts/00000012.json    the candidate of row 12, written whole or not at all
DIR/cif/00000012_MgO_225.cif
DIR/structures.parquet, structures.csv     a row for each candidate; written now and then, and at the end
DIR/all.extxyz             a frame for each structure; written last, so that a folder with it is finished
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from crystalgfn.errors import DataError
from crystalgfn.files.atomic import sweep, write_json, write_text
from crystalgfn.files.folders import open_folder, work_folder
from crystalgfn.files.locks import in_use
from crystalgfn.files.reading import read_json
from crystalgfn.files.trust import opened
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.exporting import export, exported
from crystalgfn.structures.candidates.manifest import MANIFEST
from crystalgfn.structures.candidates.matching import match_structures
from crystalgfn.structures.candidates.parts import Part, PlainPoint, PlainStructure
from crystalgfn.structures.candidates.schema import PotentialColumn, Row
from crystalgfn.structures.candidates.table import TABLE, CandidateTable, write_tables
from crystalgfn.structures.export.formats import FORMATS, Written, write_together
from crystalgfn.structures.quiet import quiet

PARTS, LAST = "parts", "all.extxyz"

Opening = Callable[[], tuple[Mapping[str, Any], Collection[str]]]
"""Returns the manifest of a run, and the keys that may change when it goes on."""

_PART = re.compile(r"[0-9]{8,18}\.json")


class RunFolder:
    """Candidates on disk.

    Args:
        path: the folder; created if it is missing.
        manifest: crystals, tools and settings of the run.
        resume: go on with the run that the folder holds.
        may_change: keys of the manifest that may differ from that of the run.
        trust: whether files in the folder may be links that lead out of it.

    Raises:
        DataError: without ``resume``, the folder holds a run already; with it, a run with another manifest.
    """

    def __init__(
        self,
        path: str | Path,
        manifest: Mapping[str, Any],
        *,
        resume: bool,
        may_change: Collection[str] = (),
        trust: bool = False,
    ) -> None:
        self.path, self._trust = Path(path), trust
        with opened(self.path, trust=trust):
            open_folder(self.path, MANIFEST, manifest, resume=resume, may_change=may_change)
        for name in (PARTS, *(suffix for suffix, form in FORMATS.items() if not form.together)):
            work_folder(self.path / name)

    @classmethod
    @contextmanager
    def in_use(cls, path: str | Path, opening: Opening, *, resume: bool, trust: bool = False) -> Iterator[RunFolder]:
        """Hold a folder while the block runs: locked, opened, and without what killed writers left.

        Args:
            path: the folder; created if it is missing, and removed again if it stays empty.
            opening: returns the manifest, and the keys of it that may differ from that of the run that the folder
                holds. It is called when the folder is locked, so that what it reads there holds for the whole block.
            resume: see the class.
            trust: see the class.

        Raises:
            DataError: another process works in the folder, see :class:`~crystalgfn.files.locks.Lock`; or as for the
                class.
        """
        with in_use(Path(path)):
            manifest, may_change = opening()
            folder = cls(path, manifest, resume=resume, may_change=may_change, trust=trust)
            sweep(folder.path)
            yield folder

    @classmethod
    def existing(cls, path: str | Path, *, trust: bool = False) -> RunFolder:
        """The folder of a finished run; errors as for :func:`read_manifest`."""
        return cls(path, read_manifest(path, trust=trust), resume=True, trust=trust)

    def done(self) -> set[int]:
        """Return the rows whose candidates are written."""
        return {int(path.stem) for path in (self.path / PARTS).glob("*.json") if _PART.fullmatch(path.name)}

    def write(self, candidate: Candidate) -> None:
        """Write the files of a candidate, then its part: where the part is on disk, all files are."""
        row, structure = candidate.row, candidate.structure
        part = Part(symprec=candidate.symprec, row={})
        if structure is not None:
            name = f"{row.row:08d}_{row.formula}_{row.space_group or 0}"
            row = replace(row, cif=f"cif/{name}.cif")
            for suffix, form in FORMATS.items():
                if not form.together:
                    with quiet():
                        text = form.text(exported(replace(candidate, row=row)))
                    write_text(self.path / suffix / f"{name}.{suffix}", text)
            stages = {name: PlainStructure.of(other) for name, other in candidate.intermediates.items()}
            point = None if candidate.point is None else PlainPoint.of(candidate.point)
            plain = PlainStructure.of(structure)
            part = Part(symprec=candidate.symprec, structure=plain, point=point, stages=stages, row={})
        self._write_part(part, row)

    def update(self, row: Row) -> None:
        """Write new cells of a candidate whose files are written; those of its structure stay as they are."""
        self._write_part(self._part(row.row), row)

    def _write_part(self, part: Part, row: Row) -> None:
        content = part.model_dump(exclude={"columns", "row"}, exclude_none=True)
        content["columns"] = {column.name: column.metadata() for column in row.energies}
        content["row"] = row.cells()
        write_json(self.path / PARTS / f"{row.row:08d}.json", content, indent=None)

    def read(self, row: int) -> Candidate:
        """Read the candidate of a row.

        Raises:
            DataError: the row has no candidate, or its file is damaged.
        """
        part = self._part(row)
        try:
            structure = None if part.structure is None else part.structure.build()
            intermediates = {name: other.build() for name, other in part.stages.items()}
            point = None if part.point is None or structure is None else part.point.build(len(structure))
        except DataError as error:
            raise DataError(f"{self._place(row)}: {error}") from None
        return Candidate(self._row(row, part), structure, part.symprec, intermediates, point)

    def rows(self) -> Iterator[Row]:
        """Yield the rows of all candidates in order, without building structures."""
        for row in sorted(self.done()):
            yield self._row(row, self._part(row))

    def _part(self, row: int) -> Part:
        with opened(self.path, trust=self._trust):
            return read_json(self._place(row), Part)

    def _place(self, row: int) -> Path:
        return self.path / PARTS / f"{row:08d}.json"

    def _row(self, row: int, part: Part) -> Row:
        try:
            found = _row(part)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{self._place(row)}: no row ({type(error).__name__}: {error})") from None
        except DataError as error:
            raise DataError(f"{self._place(row)}: {error}") from None
        if found.row != row:
            raise DataError(f"{self._place(row)}: found the candidate of row {found.row}, allowed: that of row {row}")
        return found

    def candidates(self) -> Iterator[Candidate]:
        """Yield all candidates in the order of their rows, with one in memory at a time."""
        for row in sorted(self.done()):
            yield self.read(row)

    def finish(self, reference: Reference | None = None) -> None:
        """Write the files about all candidates: the tables, and one file for each format that puts structures together.

        Args:
            reference: known crystals that the candidates are compared with, or None.
        """
        formulas = {c.row.row: c.structure.composition.reduced_formula for c in self.candidates() if c.structure}
        matches = match_structures(formulas, self._structure, reference)
        self._finish(lambda row: matches[row.row].fill(row) if row.row in matches else row)

    def write_meanwhile(self) -> None:
        """Write the tables of the candidates so far, if any, without duplicates and novelty: the run goes on."""
        (self.path / LAST).unlink(missing_ok=True)
        if self.done():
            write_tables(self.path, self.rows)

    def table(self) -> CandidateTable:
        """Read the table, which holds the duplicates and the novelty too.

        Raises:
            DataError: there is no table yet, or it cannot be read.
        """
        with opened(self.path, trust=self._trust):
            return CandidateTable.read(self.path / TABLE)

    def rewrite(self) -> None:
        """Write these files again after rows have changed, with the duplicates and the novelty that the table holds.

        Raises:
            DataError: there is no table yet, or it cannot be read.
        """
        found = {row.row: row for row in self.table().rows}

        def fill(row: Row) -> Row:
            old = found.get(row.row, row)
            return replace(row, match_group=old.match_group, matches=old.matches, novel=old.novel)

        self._finish(fill)

    def _finish(self, fill: Callable[[Row], Row]) -> None:
        """Write the files about all candidates; ``fill`` adds the cells that compare a row with others."""
        write_tables(self.path, lambda: map(fill, self.rows()))
        for name, form in FORMATS.items():
            if form.together and form.in_folders:
                items = (exported(candidate) for candidate in self.candidates() if candidate.ok)
                write_together(self.path / f"all.{name}", items, form=form)

    def export(self, to: str, path: str | Path, **options: Any) -> Written:
        """Write the best candidates for other programs; see :mod:`crystalgfn.structures.candidates.exporting`."""
        return export(self.table(), self.read, to, path, **options)

    def _structure(self, row: int) -> Any:
        return self.read(row).structure


def read_manifest(path: str | Path, *, trust: bool = False) -> dict[str, Any]:
    """Return the manifest of a folder whose run has come to its end.

    Args:
        path: the folder.
        trust: whether the manifest may be a link that leads out of the folder.

    Raises:
        DataError: the folder has no manifest, or no tables yet.
    """
    path = Path(path)
    try:
        with opened(path, trust=trust):
            manifest = read_json(path / MANIFEST, dict[str, Any])
    except DataError as error:
        raise DataError(f"{path}: no folder of crystalgfn structures ({error})") from None
    if not is_finished(path):
        raise DataError(f"{path}: not finished, allowed: a folder with {LAST}; go on with its run (--resume) first")
    return manifest


def is_finished(path: Path) -> bool:
    """Whether the folder of a run holds what is written at its end."""
    return (path / TABLE).is_file() and (path / LAST).is_file()


def _row(part: Part) -> Row:
    """The row of a part; older parts do not describe their columns, whose names say which energies they hold."""
    cells, descriptions = part.row, part.columns
    hull = str(cells.get("hull") or "")
    columns = {name: PotentialColumn.from_metadata(descriptions.get(name, {})) for name in cells}
    named = {name: column or PotentialColumn.parse(name, hull=hull) for name, column in columns.items()}
    return Row.from_cells(cells, {name: column for name, column in named.items() if column is not None})
