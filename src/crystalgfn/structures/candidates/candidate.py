"""Take one crystal from (space group, counts, lattice) to a relaxed structure with its stability.

Nothing in this module raises because of a crystal: its :class:`Candidate` says what went wrong.
"""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.sites import sites_text
from crystalgfn.errors import CrystalGFNError
from crystalgfn.stability.hull import Hull
from crystalgfn.structures import sanity
from crystalgfn.structures.candidates.display import title, view_of
from crystalgfn.structures.candidates.opinions import with_opinion
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row, Status
from crystalgfn.structures.candidates.search import (
    WITHOUT_SYMMETRY,
    PlacedRequest,
    best_of,
    place_request,
    place_without_symmetry,
)
from crystalgfn.structures.candidates.stability import judged
from crystalgfn.structures.export.extxyz import to_atoms
from crystalgfn.structures.placing.placements import Placement
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.relaxation import Relaxation, Relaxed, SinglePoint
from crystalgfn.structures.viewing.html import frame
from crystalgfn.structures.viewing.scene import MOST_ATOMS

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from crystalgfn.structures.placing.prototypes import PrototypeLibrary


@dataclass(frozen=True, repr=False)
class Candidate:
    """A crystal after placing and relaxation.

    Attributes:
        row: the row of the table, with what was measured.
        structure: pymatgen structure of the primitive cell, or None.
        symprec: tolerance (A) at which the structure has the space group of the row.
        intermediates: earlier structures: ``"placed"``, before relaxation, and ``"symmetric"``, relaxed with the
            symmetry kept, where the result is another structure.
        point: the potential's energy, forces and stress of the structure, or None.
    """

    row: Row
    structure: Structure | None = None
    symprec: float = 0.01
    intermediates: Mapping[str, Structure] = field(default_factory=dict)
    point: SinglePoint | None = field(default=None, repr=False, compare=False)

    @property
    def atoms(self) -> Atoms:
        """The structure for ASE, with the potential's energy, forces and stress where they are known.

        Raises:
            CrystalGFNError: there is no structure.
        """
        if self.structure is None:
            raise CrystalGFNError(f"row {self.row.row} has no structure: {self.row.reason}")
        return to_atoms(self.structure, point=self.point)

    @property
    def ok(self) -> bool:
        """Whether there is a structure."""
        return self.structure is not None

    def __repr__(self) -> str:
        return f"Candidate({title(self.row)}, {self.row.status}{self._verdict()})"

    def _repr_html_(self) -> str:
        text = f"<p>{html.escape(title(self.row))}{html.escape(self._verdict())}</p>"
        if self.structure is None or len(self.structure) > MOST_ATOMS:
            return text
        return text + frame([(title(self.row), view_of(self.structure, self.symprec))])

    def _verdict(self) -> str:
        """The energies above hull, else the reason why there is no structure, and the doubts."""
        above = {c.potential: e for c, e in self.row.energies.items() if c.quantity is Quantity.ABOVE_HULL}
        parts = [f"{e:.3f} eV/atom above hull by {name}" for name, e in above.items() if math.isfinite(e)]
        parts += filter(None, (self.row.reason, self.row.flags))
        return "".join(f", {part}" for part in parts)


@dataclass(frozen=True)
class Bench:
    """The loaded tools and the settings for the work on a crystal; a call with a crystal returns its candidate.

    Attributes:
        settings: settings of the search for its structure.
        potential: potential for screening and relaxation; None stops after placing.
        hull: hull to measure stability from; None leaves stability out.
        library: prototypes by which atoms are placed.
        second: another potential that judges the relaxed structure; a disagreement becomes a flag.
        second_below: highest energy above hull (eV/atom) of a structure that is judged; None for any.
        second_hull: hull of the second potential; None where it is the hull of the first.
        cpu_time: clock of the column ``seconds_cpu``; that of the thread where other threads work on other crystals.
    """

    settings: SearchSettings
    potential: Potential | None = None
    hull: Hull | None = None
    library: PrototypeLibrary | None = None
    second: Potential | None = None
    second_below: float | None = None
    second_hull: Hull | None = None
    cpu_time: Callable[[], float] = time.process_time

    def __call__(self, task: Request | PlacedRequest | Candidate) -> Candidate:
        """Return the candidate of a crystal; what is placed or relaxed already is taken from there."""
        wall, cpu = time.monotonic(), self.cpu_time()
        candidate = self._judged(task) if isinstance(task, Candidate) else self._candidate(task)
        seconds = (candidate.row.seconds or 0.0) + time.monotonic() - wall
        seconds_cpu = (candidate.row.seconds_cpu or 0.0) + self.cpu_time() - cpu
        return replace(candidate, row=replace(candidate.row, seconds=seconds, seconds_cpu=seconds_cpu))

    def _judged(self, candidate: Candidate) -> Candidate:
        """The candidate with the second potential's opinion of its structure, if there is a potential to ask."""
        if self.second is None or candidate.structure is None:
            return candidate
        row = with_opinion(
            candidate.row, candidate.structure, self.second, hull=self.second_hull, below=self.second_below
        )
        return replace(candidate, row=row)

    def _candidate(self, task: Request | PlacedRequest) -> Candidate:
        placed = task if isinstance(task, PlacedRequest) else place_request(task, self.settings, self.library)
        row = _initial_row(placed.request, len(placed.placements))
        if not placed.placements:
            return Candidate(replace(row, reason=placed.reason))
        if self.potential is None:
            chosen = placed.placements[0]
            row = replace(_with_placement(row, placed.placements, chosen), space_group=placed.request.space_group)
            return Candidate(replace(_with_geometry(row, chosen.structure), status=Status.PLACED), chosen.structure)
        return self._relaxed(placed, row, self.potential)

    def _relaxed(self, placed: PlacedRequest, row: Row, potential: Potential) -> Candidate:
        request, placements = placed.request, list(placed.placements)
        best, failures = best_of(request, self.settings, potential, placements)
        if best is None and request.sites is None and placements[0].source != WITHOUT_SYMMETRY:
            placements = place_without_symmetry(request, self.settings)
            best, _ = best_of(request, self.settings, potential, placements)
        if best is None:
            return Candidate(replace(row, reason="; ".join(failures)))
        placement, relaxed = best
        formation = potential.formation_energy(relaxed.structure, relaxed.energy)
        row = replace(_with_placement(row, placements, placement), **_columns_of(relaxed))
        row = replace(row, group_kept=relaxed.space_group == request.space_group)
        row = replace(row, energies=_energies(relaxed, potential, formation.value))
        row = _with_geometry(row, relaxed.structure)
        intermediates = {"placed": placement.structure}
        if relaxed.symmetric is not None and relaxed.chosen == "free":
            intermediates["symmetric"] = relaxed.symmetric.structure
        row = replace(row, flags="; ".join(_flags(relaxed, formation.value)), status=Status.RELAXED)
        row = _with_stability(row, relaxed.structure, formation.value, potential, self.hull)
        return self._judged(Candidate(row, relaxed.structure, relaxed.symprec, intermediates, relaxed.point))


def failed(task: Request | PlacedRequest | Candidate, reason: str) -> Candidate:
    """Return the candidate of a crystal that could not be worked on, for example because its process died."""
    if isinstance(task, Candidate):  # it keeps its structure, without a second opinion
        return replace(task, row=replace(task.row, second_opinion=reason))
    request = task.request if isinstance(task, PlacedRequest) else task
    return Candidate(replace(_initial_row(replace(request, inputs={}), 0), reason=reason, seconds=0.0))


def _initial_row(request: Request, placements: int) -> Row:
    return Row(
        row=request.row,
        formula=request.formula,
        counts={SYMBOLS[z]: n for z, n in request.counts.items()},
        space_group_asked=request.space_group,
        initial_placements=placements,
        inputs=request.inputs,
        reward_for=request.reward_for or None,
    )


def _with_placement(row: Row, placements: Sequence[Placement], chosen: Placement) -> Row:
    """Return the row with the placement that its structure comes from."""
    return replace(
        row,
        source=chosen.source,
        placement=next(i for i, placement in enumerate(placements) if placement is chosen),
        wyckoff=sites_text(chosen.assignment),
        free_coordinates=sum(chosen.assignment.degrees_of_freedom),
    )


def _with_geometry(row: Row, structure: Structure) -> Row:
    return replace(
        row,
        n_atoms_primitive=len(structure),
        volume_per_atom=float(structure.volume) / len(structure),
        density=float(structure.density),
        min_distance=float(sanity.nearest_distances(structure).min()),
        min_distance_ratio=sanity.distance_ratio(structure),
        cdvae_valid=bool(sanity.cdvae_valid(structure)),
        lemat_valid=bool(sanity.lemat_valid(structure)),
    )


def _columns_of(relaxed: Relaxed) -> dict[str, Any]:
    """Cells that say how the structure of a row was relaxed, by column."""
    columns = {
        "space_group": relaxed.space_group,
        "converged": relaxed.converged,
        "chosen": relaxed.chosen,
        "space_group_initial": relaxed.space_group_initial,
        "volume_factor": relaxed.volume_factor,
        "volume_change": relaxed.volume_change,
        "relaxation_volume_change": relaxed.relaxation_volume_change,
        "distance_ratio_initial": relaxed.distance_ratio_initial,
        "seconds_relax": relaxed.seconds,
    }
    for name, run in (("symmetric", relaxed.symmetric), ("free", relaxed.free)):
        columns[f"space_group_{name}"] = run.space_group if run else 0
        columns[f"steps_{name}"] = run.steps if run else 0
        columns[f"converged_{name}"] = bool(run and run.converged)
        columns[f"failure_{name}"] = run.failure if run else ""
    return columns


def _energies(relaxed: Relaxed, potential: Potential, formation: float) -> dict[PotentialColumn, float]:
    energies = {
        Quantity.TOTAL: relaxed.energy,
        Quantity.INITIAL: relaxed.energy_initial,
        Quantity.SYMMETRIC: _energy(relaxed.symmetric),
        Quantity.FREE: _energy(relaxed.free),
        Quantity.FORMATION: formation,
    }
    return {PotentialColumn(quantity, potential.name): energy for quantity, energy in energies.items()}


def _energy(run: Relaxation | None) -> float:
    return run.energy if run else math.nan


def _with_stability(row: Row, structure: Structure, formation: float, potential: Potential, hull: Hull | None) -> Row:
    """Return the row with its energy above hull, or with the reason why there is none."""
    if hull is not None and math.isfinite(formation):
        counts = structure.composition.get_el_amt_dict()
        return judged(row, counts, formation, potential=potential.name, hull=hull)
    reason = "no hull was asked for"
    if hull is not None:
        reason = potential.formation_energy(structure, 0.0).reason or "no energy"
    name = "" if hull is None else hull.name
    energies = {**row.energies, PotentialColumn(Quantity.ABOVE_HULL, potential.name, name): math.nan}
    return replace(row, energies=energies, hull=name, hull_reason=reason, decomposition="")


def _flags(relaxed: Relaxed, formation: float) -> Iterator[str]:
    """Yield the reasons to doubt a result; a doubtful candidate stays in the table."""
    if not relaxed.converged:
        yield relaxed.failure or "not converged"
    if math.isfinite(formation) and not (verdict := sanity.check_formation_energy(formation)):
        yield verdict.reason
    for verdict in (
        sanity.check_volume_change(relaxed.relaxation_volume_change),
        sanity.check_volume_ratio(relaxed.structure),
    ):
        if not verdict:
            yield verdict.reason
