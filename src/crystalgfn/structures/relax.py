"""Relaxation of one crystal: volume pre-scan, then with its symmetry kept, then free from a small displacement.

An unconstrained run from a poor start loses its space group in 44 to 69 % of cases and a constrained one cannot leave
it, so both are done and both are reported. See :func:`relax`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from crystalgfn.structures.gates import MIN_DISTANCE_RATIO, distance_ratio
from crystalgfn.structures.potentials import Potential
from crystalgfn.structures.quiet import quiet

if TYPE_CHECKING:
    from pymatgen.core import Structure

VOLUME_FACTORS = tuple(float(x) for x in np.exp(np.linspace(-math.log(1.9), math.log(1.9), 9)))
"""Volumes of the pre-scan over the given one, 0.53 to 1.9 in steps of 17 %."""

SYMPREC = 0.01
"""Tolerance (A) of the space group of what was placed or relaxed under its symmetry, which hold it to rounding."""

FREE_SYMPREC = 0.2
"""Tolerance (A) of the space group after free relaxation, which stops at a residual force: of 12 real crystals all had
their own group back at 0.2, 11 at 0.1 and 5 at 0.05."""

FREE_FMAX = 0.5
"""Free relaxation stops at this part of fmax, since it has a displacement to take back."""

LOWER_BY = 0.005
"""The free structure is taken if it is lower by more than this, eV/atom: on the same 12 crystals, whose minimum keeps
the group, free runs ended within 0.0012 of the symmetric ones."""

RATTLE = 0.03
"""Standard deviation (A) of the displacements before free relaxation."""

STRAIN = 0.005
"""Standard deviation of the random strain before free relaxation."""

MAX_VOLUME_FACTOR = 4.0
"""A relaxation that grows the cell beyond this many times its start has lost its atoms."""


@dataclass(frozen=True)
class Stage:
    """One relaxation.

    Attributes:
        structure: where it ended.
        energy: eV/atom.
        space_group: number that moyopy finds, 0 where it finds none.
        steps: steps done.
        converged: whether the largest force and stress component fell below fmax.
        failure: why it ended early; empty otherwise.
    """

    structure: Structure
    energy: float
    space_group: int
    steps: int
    converged: bool
    failure: str = ""


@dataclass(frozen=True)
class Relaxed:
    """What became of one crystal; energies in eV/atom of the potential, NaN where a stage was not reached.

    Attributes:
        structure: the final structure, or the given one where everything failed.
        energy: of the final structure.
        chosen: ``"symmetric"``, ``"free"`` or ``""``.
        failure: why there is no result; empty if there is one.
        energy_initial, space_group_initial, distance_ratio_initial: of the given structure.
        volume_factor: volume that the pre-scan chose over the given one.
        symmetric, free: the two relaxations; None where not reached.
        distance_ratio: least distance over covalent radii in the final structure.
        volume_change: final over given volume, minus 1.
        relaxation_volume_change: final volume over that after the pre-scan, minus 1.
        seconds: wall time.
    """

    structure: Structure
    energy: float = math.nan
    chosen: str = ""
    failure: str = ""
    energy_initial: float = math.nan
    space_group_initial: int = 0
    distance_ratio_initial: float = math.nan
    volume_factor: float = math.nan
    symmetric: Stage | None = None
    free: Stage | None = None
    distance_ratio: float = math.nan
    volume_change: float = math.nan
    relaxation_volume_change: float = math.nan
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there is a relaxed structure."""
        return not self.failure

    @property
    def space_group(self) -> int:
        """Space group of the final structure; 0 without one."""
        stage = self._final
        return stage.space_group if stage else 0

    @property
    def symprec(self) -> float:
        """Tolerance (A) at which the final structure has its space group; for files, so that both agree."""
        return FREE_SYMPREC if self.chosen == "free" else SYMPREC

    @property
    def converged(self) -> bool:
        """Whether the run that gave the final structure converged."""
        stage = self._final
        return bool(stage and stage.converged)

    @property
    def _final(self) -> Stage | None:
        return self.free if self.chosen == "free" else self.symmetric

    def to_row(self) -> dict[str, Any]:
        """Return everything but the structures as a flat row of a table."""
        row: dict[str, Any] = {
            "energy": self.energy,
            "space_group": self.space_group,
            "converged": self.converged,
            "chosen": self.chosen,
            "energy_initial": self.energy_initial,
            "space_group_initial": self.space_group_initial,
        }
        for name, stage in (("symmetric", self.symmetric), ("free", self.free)):
            row[f"energy_{name}"] = stage.energy if stage else math.nan
            row[f"space_group_{name}"] = stage.space_group if stage else 0
            row[f"steps_{name}"] = stage.steps if stage else 0
            row[f"converged_{name}"] = bool(stage and stage.converged)
            row[f"failure_{name}"] = stage.failure if stage else ""
        for name in ("volume_factor", "volume_change", "relaxation_volume_change"):
            row[name] = getattr(self, name)
        row |= {"distance_ratio_initial": self.distance_ratio_initial, "distance_ratio": self.distance_ratio}
        return row | {"seconds_relax": self.seconds, "failure": self.failure}


@dataclass(frozen=True)
class Start:
    """A crystal after the pre-scan of volumes, and perhaps some steps of relaxation with its symmetry kept.

    Attributes:
        structure: where it stands.
        volume_factor: volume that the pre-scan chose over the given one; NaN where the potential has no energy.
        energy_initial: of the given structure, eV/atom.
        energy: where it stands, eV/atom; infinite where something failed.
    """

    structure: Structure
    volume_factor: float
    energy_initial: float
    energy: float = math.inf


def begin(structure: Structure, potential: Potential, *, steps: int, time_limit_s: float = 60.0) -> Start:
    """Choose the volume of a crystal and relax it for some steps: tells starts apart at a small part of the cost.

    Energies of unrelaxed atoms say little about where a start will end, those after some steps much. Never raises
    because of the crystal.
    """
    deadline = time.monotonic() + time_limit_s
    try:
        with quiet():
            factor, energy = prescan(structure, potential)
            if not math.isfinite(factor):
                return Start(structure, factor, energy)
            stage = _run(scaled(structure, factor), potential, steps, 0.0, deadline, symmetric=True)
    except Exception:  # of any library below: one crystal never stops a run
        return Start(structure, math.nan, math.nan)
    good = not stage.failure and distance_ratio(stage.structure) >= MIN_DISTANCE_RATIO
    return Start(stage.structure, factor, energy, stage.energy if good else math.inf)


def relax(
    structure: Structure,
    potential: Potential,
    *,
    seed: int,
    start: Start | None = None,
    steps: int = 100,
    fmax: float = 0.1,
    free_steps: int = 40,
    time_limit_s: float = 300.0,
) -> Relaxed:
    """Relax a crystal; never raises because of the crystal: ``Relaxed.failure`` says what went wrong.

    Three parts: energies of nine volumes (:data:`VOLUME_FACTORS`), of which the lowest whose atoms are not too near
    wins; BFGS in atoms and cell with the symmetry fixed (ASE's FixSymmetry and FrechetCellFilter); and, from there with
    a small displacement and strain, BFGS without symmetry. The free structure is the result if it is lower by more than
    :data:`LOWER_BY` and its atoms have not come too near. A space group without symmetry to break (P1) skips the last
    part.

    Args:
        structure: the crystal, best in its primitive cell; its symmetry is found within :data:`SYMPREC`.
        potential: see :func:`crystalgfn.structures.potentials.load_potential`.
        seed: of the displacement.
        start: where :func:`begin` left this crystal, to go on from.
        steps: at most, with symmetry.
        fmax: largest force (eV/A), and of the cell's degrees of freedom alike, at which the run with symmetry stops;
            that without stops at :data:`FREE_FMAX` times it.
        free_steps: at most, without symmetry; 0 leaves that part out.
        time_limit_s: wall seconds for all, looked at between steps.
    """
    begun = time.monotonic()
    result = Relaxed(structure)
    try:
        with quiet():
            result = _relax(result, potential, seed, start, steps, fmax, free_steps, begun + time_limit_s)
    except Exception as error:  # of any library below: one crystal never stops a run
        result = replace(result, failure=_reason(error))
    return replace(result, seconds=time.monotonic() - begun)


def _relax(
    result: Relaxed,
    potential: Potential,
    seed: int,
    start: Start | None,
    steps: int,
    fmax: float,
    free_steps: int,
    deadline: float,
) -> Relaxed:
    given = result.structure
    result = replace(
        result, distance_ratio_initial=distance_ratio(given), space_group_initial=find_group(given, SYMPREC)
    )
    if not math.isfinite(result.distance_ratio_initial):
        return replace(result, failure="the structure has no atoms, no volume, or coordinates that are not finite")
    if start is None:
        factor, energy_initial = prescan(given, potential)
        start = Start(scaled(given, factor) if math.isfinite(factor) else given, factor, energy_initial)
    result = replace(result, volume_factor=start.volume_factor, energy_initial=start.energy_initial)
    if not math.isfinite(start.volume_factor):
        return replace(result, failure="the potential gives no energy at any volume of the pre-scan")
    symmetric = _run(start.structure, potential, steps, fmax, deadline, symmetric=True)
    result = replace(result, symmetric=symmetric)
    if symmetric.failure and not math.isfinite(symmetric.energy):
        return replace(result, failure=symmetric.failure)
    final, chosen = symmetric, "symmetric"
    if free_steps and symmetric.space_group != 1 and not symmetric.failure:
        free = _run(
            displaced(symmetric.structure, seed), potential, free_steps, FREE_FMAX * fmax, deadline, symmetric=False
        )
        result = replace(result, free=free)
        near = distance_ratio(free.structure) < MIN_DISTANCE_RATIO <= distance_ratio(symmetric.structure)
        if not free.failure and not near and free.energy < symmetric.energy - LOWER_BY:
            final, chosen = free, "free"
    return replace(
        result,
        structure=final.structure,
        energy=final.energy,
        chosen=chosen,
        failure=final.failure,
        distance_ratio=distance_ratio(final.structure),
        volume_change=final.structure.volume / given.volume - 1,
        relaxation_volume_change=final.structure.volume / (given.volume * start.volume_factor) - 1,
    )


def prescan(structure: Structure, potential: Potential) -> tuple[float, float]:
    """Return the best volume over the given one, and the energy (eV/atom) at the given volume; NaN where there is none.

    Volumes whose atoms are nearer than :data:`~crystalgfn.structures.gates.MIN_DISTANCE_RATIO` do not count, unless all
    are: a potential may have a hole there. The minimum is refined by a parabola through three points in the logarithm.
    If the largest volume is the best, the scan goes on above it once.
    """
    factors = np.array(VOLUME_FACTORS)
    energies = potential.energies([scaled(structure, factor) for factor in factors])
    given = float(energies[len(factors) // 2])
    ratio = distance_ratio(structure)
    allowed = ratio * factors ** (1 / 3) >= MIN_DISTANCE_RATIO
    usable = np.isfinite(energies) & allowed
    if not usable.any() or _lowest(energies, allowed) == len(factors) - 1:
        more = factors[-1] * factors[len(factors) // 2 + 1 :]
        factors = np.concatenate([factors, more])
        energies = np.concatenate([energies, potential.energies([scaled(structure, factor) for factor in more])])
        allowed = ratio * factors ** (1 / 3) >= MIN_DISTANCE_RATIO
    if not (np.isfinite(energies) & allowed).any():
        allowed = np.ones_like(allowed)
    if not np.isfinite(energies).any():
        return math.nan, given
    best = _lowest(energies, allowed)
    around = slice(best - 1, best + 2)
    if 0 < best < len(factors) - 1 and np.isfinite(energies[around]).all() and allowed[around].all():
        curve = np.polyfit(np.log(factors[around]), energies[around], 2)
        if curve[0] > 0:
            return float(np.exp(-curve[1] / (2 * curve[0]))), given
    return float(factors[best]), given


def _lowest(energies: Any, allowed: Any) -> int:
    return int(np.argmin(np.where(np.isfinite(energies) & allowed, energies, np.inf)))


def scaled(structure: Structure, factor: float) -> Structure:
    """Return the structure with ``factor`` times its volume, fractional coordinates kept."""
    from pymatgen.core import Lattice, Structure

    matrix = np.asarray(structure.lattice.matrix) * factor ** (1 / 3)
    return Structure(Lattice(matrix), structure.species, structure.frac_coords)


def displaced(structure: Structure, seed: int) -> Structure:
    """Return the structure with atoms moved at random (:data:`RATTLE`) and the cell strained (:data:`STRAIN`)."""
    from pymatgen.core import Lattice, Structure

    rng = np.random.default_rng(seed)
    matrix = np.asarray(structure.lattice.matrix)
    strain = rng.normal(scale=STRAIN, size=(3, 3))
    moved = np.asarray(structure.cart_coords) + rng.normal(scale=RATTLE, size=(len(structure), 3))
    fractional = moved @ np.linalg.inv(matrix)
    return Structure(Lattice(matrix @ (np.eye(3) + (strain + strain.T) / 2)), structure.species, fractional)


def find_group(structure: Structure, symprec: float) -> int:
    """Return the number of the space group that moyopy finds within ``symprec`` (A); 0 where it finds none."""
    import moyopy

    cell = moyopy.Cell(
        np.asarray(structure.lattice.matrix).tolist(),
        np.asarray(structure.frac_coords).tolist(),
        [int(z) for z in structure.atomic_numbers],
    )
    try:
        return int(moyopy.MoyoDataset(cell, symprec=symprec).number)
    except BaseException as error:  # moyopy raises bare Rust errors on degenerate cells
        if isinstance(error, KeyboardInterrupt):
            raise
        return 0


def _run(
    structure: Structure, potential: Potential, steps: int, fmax: float, deadline: float, *, symmetric: bool
) -> Stage:
    """Relax atoms and cell; the last finite state is kept whatever happens."""
    from ase.constraints import FixSymmetry
    from ase.optimize import BFGS
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    symprec = SYMPREC if symmetric else FREE_SYMPREC
    start_volume = atoms.get_volume()
    kept, energy, done, converged, failure = atoms.copy(), math.nan, 0, False, ""
    try:
        if symmetric:
            atoms.set_constraint(FixSymmetry(atoms, symprec=SYMPREC))
        atoms.calc = potential.calculator()
        optimizer = BFGS(_cell_filter(atoms), logfile=None)
        for converged in optimizer.irun(fmax=fmax, steps=steps):
            found = float(atoms.get_potential_energy()) / len(atoms)
            if not math.isfinite(found) or not np.isfinite(atoms.positions).all():
                failure = "the energy is not finite"
            elif atoms.get_volume() > MAX_VOLUME_FACTOR * start_volume:
                failure = f"the atoms fly apart: volume {atoms.get_volume() / start_volume:.1f} times that at the start"
            if failure:
                break
            kept, energy, done = atoms.copy(), found, optimizer.nsteps
            if not converged and time.monotonic() > deadline:
                failure = "time limit"
                break
    except Exception as error:  # the potential, the symmetry or the optimiser: recorded, never raised
        converged, failure = False, _reason(error)
    kept.set_constraint()
    kept.calc = None
    final = AseAtomsAdaptor.get_structure(kept)
    return Stage(final, energy, find_group(final, symprec), done, bool(converged) and not failure, failure)


def _cell_filter(atoms: Any) -> Any:
    """ASE's FrechetCellFilter, which remembers the forces: BFGS asks for them three times a step."""
    from ase.filters import FrechetCellFilter

    class Filter(FrechetCellFilter):
        last: tuple[bytes, Any] = b"", None

        def get_forces(self, **kwargs: Any) -> Any:
            state = self.atoms.positions.tobytes() + self.atoms.cell.array.tobytes()
            if state != self.last[0]:
                self.last = state, super().get_forces(**kwargs)
            return self.last[1].copy()

    return Filter(atoms)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
