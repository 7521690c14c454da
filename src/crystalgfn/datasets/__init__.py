"""Import of real crystals: MatBench, the Materials Project, CSV files and VASP runs become one kind of table.

An import reads a :class:`~crystalgfn.datasets.schema.Source` entry by entry, finds each crystal's conventional cell and
writes it; entries that fail are counted and named, and never stop the import. It streams, and continues after a kill.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from crystalgfn import __version__
from crystalgfn.crystallography.lattices import LATTICE_PARAMETERS
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.symmetry import search as symmetry_search
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.tables import PartWriter, files
from crystalgfn.crystals.tables.rows import from_table
from crystalgfn.datasets.schema import LABELS, CheckedSource, Entry, Source, table_schema
from crystalgfn.datasets.standardise import SYMPREC_A, ConventionalCell, conventional_cell
from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_atomically
from crystalgfn.progress import progress_bar

CHUNK = 1_000
"""Entries in a part: the most work that a kill can cost."""


@dataclass(frozen=True)
class ImportReport:
    """Result of an import.

    Attributes:
        path: the table.
        written: number of crystals in the table.
        failures: (material_id, reason) of every entry that is not in the table.
        failures_path: CSV file that lists the failures; None if every entry was imported.
        notes: what of the source is not in the table, or otherwise.
    """

    path: Path
    written: int
    failures: tuple[tuple[str, str], ...]
    failures_path: Path | None
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return one paragraph for a person."""
        text = "; ".join([f"wrote {self.written:,} crystals to {self.path}", *self.notes])
        if not self.failures:
            return text
        kinds = Counter(reason.split(":")[0] for _, reason in self.failures).most_common(5)
        reasons = ", ".join(f"{times:,} {kind}" for kind, times in kinds)
        names = ", ".join(name for name, _ in self.failures[:5])
        more = ", ..." if len(self.failures) > 5 else ""
        failures = f"{len(self.failures):,} failed ({reasons}): {names}{more}"
        return f"{text}; {failures}; all with reasons in {self.failures_path}"


def check_output(path: Path) -> None:
    """Refuse an output path that cannot be written, before anything is downloaded.

    Raises:
        DataError: wrong ending, or a missing folder.
    """
    files.suffix_of(path)
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {str(path.parent)!r}, allowed: an existing one")


def import_source(source: Source, path: Path, *, restart: bool = False, chunk: int = CHUNK) -> ImportReport:
    """Write the crystals of a source into a table with the columns of :func:`~.schema.table_schema`.

    Args:
        source: the entries.
        path: ``.parquet`` or ``.csv``; beside it ``NAME.failures.csv`` lists what failed.
        restart: begin again instead of continuing an interrupted import.
        chunk: entries in a part.

    Raises:
        DataError: the table cannot be written, an interrupted import of something else is in the way, or not one
            entry could be imported.
    """
    methods: Mapping[str, str] = getattr(source, "methods", {})
    manifest = {**source.identity(), "entries": len(source), "chunk": chunk, "tolerances_A": list(SYMPREC_A)}
    manifest["versions"] = {"crystalgfn": __version__, "moyopy": symmetry_search.VERSION}
    with _quiet(), PartWriter(path, manifest=manifest, restart=restart) as writer:
        start = writer.parts * chunk
        with progress_bar(len(source), "finding conventional cells", "structures") as bar:
            bar.advance(min(start, len(source)))
            entries = source.entries(start)
            while batch := list(itertools.islice(entries, chunk)):
                failures: list[tuple[str, str]] = []
                cells = list(_cells(batch, failures))
                table = _to_table(cells, source.extra_labels, methods)
                if isinstance(source, CheckedSource):
                    positions = {id(entry): start + i for i, entry in enumerate(batch)}
                    source.check(table, [positions[id(entry)] for entry, _ in cells])
                table = _valid_rows(table, failures)
                start += len(batch)
                writer.write(table, notes=failures)
                bar.advance(len(batch))
        written = writer.rows
        all_failures = tuple((str(name), str(reason)) for notes in writer.notes() for name, reason in notes)
        if not written:
            reason = f"; the first, {all_failures[0][0]}: {all_failures[0][1]}" if all_failures else ""
            writer.discard()
            raise DataError(f"none of {len(source)} entries could be imported{reason}")
        failures_path = _write_failures(path, all_failures)
    return ImportReport(path, written, all_failures, failures_path, tuple(getattr(source, "notes", ())))


def _cells(batch: list[Entry], failures: list[tuple[str, str]]) -> Iterator[tuple[Entry, ConventionalCell]]:
    """Yield the entries whose conventional cell was found; add the others to ``failures``."""
    for entry in batch:
        try:
            yield entry, conventional_cell(entry.load())
        except DataError as error:
            failures.append((entry.material_id, str(error)))
        except MemoryError:
            raise
        except Exception as error:  # whatever the reader of this one entry raises
            reason = " ".join(str(error).split())[:300]
            failures.append((entry.material_id, f"{type(error).__name__}: {reason}"))


def _to_table(
    cells: list[tuple[Entry, ConventionalCell]], extra_labels: tuple[str, ...], methods: Mapping[str, str]
) -> pa.Table:
    elements = sorted({z for _, cell in cells for z in cell.counts})
    counts = [[cell.counts.get(z, 0) for z in elements] for _, cell in cells]
    crystals = Crystals(
        elements=tuple(elements),
        space_group=torch.tensor([cell.space_group for _, cell in cells], dtype=torch.int64),
        counts=torch.tensor(counts, dtype=torch.int64).reshape(len(cells), len(elements)),
        lattice=torch.tensor([cell.lattice for _, cell in cells], dtype=torch.float64).reshape(len(cells), 6),
    )
    n_atoms = crystals.n_atoms.numpy()
    columns: dict[str, object] = {
        "material_id": [entry.material_id for entry, _ in cells],
        "source": [entry.source for entry, _ in cells],
        "formula": crystals.formulas,
        "elements": crystals.elements_json,
        "spacegroup": crystals.space_group.numpy(),
        **{name: crystals.lattice[:, column].numpy() for column, name in enumerate(LATTICE_PARAMETERS)},
        "n_atoms": n_atoms,
        "n_atoms_primitive": n_atoms // CENTERING_MULTIPLICITY[crystals.space_group.numpy()],
        "volume": crystals.volume.numpy(),
        "density": crystals.density.numpy(),
        "wyckoff": [json.dumps(cell.wyckoff) for _, cell in cells],
        **{name: _label(cells, name) for name in (*LABELS, *extra_labels)},
    }
    schema = table_schema(extra_labels, methods)
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _label(cells: list[tuple[Entry, ConventionalCell]], name: str) -> np.ndarray:
    """Return the values (B,) of a label, float64, NaN where they are missing."""
    values = (entry.labels.get(name) for entry, _ in cells)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _valid_rows(table: pa.Table, failures: list[tuple[str, str]]) -> pa.Table:
    """Drop rows that a reader of the table would refuse; add them to ``failures`` with the reader's reason."""
    with contextlib.suppress(DataError):
        from_table(table, "table")
        return table
    rows = []
    for row in range(table.num_rows):
        try:
            from_table(table.slice(row, 1), table["material_id"][row].as_py())
            rows.append(row)
        except DataError as error:
            failures.append((table["material_id"][row].as_py(), f"impossible crystal: {error}"))
    return table.take(pa.array(rows, pa.int64()))


def _write_failures(path: Path, failures: tuple[tuple[str, str], ...]) -> Path | None:
    failures_path = path.with_name(f"{path.stem}.failures.csv")
    if not failures:
        failures_path.unlink(missing_ok=True)
        return None
    names, reasons = zip(*failures, strict=True)
    table = pa.table({"material_id": pa.array(names, pa.string()), "reason": pa.array(reasons, pa.string())})
    with write_atomically(failures_path) as stream:
        files.write_csv(iter([table]), stream)
    return failures_path


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the warnings that pymatgen and moyo have for every tenth structure off the terminal."""
    logger = logging.getLogger("moyo")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
