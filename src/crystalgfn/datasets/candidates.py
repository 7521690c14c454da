"""Candidates that were relaxed, as rows to train a property model on: what closes the loop from proposal to data.

The label is the potential's formation energy, not DFT's, and the name of the source says so. Beside each relaxed
crystal stand copies with other volumes and unchanged fractional coordinates, which are off the hull: a model that has
seen relaxed crystals alone does not know what a wrong volume costs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.datasets.schema import Entry
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates import RELAXED, Candidate
from crystalgfn.structures.folder import MANIFEST, RunFolder
from crystalgfn.structures.gates import MIN_DISTANCE_RATIO, distance_ratio
from crystalgfn.structures.potentials import Potential, load_potential
from crystalgfn.structures.relax import scaled

if TYPE_CHECKING:
    from pymatgen.core import Structure

VOLUMES = (0.7, 0.85, 1.2, 1.5)
"""Volumes of the copies over the relaxed one."""


class CandidateFolder:
    """The relaxed candidates of a folder that ``crystalgfn structures`` wrote, without those that are flagged.

    Args:
        path: the folder.
        volumes: copies of each, as factors of the relaxed volume; none for relaxed crystals alone.
        flagged: take what the gates find doubtful as well.

    Raises:
        DataError: no such folder, or one without relaxed candidates.
    """

    kept: tuple[str, ...] = ()

    def __init__(self, path: str | Path, *, volumes: tuple[float, ...] = VOLUMES, flagged: bool = False) -> None:
        self.path, self.volumes = Path(path), volumes
        try:
            manifest = json.loads((self.path / MANIFEST).read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: no folder of candidates ({error}), allowed: what structures wrote") from None
        self._manifest: dict[str, Any] = manifest
        self._folder = RunFolder(self.path, manifest, resume=True)
        self._rows = [c.row["row"] for c in self._folder.candidates() if self._usable(c, flagged)]
        if not self._rows:
            raise DataError(f"{path}: no relaxed candidate with a formation energy, allowed: 1 or more")
        self._potential: Potential | None = None

    def _usable(self, candidate: Candidate, flagged: bool) -> bool:
        row = candidate.row
        relaxed = row["status"] == RELAXED and candidate.structure is not None
        return relaxed and math.isfinite(_formation(row)) and (flagged or not row.get("flags"))

    def __len__(self) -> int:
        return len(self._rows) * (1 + len(self.volumes))

    def identity(self) -> dict[str, Any]:
        """Return what the entries depend on."""
        return {"source": "candidates", "rows": self._rows, "volumes": list(self.volumes), **self._manifest}

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield each relaxed crystal and then its copies, from position ``start`` on.

        Copies whose atoms come nearer than the distance gate allows, or that the potential refuses, have no label and
        fail with a reason: a potential is not to be believed there.
        """
        each = 1 + len(self.volumes)
        for index in range(start // each, len(self._rows)):
            skip = start - index * each if index == start // each else 0
            yield from list(self._of(self._folder.read(self._rows[index])))[skip:]

    def _of(self, candidate: Candidate) -> Iterator[Entry]:
        row, relaxed = candidate.row, candidate.structure
        if relaxed is None:
            return
        potential, name = self._load(), f"{self.path.name}-{row['row']:08d}"
        above = row.get(f"e_above_hull_{potential.name} [eV/atom]")
        labels = {"formation_energy_per_atom": _formation(row), "e_above_hull": above}
        yield Entry(name, potential.name, _as_is(relaxed), labels)
        copies = [scaled(relaxed, factor) for factor in self.volumes]
        for factor, copy, energy in zip(self.volumes, copies, potential.energies(copies), strict=True):
            found = potential.formation_energy(copy, float(energy))
            reason = found.reason
            if distance_ratio(copy) < MIN_DISTANCE_RATIO:
                reason = f"atoms too near at {factor:g} of the volume"
            load = _fails(reason) if reason else _as_is(copy)
            yield Entry(
                f"{name}-x{factor:g}", f"{potential.name} scaled", load, {"formation_energy_per_atom": found.value}
            )

    def _load(self) -> Potential:
        if self._potential is None:
            self._potential = load_potential(self._manifest["potential"], references=self._manifest["references"])
        return self._potential


def _formation(row: dict[str, Any]) -> float:
    for name, value in row.items():
        if name.startswith("formation_energy_"):
            return float(value)
    return math.nan


def _as_is(structure: Structure) -> Callable[[], Structure]:
    return lambda: structure


def _fails(reason: str) -> Callable[[], Structure]:
    def load() -> Structure:
        raise DataError(reason)

    return load
