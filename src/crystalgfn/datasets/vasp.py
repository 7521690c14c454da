"""Finished VASP runs as rows with labels by DFT, on the scale of the Materials Project.

A run counts if its electronic and ionic steps converged. Its energy gets the Materials Project's 2020 corrections
(Wang et al., Sci. Rep. 11, 15496 (2021)), which hold for GGA and GGA+U with that project's pseudopotentials and U; any
other run is refused with pymatgen's reason. Folders that ``crystalgfn export --to vasp`` wrote are read by their index,
so that each label keeps the row of its candidate.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.datasets.scale import CORRECTED, UNCORRECTED, VASP, EnergyScale
from crystalgfn.datasets.schema import Entry
from crystalgfn.errors import DataError
from crystalgfn.files.reading import check_file, open_file, read_text
from crystalgfn.files.trust import opened
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.export.input_folders import INDEX
from crystalgfn.structures.export.vasp import RELAX, STATIC
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials.references import References

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.io.vasp import Vasprun

NAMES = ("vasprun.xml", "vasprun.xml.gz")

ENERGY, ROW = "energy_per_atom [eV/atom]", "row"
"""Further columns: the energy with its corrections, and the row of the candidate where an index says it."""

MOST_BYTES = 2 << 30
"""Largest size of a vasprun.xml, unpacked."""

AS_CORRECTED = {"PBE": "GGA", "PBE+U": "GGA+U"}
"""Names of functionals as the corrections know them, where pymatgen reads others from a run."""

_BEGINNING = re.compile(rb"\s*(<\?xml[^>]*\?>)?\s*<modeling>")
"""How VASP begins: no document type, whose entities could name other files."""


@dataclass(frozen=True)
class _Run:
    """A run that is asked for: its name, its folder, its file or None where it is missing, and its candidate's row."""

    name: str
    folder: Path
    file: Path | None
    row: int | None = None


class VaspRuns:
    """Runs of VASP below some folders.

    Args:
        folders: each with an index of ``crystalgfn export --to vasp``, or with runs at any depth.
        hull: hull for energies above it, or None.
        references: energies of the elements, eV/atom; by default those on the Materials Project's scale that ship.
        corrected: apply the Materials Project's corrections; without them, references are needed.
        trust: whether files of a folder may be links that lead out of it.

    Raises:
        DataError: no such folder, a damaged index, no run, or no references for raw energies.
    """

    extra_labels: tuple[str, ...] = (ENERGY, ROW)

    def __init__(
        self,
        folders: Sequence[str | Path],
        *,
        hull: Hull | None = None,
        references: References | None = None,
        corrected: bool = True,
        trust: bool = False,
    ) -> None:
        if references is None and not corrected:
            raise DataError("references: found none for energies without corrections, allowed: a file of your elements")
        self._hull, self._corrected, self._trust = hull, corrected, trust
        self._references = references or References.builtin("chgnet")
        self._runs = [run for folder in map(Path, folders) for run in _find(folder, trust=trust)]
        energy = EnergyScale.vasp(corrected=corrected)
        formation = replace(energy, elements=self._references.potential)
        above = replace(formation, hull=hull.name if hull else "none")
        self.methods: Mapping[str, str] = {
            "formation_energy_per_atom": str(formation),
            "e_above_hull": str(above),
            ENERGY: str(energy),
        }

    def __len__(self) -> int:
        return len(self._runs)

    def identity(self) -> dict[str, Any]:
        """Return the names of the runs, with size and time of their files, and the methods."""
        files = [(run.name, *(() if run.file is None else _stamp(run.file))) for run in self._runs]
        return {"source": "vasp", "runs": [" ".join(map(str, file)) for file in files], **self.methods}

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield the runs from position ``start`` on; what does not count fails with its reason."""
        for run in self._runs[start:]:
            try:
                yield self._entry(run)
            except DataError as error:
                yield Entry(run.name, VASP, _fails(str(error)))

    def _entry(self, run: _Run) -> Entry:
        if run.file is None:
            raise DataError(f"no vasprun.xml: {run.folder} has none yet")
        with opened(run.folder, trust=self._trust):
            done = read_run(run.file)
        entry = done.get_computed_entry(entry_id=run.name)
        if self._corrected:
            entry = _with_corrections(entry)
        structure, energy = done.final_structure, float(entry.energy) / len(done.final_structure)
        formation = self._references.formation_energy(structure, energy)
        if formation.reason:
            raise DataError(f"no formation energy: {formation.reason}")
        counts = structure.composition.get_el_amt_dict()
        above = math.nan if self._hull is None else self._hull.energy_above_hull(counts, formation.value).value
        labels = {"formation_energy_per_atom": formation.value, "e_above_hull": above, ENERGY: energy, ROW: run.row}
        scale = CORRECTED if self._corrected else UNCORRECTED
        return Entry(run.name, f"{VASP} {done.run_type}, {scale}", lambda: structure, labels)


def read_run(path: Path) -> Vasprun:
    """Return a run that converged, as pymatgen reads it.

    Args:
        path: ``vasprun.xml`` or ``vasprun.xml.gz``.

    Raises:
        DataError: the file cannot be read, was not written by VASP, or the run did not converge.
    """
    from pymatgen.io.vasp import Vasprun

    _check_content(path)
    try:
        with quiet():
            run = Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
            electronic, ionic = run.converged_electronic, run.converged_ionic
    except Exception as error:  # whatever pymatgen raises about a file that is damaged, or cut off by a kill
        reason = " ".join(str(error).split())[:150]
        raise DataError(f"unreadable vasprun.xml: {type(error).__name__}: {reason}") from None
    if not electronic:
        raise DataError(f"not converged: the electronic steps reached their limit (NELM {run.parameters['NELM']})")
    if not ionic:
        raise DataError(f"not converged: the ionic steps reached their limit (NSW {run.parameters['NSW']})")
    if not math.isfinite(run.final_energy):
        raise DataError("no total energy in vasprun.xml")
    return run


def _find(folder: Path, *, trust: bool) -> list[_Run]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, allowed: folders of VASP runs")
    with opened(folder, trust=trust):
        indexed = (folder / INDEX).is_file()
        found = list(_indexed(folder) if indexed else _anywhere(folder))
    if not any(run.file for run in found):
        raise DataError(f"{folder}: no vasprun.xml in any folder below, allowed: finished runs of VASP")
    return found


def _indexed(folder: Path) -> Iterator[_Run]:
    """The runs of an index of ``crystalgfn export --to vasp``: of a pair of calculations, the static one."""
    for number, cells in enumerate(csv.DictReader(io.StringIO(read_text(folder / INDEX))), 1):
        name, row = cells.get("folder"), cells.get("row")
        if not (name or cells.get("reason")) or not (row and row.isdecimal()):
            raise DataError(
                f"{folder / INDEX}: row {number}: no folder or no row, allowed: what crystalgfn export wrote"
            )
        if name:
            place = folder / name
            where = place / STATIC if (place / STATIC).is_dir() else place
            yield _Run(f"{folder.name}/{name}", folder, _vasprun(where), int(row))


def _anywhere(folder: Path) -> Iterator[_Run]:
    """All runs below a folder, without relaxations that a static calculation follows."""
    for place in sorted({path.parent for name in NAMES for path in folder.rglob(name)}):
        if not (place.name == RELAX and _vasprun(place.parent / STATIC)):
            yield _Run((Path(folder.name) / place.relative_to(folder)).as_posix(), folder, _vasprun(place))


def _vasprun(folder: Path) -> Path | None:
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _check_content(path: Path) -> None:
    """Refuse what VASP did not write, and what grows too large when it is unpacked."""
    check_file(path, most=MOST_BYTES)
    with open_file(path) as raw:
        stream: Any = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        try:
            if not _BEGINNING.match(stream.read(4096)):
                raise DataError("unreadable vasprun.xml: it does not begin as VASP begins it")
            size = 0
            while path.suffix == ".gz" and (chunk := stream.read(1 << 20)):
                size += len(chunk)
                if size > MOST_BYTES:
                    raise DataError(f"unreadable vasprun.xml: more than {MOST_BYTES:,} bytes when unpacked")
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"unreadable vasprun.xml: {error}") from None


def _with_corrections(entry: Any) -> Any:
    from pymatgen.entries.compatibility import CompatibilityError, MaterialsProject2020Compatibility

    functional = entry.parameters["run_type"]
    entry.parameters["run_type"] = AS_CORRECTED.get(functional, functional)
    try:
        with quiet():
            corrected = MaterialsProject2020Compatibility().process_entry(entry, inplace=False, on_error="raise")
    except CompatibilityError as error:
        raise DataError(f"not on the Materials Project's scale: {str(error).partition(' for {')[0]}") from None
    if corrected is None:
        raise DataError("not on the Materials Project's scale: its corrections do not hold for this run")
    return corrected


def _fails(reason: str) -> Callable[[], Structure]:
    def load() -> Structure:
        raise DataError(reason)

    return load
