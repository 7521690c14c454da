"""Relaxed candidates as rows to train a property model on: they close the loop from proposal to data.

The label is the potential's formation energy, not DFT's, and the name of the source says so. Beside each relaxed
crystal stand structures of higher energy: the crystal as it was placed, in the proposed space group and lattice; the
crystal relaxed within that group, where the free relaxation lost the group; and copies with other volumes and unchanged
fractional coordinates. A model trained on relaxed crystals alone does not know what a wrong cell or group costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.datasets.scale import EnergyScale
from crystalgfn.datasets.schema import Entry
from crystalgfn.errors import DataError
from crystalgfn.files.reading import read_json, shaped
from crystalgfn.files.trust import opened
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.folder import MANIFEST, RunFolder
from crystalgfn.structures.candidates.schema import Quantity, Row, Status
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.potentials.registry import load_potential
from crystalgfn.structures.relaxing.volumes import scaled
from crystalgfn.structures.sanity import MIN_DISTANCE_RATIO, distance_ratio

if TYPE_CHECKING:
    from pymatgen.core import Structure

TARGET = "formation_energy_per_atom"
SCALED, PLACED = "scaled", "placed"
"""Ends of the cells ``source`` of structures that are not relaxed."""

VOLUMES = (0.7, 0.85, 1.2, 1.5)
"""Volumes of the scaled copies, as multiples of the relaxed volume."""


@dataclass(frozen=True)
class _Tools:
    """What a manifest says of the potential."""

    potential: str
    references: str | None = None


class CandidateFolder:
    """The relaxed candidates of a folder that ``crystalgfn structures`` wrote, by default without flagged ones.

    Args:
        path: the folder.
        volumes: volumes of the scaled copies of each candidate, as multiples of the relaxed volume; may be empty.
        flagged: include candidates that sanity checks flag as doubtful.
        trust: whether the folder may name a potential as ``module:factory``, and files outside the folder.

    Raises:
        DataError: no such folder, or a folder without relaxed candidates.
        TrustError: a folder that is not trusted names a module, or a file outside the folder; :meth:`entries` raises
            it too.
    """

    extra_labels: tuple[str, ...] = ()

    def __init__(
        self, path: str | Path, *, volumes: tuple[float, ...] = VOLUMES, flagged: bool = False, trust: bool = False
    ) -> None:
        self.path, self.volumes, self._trust = Path(path), volumes, trust
        try:
            with opened(self.path, trust=trust):
                self._manifest = read_json(self.path / MANIFEST, dict[str, Any])
        except DataError as error:
            raise DataError(f"{path}: no folder of candidates ({error}), allowed: what structures wrote") from None
        self._folder = RunFolder(self.path, self._manifest, resume=True, trust=trust)
        usable = (c for c in self._folder.candidates() if self._usable(c, flagged))
        self._plan = [(c.row.row, kind) for c in usable for kind in self._kinds(c)]
        if not self._plan:
            raise DataError(f"{path}: no relaxed candidate with a formation energy, allowed: 1 or more")
        self._potential: Potential | None = None
        table = CandidateTable(tuple(self._folder.rows()))
        formation = EnergyScale(*(table.formation.potential,) * 2) if table.formation else EnergyScale()
        self.methods: Mapping[str, str] = {
            TARGET: str(formation),
            "e_above_hull": str(replace(formation, hull=table.hull)),
        }

    def _usable(self, candidate: Candidate, flagged: bool) -> bool:
        row = candidate.row
        relaxed = row.status is Status.RELAXED and candidate.structure is not None
        return relaxed and math.isfinite(_formation(row)) and (flagged or not row.flags)

    def _kinds(self, candidate: Candidate) -> list[str]:
        intermediates = [name for name in ("symmetric", PLACED) if name in candidate.intermediates]
        return ["relaxed", *intermediates, *(f"x{factor:g}" for factor in self.volumes)]

    def __len__(self) -> int:
        return len(self._plan)

    def identity(self) -> dict[str, Any]:
        """Return the values that determine the entries."""
        return {"source": "candidates", "plan": [f"{row} {kind}" for row, kind in self._plan], **self._manifest}

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield the rows of each candidate, from position ``start`` on.

        Structures whose atoms are closer than the distance check allows, or that the potential refuses, get no label
        and fail with a reason: the potential cannot be trusted there.
        """
        for row, group in groupby(self._plan[start:], key=itemgetter(0)):
            yield from self._entries_of(self._folder.read(row), [kind for _, kind in group])

    def _entries_of(self, candidate: Candidate, kinds: list[str]) -> Iterator[Entry]:
        row, relaxed, potential = candidate.row, candidate.structure, self._load_potential()
        if relaxed is None:
            return
        structures = {"relaxed": relaxed, **candidate.intermediates}
        structures |= {f"x{factor:g}": scaled(relaxed, factor) for factor in self.volumes}
        unlabelled = [kind for kind in kinds if kind != "relaxed"]
        energies = dict(zip(unlabelled, potential.energies([structures[kind] for kind in unlabelled]), strict=True))
        for kind in kinds:
            structure, name = structures[kind], f"{self.path.name}-{row.row:08d}"
            if kind == "relaxed":
                labels = {TARGET: _formation(row), "e_above_hull": row.energy(CandidateTable((row,)).above_hull)}
                yield Entry(name, potential.name, _as_is(structure), labels)
                continue
            formation = potential.formation_energy(structure, float(energies[kind]))
            reason = formation.reason
            if distance_ratio(structure) < MIN_DISTANCE_RATIO:
                reason = f"{kind}: atoms too near"
            source = f"{potential.name} {SCALED if kind not in candidate.intermediates else kind}"
            load = _fails(reason) if reason else _as_is(structure)
            yield Entry(f"{name}-{kind}", source, load, {TARGET: formation.value})

    def _load_potential(self) -> Potential:
        if self._potential is None:
            names = shaped(self._manifest, _Tools, f"{self.path / MANIFEST}")
            with opened(self.path, trust=self._trust):
                self._potential = load_potential(names.potential, references=names.references)
        return self._potential


def _formation(row: Row) -> float:
    return row.energy(CandidateTable((row,)).energy(Quantity.FORMATION))


def _as_is(structure: Structure) -> Callable[[], Structure]:
    return lambda: structure


def _fails(reason: str) -> Callable[[], Structure]:
    def load() -> Structure:
        raise DataError(reason)

    return load
