"""One crystal from (space group, counts, lattice) to a relaxed structure with its stability, or the reason why not.

Nothing here raises because of a crystal: a :class:`Candidate` says what went wrong.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import CrystalGFNError
from crystalgfn.stability.hull import Hull
from crystalgfn.structures import sanity
from crystalgfn.structures.candidates.requests import Recipe, Request
from crystalgfn.structures.candidates.search import WITHOUT_SYMMETRY, best_of, place_request, place_without_symmetry
from crystalgfn.structures.placing.placements import Placement
from crystalgfn.structures.relaxing.potentials import Potential
from crystalgfn.structures.relaxing.relaxed import Relaxed

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from crystalgfn.structures.placing.prototypes import PrototypeLibrary
    from crystalgfn.structures.relaxing.second_opinion import SevenNetPotential

PLACED, RELAXED, FAILED = "placed", "relaxed", "failed"


@dataclass(frozen=True)
class Candidate:
    """What became of a crystal.

    Attributes:
        row: flat values, see :mod:`crystalgfn.structures.candidates.table`.
        structure: pymatgen structure of the primitive cell, or None.
        symprec: tolerance (A) at which it has the space group of the row.
        stages: how it came there: ``"placed"``, before relaxation, and ``"symmetric"``, relaxed with its symmetry kept,
            where that is not the result.
    """

    row: dict[str, Any]
    structure: Structure | None = None
    symprec: float = 0.01
    stages: Mapping[str, Structure] = field(default_factory=dict)

    @property
    def atoms(self) -> Atoms:
        """The structure for ASE.

        Raises:
            CrystalGFNError: there is no structure.
        """
        from crystalgfn.structures.export.cif import to_atoms

        if self.structure is None:
            raise CrystalGFNError(f"row {self.row['row']} has no structure: {self.row['reason']}")
        return to_atoms(self.structure)

    @property
    def ok(self) -> bool:
        """Whether there is a structure."""
        return self.structure is not None


def realise(
    request: Request,
    recipe: Recipe,
    potential: Potential | None = None,
    hull: Hull | None = None,
    library: PrototypeLibrary | None = None,
    *,
    second: SevenNetPotential | None = None,
    placed: tuple[list[Placement], str] | None = None,
) -> Candidate:
    """Work on one crystal.

    Args:
        request: the crystal.
        recipe: how.
        potential: for screening and relaxation; None stops after placing.
        hull: for stability; None leaves it out.
        library: prototypes to place atoms by.
        second: another potential that judges what came out; a disagreement is a flag.
        placed: what :func:`place_request` gave, if it was called before.
    """
    start = time.monotonic()
    placements, reason = placed if placed is not None else place_request(request, recipe, library)
    row = _row(request, len(placements))
    if not placements:
        return Candidate(_ended(row, FAILED, reason, start))
    if potential is None:
        chosen = placements[0]
        row |= _structure_columns(chosen.structure) | {"source": chosen.source, "space_group": request.space_group}
        return Candidate(_ended(row, PLACED, "", start), chosen.structure)
    best, failures = best_of(request, recipe, potential, placements)
    if best is None and placements[0].source != WITHOUT_SYMMETRY:
        best, _ = best_of(request, recipe, potential, place_without_symmetry(request, recipe))
    if best is None:
        return Candidate(_ended(row, FAILED, "; ".join(failures), start))
    placement, relaxed = best
    row |= {"source": placement.source} | _relaxed_columns(relaxed, potential) | _structure_columns(relaxed.structure)
    row |= _stability_columns(relaxed.structure, row, potential, hull)
    flags = list(_flags(relaxed, row, potential))
    if second is not None:
        opinion = second.opinion(relaxed.structure, row[f"formation_energy_{potential.name} [eV/atom]"])
        row[f"formation_energy_{second.name} [eV/atom]"] = opinion.formation_energy
        flags += [opinion.reason] if opinion.flagged else []
    row["flags"] = "; ".join(flags)
    stages = {"placed": placement.structure}
    if relaxed.symmetric is not None and relaxed.chosen == "free":
        stages["symmetric"] = relaxed.symmetric.structure
    return Candidate(_ended(row, RELAXED, "", start), relaxed.structure, relaxed.symprec, stages)


def _row(request: Request, starts: int) -> dict[str, Any]:
    counts = {SYMBOLS[z]: n for z, n in request.counts.items()}
    known = {f"input {name}": value for name, value in request.known.items()}
    return {
        "row": request.row,
        "formula": request.formula,
        "counts": counts,
        "space_group_asked": request.space_group,
        "starts": starts,
        **known,
    }


def _ended(row: dict[str, Any], status: str, reason: str, start: float) -> dict[str, Any]:
    return {**row, "status": status, "reason": reason, "seconds": time.monotonic() - start}


def _structure_columns(structure: Structure) -> dict[str, Any]:
    distances = sanity.nearest_distances(structure)
    return {
        "n_atoms_primitive": len(structure),
        "volume_per_atom [A^3]": float(structure.volume) / len(structure),
        "density [g/cm^3]": float(structure.density),
        "min_distance [A]": float(distances.min()),
        "min_distance_ratio": sanity.distance_ratio(structure),
        "cdvae_valid": bool(sanity.cdvae_valid(structure)),
        "lemat_valid": bool(sanity.lemat_valid(structure)),
    }


def _relaxed_columns(relaxed: Relaxed, potential: Potential) -> dict[str, Any]:
    row = relaxed.to_row()
    formation = potential.formation_energy(relaxed.structure, relaxed.energy)
    energies = {name: row.pop(name) for name in list(row) if name.startswith("energy")}
    row.pop("failure")
    row.pop("distance_ratio")
    return {
        **row,
        **{f"{name}_{potential.name} [eV/atom]": value for name, value in energies.items()},
        f"formation_energy_{potential.name} [eV/atom]": formation.value,
    }


def _stability_columns(
    structure: Structure, row: Mapping[str, Any], potential: Potential, hull: Hull | None
) -> dict[str, Any]:
    column = f"e_above_hull_{potential.name} [eV/atom]"
    formation = row[f"formation_energy_{potential.name} [eV/atom]"]
    if hull is None:
        return {column: math.nan, "hull": "", "hull_reason": "no hull was asked for", "decomposition": ""}
    if not math.isfinite(formation):
        reason = potential.formation_energy(structure, 0.0).reason or "no energy"
        return {column: math.nan, "hull": hull.name, "hull_reason": reason, "decomposition": ""}
    found = hull.energy_above_hull(structure.composition.get_el_amt_dict(), formation)
    shares = " + ".join(f"{share:.3g} {formula}" for formula, share in found.decomposition.items())
    return {column: found.value, "hull": hull.name, "hull_reason": found.reason, "decomposition": shares}


def _flags(relaxed: Relaxed, row: Mapping[str, Any], potential: Potential) -> Iterator[str]:
    """What makes a result doubtful; it stays in the table."""
    if not relaxed.converged:
        yield relaxed.failure or "not converged"
    formation = row[f"formation_energy_{potential.name} [eV/atom]"]
    if math.isfinite(formation) and not (gate := sanity.formation_energy_gate(formation)):
        yield gate.reason
    for gate in (
        sanity.volume_change_gate(relaxed.relaxation_volume_change),
        sanity.volume_ratio_gate(relaxed.structure),
    ):
        if not gate:
            yield gate.reason


def failed(request: Request, reason: str) -> Candidate:
    """A candidate for a crystal on which nothing could be done, such as one whose process died."""
    return Candidate(_ended(_row(replace(request, known={}), 0), FAILED, reason, time.monotonic()))
