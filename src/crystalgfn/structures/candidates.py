"""One crystal from (space group, counts, lattice) to a relaxed structure with its stability, or the reason why not.

Place atoms in many ways, look at the energy of each at three volumes, relax the best few, keep the lowest that passes
the gates. Nothing here raises because of a crystal: a :class:`Candidate` says what went wrong.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystal import Crystals
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.errors import CrystalGFNError
from crystalgfn.stability.hull import Hull
from crystalgfn.structures import gates
from crystalgfn.structures.cells import cell_vectors, checked_lattice, primitive_cell
from crystalgfn.structures.placing import Placement, place
from crystalgfn.structures.potentials import Potential
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relax import Relaxed, relax, scaled

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from crystalgfn.structures.prototypes import PrototypeLibrary
    from crystalgfn.structures.second_opinion import SevenNetPotential

SCREEN_VOLUMES = (0.8, 1.25)
"""Further volumes over the given one at which the better starts are looked at; the lowest energy counts."""

LOOKED_AT_AGAIN = 0.34
"""Part of the starts that is looked at in the further volumes."""

MAX_ATOMS = 200
"""Atoms in the conventional cell beyond which nothing is placed: one energy would take seconds."""

SPARE = 2
"""Starts relaxed in place of those that fail."""

WITHOUT_SYMMETRY = "random, symmetry dropped"
"""Source of placements in P1, where none in the group asked for gave a crystal."""

PLACED, RELAXED, FAILED = "placed", "relaxed", "failed"


@dataclass(frozen=True)
class Recipe:
    """How each crystal is worked on.

    Attributes:
        starts: ways to place its atoms that are looked at.
        relaxed: how many of them are relaxed; up to :data:`SPARE` more where one fails.
        steps, free_steps: most steps with the symmetry kept, and without.
        time_limit_s: wall seconds for each relaxation.
        seed: of everything drawn; a row of the table has its own stream, whatever else is in the table.
    """

    starts: int = 30
    relaxed: int = 2
    steps: int = 100
    free_steps: int = 100
    time_limit_s: float = 300.0
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """One row of a crystals table.

    Attributes:
        row: its number.
        formula: reduced.
        space_group: international number.
        counts: atoms of each atomic number in the conventional cell.
        lattice: a, b, c in A, alpha, beta, gamma in degree.
        known: numbers of its further columns, such as properties that a proxy predicted.
        failure: why the row cannot be used; empty otherwise.
    """

    row: int
    formula: str = ""
    space_group: int = 0
    counts: Mapping[int, int] = field(default_factory=dict)
    lattice: tuple[float, ...] = ()
    known: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class Candidate:
    """What became of a crystal.

    Attributes:
        row: flat values, see :mod:`crystalgfn.structures.outcomes`.
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
        from crystalgfn.structures.export import to_atoms

        if self.structure is None:
            raise CrystalGFNError(f"row {self.row['row']} has no structure: {self.row['reason']}")
        return to_atoms(self.structure)

    @property
    def ok(self) -> bool:
        """Whether there is a structure."""
        return self.structure is not None


def requests(crystals: Crystals, *, first: int = 0) -> Iterator[Request]:
    """Yield the rows of a batch of crystals, numbered from ``first`` on."""
    symbols = list(crystals.elements)
    formulas, groups = crystals.formulas, crystals.space_group.tolist()
    counts, lattices = crystals.counts.tolist(), crystals.lattice.tolist()
    numeric = {name: values for name, values in crystals.columns.items() if values.dtype.kind == "f"}
    for i in range(len(crystals)):
        yield Request(
            row=first + i,
            formula=formulas[i],
            space_group=groups[i],
            counts={z: n for z, n in zip(symbols, counts[i], strict=True) if n},
            lattice=tuple(lattices[i]),
            known={name: float(values[i]) for name, values in numeric.items()},
        )


def place_request(
    request: Request, recipe: Recipe, library: PrototypeLibrary | None = None
) -> tuple[list[Placement], str]:
    """Return the placements of a crystal, best first, or none and the reason."""
    if request.failure:
        return [], request.failure
    atoms = sum(request.counts.values())
    if atoms > MAX_ATOMS:
        return [], f"{atoms} atoms in the conventional cell, allowed: up to {MAX_ATOMS}"
    try:
        with quiet():
            found = place(
                request.space_group,
                request.counts,
                request.lattice,
                starts=recipe.starts,
                seed=_seed(recipe.seed, request.row),
                library=library,
            )
            found = found or place_without_symmetry(request, recipe)
    except CrystalGFNError as error:
        return [], str(error)
    except Exception as error:  # one crystal never stops a run
        return [], f"{type(error).__name__}: {error}"
    return found, "" if found else "no way to place the atoms was found"


def place_without_symmetry(request: Request, recipe: Recipe) -> list[Placement]:
    """Place the atoms of a crystal's primitive cell in P1: for groups whose positions bring atoms too near.

    Raises:
        DataError: see :func:`crystalgfn.structures.placing.place`.
    """
    from pymatgen.core import Lattice

    cell = primitive_cell(request.space_group, cell_vectors(checked_lattice(request.space_group, request.lattice)))
    points = int(CENTERING_MULTIPLICITY[request.space_group])
    return [
        replace(placement, source=WITHOUT_SYMMETRY)
        for placement in place(
            1,
            {z: n // points for z, n in request.counts.items()},
            Lattice(cell).parameters,
            starts=max(1, recipe.starts // 2),
            seed=_seed(recipe.seed, request.row, 2),
        )
    ]


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
    best, failures = _best(request, recipe, potential, placements)
    if best is None and placements[0].source != WITHOUT_SYMMETRY:
        best, _ = _best(request, recipe, potential, place_without_symmetry(request, recipe))
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


def _best(
    request: Request, recipe: Recipe, potential: Potential, placements: Sequence[Placement]
) -> tuple[tuple[Placement, Relaxed] | None, list[str]]:
    """Relax the placements of lowest energy; the lowest that passes the gate, or None, and why others failed."""
    best: tuple[Placement, Relaxed] | None = None
    failures: list[str] = []
    for tried, placement in enumerate(screen(placements, potential, recipe.relaxed + SPARE)):
        if tried - len(failures) == recipe.relaxed:
            break
        relaxed = relax(
            placement.structure,
            potential,
            seed=_seed(recipe.seed, request.row, 1),
            steps=recipe.steps,
            free_steps=recipe.free_steps,
            time_limit_s=recipe.time_limit_s,
        )
        gate = gates.distance_gate(relaxed.structure)
        if relaxed.failure and not math.isfinite(relaxed.energy):
            failures.append(relaxed.failure)
        elif not gate:
            failures.append(gate.reason)
        elif best is None or relaxed.energy < best[1].energy:
            best = placement, relaxed
    return best, list(dict.fromkeys(failures))


def screen(placements: Sequence[Placement], potential: Potential, keep: int) -> list[Placement]:
    """Return the placements of lowest energy, lowest first.

    All are looked at in the given volume, and the lowest :data:`LOOKED_AT_AGAIN` of them at :data:`SCREEN_VOLUMES` too.
    Volumes at which atoms would be nearer than the distance gate allows do not count, unless that leaves none.
    """
    lowest = _energies(placements, potential, (1.0,))
    again = np.argsort(lowest, kind="stable")[: max(2 * keep, math.ceil(LOOKED_AT_AGAIN * len(placements)))]
    others = _energies([placements[i] for i in again], potential, SCREEN_VOLUMES)
    lowest[again] = np.minimum(lowest[again], others)
    order = [int(i) for i in np.argsort(lowest, kind="stable") if math.isfinite(lowest[i])]
    kept: list[int] = []
    for i in order:  # the same energy to a tenth of a meV: the same structure found twice
        if all(abs(lowest[i] - lowest[j]) > 1e-4 for j in kept):
            kept.append(i)
        if len(kept) == keep:
            break
    return [placements[i] for i in kept]


def _energies(placements: Sequence[Placement], potential: Potential, volumes: Sequence[float]) -> NDArray[np.float64]:
    """Lowest energies (B,), eV/atom, of placements at some volumes over their own; infinite where there is none."""
    factors = np.array(volumes)
    trials = [scaled(placement.structure, factor) for placement in placements for factor in factors]
    energies = potential.energies(trials).reshape(len(placements), len(factors))
    ratios = np.array([p.min_ratio for p in placements])[:, None] * factors ** (1 / 3)
    # too near: after all others
    energies = np.where(ratios >= gates.MIN_DISTANCE_RATIO, energies, energies + 1e3)
    return np.where(np.isfinite(energies), energies, np.inf).min(axis=1)


def _seed(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1)[0])


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
    distances = gates.nearest_distances(structure)
    return {
        "n_atoms_primitive": len(structure),
        "volume_per_atom [A^3]": float(structure.volume) / len(structure),
        "density [g/cm^3]": float(structure.density),
        "min_distance [A]": float(distances.min()),
        "min_distance_ratio": gates.distance_ratio(structure),
        "cdvae_valid": bool(gates.cdvae_valid(structure)),
        "lemat_valid": bool(gates.lemat_valid(structure)),
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
    if math.isfinite(formation) and not (gate := gates.formation_energy_gate(formation)):
        yield gate.reason
    for gate in (
        gates.volume_change_gate(relaxed.relaxation_volume_change),
        gates.volume_ratio_gate(relaxed.structure),
    ):
        if not gate:
            yield gate.reason


def failed(request: Request, reason: str) -> Candidate:
    """A candidate for a crystal on which nothing could be done, such as one whose process died."""
    return Candidate(_ended(_row(replace(request, known={}), 0), FAILED, reason, time.monotonic()))
