"""Relaxation of one crystal: a volume pre-scan, a run with the symmetry kept, and a free run from a small displacement.

From a poor initial placement, an unconstrained run loses the space group in 44 to 69 % of cases, and a constrained run
cannot leave it; so both are done and both are reported. See :func:`relax`.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from crystalgfn.crystallography.symmetry.search import find_group
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.relaxation import FREE_SYMPREC, SYMPREC, Prerelaxed, Relaxation, Relaxed, Schedule
from crystalgfn.structures.relaxing.volumes import WithEnergies, prescan, scaled
from crystalgfn.structures.sanity import MIN_DISTANCE_RATIO, distance_ratio

if TYPE_CHECKING:
    from pymatgen.core import Structure

FREE_FMAX = 0.5
"""Largest force at the end of free relaxation, over fmax; it is lower because a displacement has to be undone."""

LOWER_BY = 0.005
"""The free structure is taken if its energy is lower by more than this, eV/atom.

On 12 real crystals, whose minimum keeps the group, free runs ended within 0.0012 of the symmetric ones.
"""

RATTLE = 0.03
"""Standard deviation (A) of the displacements before free relaxation."""

STRAIN = 0.005
"""Standard deviation of the random strain before free relaxation."""

MAX_VOLUME_FACTOR = 4.0
"""Largest volume during a run over the volume at its start; beyond it the atoms have flown apart."""

DEFAULT = Schedule()


class WithCalculator(WithEnergies, Protocol):
    """What the relaxation of a structure needs; see :class:`~.potentials.calculator.CalculatorPotential`."""

    def calculator(self) -> Any:
        """Return an ASE calculator with energy (eV), forces (eV/A) and stress (eV/A^3)."""
        ...


def prerelax(structure: Structure, potential: WithCalculator, *, steps: int, time_limit_s: float = 60.0) -> Prerelaxed:
    """Choose the volume of a crystal and relax it for a few steps, which tells placements apart at a small cost.

    Energies of unrelaxed atoms say little about where a placement will end, energies after a few steps say much.
    Never raises because of the crystal.
    """
    deadline = time.monotonic() + time_limit_s
    try:
        with quiet():
            factor, energy = prescan(structure, potential)
            if not math.isfinite(factor):
                return Prerelaxed(structure, factor, energy)
            run = _run(scaled(structure, factor), potential, steps, 0.0, deadline, symmetric=True)
    except Exception:  # any library may raise, and one crystal never stops a run
        return Prerelaxed(structure, math.nan, math.nan)
    good = not run.failure and distance_ratio(run.structure) >= MIN_DISTANCE_RATIO
    return Prerelaxed(run.structure, factor, energy, run.energy if good else math.inf)


def relax(
    structure: Structure,
    potential: WithCalculator,
    *,
    seed: int,
    prerelaxed: Prerelaxed | None = None,
    schedule: Schedule = DEFAULT,
) -> Relaxed:
    """Relax a crystal; never raises because of the crystal: ``Relaxed.failure`` says what went wrong.

    Three parts: energies at nine volumes (:data:`~.volumes.VOLUME_FACTORS`), of which the lowest without atoms too near
    is taken; BFGS in atoms and cell with the symmetry fixed (ASE's FixSymmetry and FrechetCellFilter); and, after
    a small displacement and strain, BFGS without symmetry. The free structure is the result if its energy is lower by
    more than :data:`LOWER_BY` and its atoms have not come too near. In P1, which has no symmetry to break, the last
    part is skipped.

    Args:
        structure: the crystal, best in its primitive cell; its symmetry is found within :data:`~.relaxation.SYMPREC`.
        potential: a potential with an ASE calculator.
        seed: seed of the displacement.
        prerelaxed: result of :func:`prerelax` for this crystal, to go on from.
        schedule: steps, forces and time; the run without symmetry stops at :data:`FREE_FMAX` times its force.
    """
    start = time.monotonic()
    result = Relaxed(structure)
    try:
        with quiet():
            result = _relax(result, potential, seed, prerelaxed, schedule, start + schedule.time_limit_s)
    except Exception as error:  # any library may raise, and one crystal never stops a run
        result = replace(result, failure=_reason(error))
    return replace(result, seconds=time.monotonic() - start)


def _relax(
    result: Relaxed,
    potential: WithCalculator,
    seed: int,
    prerelaxed: Prerelaxed | None,
    schedule: Schedule,
    deadline: float,
) -> Relaxed:
    initial = result.structure
    result = replace(
        result, distance_ratio_initial=distance_ratio(initial), space_group_initial=find_group(initial, SYMPREC)
    )
    if not math.isfinite(result.distance_ratio_initial):
        return replace(result, failure="the structure has no atoms, no volume, or coordinates that are not finite")
    if prerelaxed is None:
        factor, energy_initial = prescan(initial, potential)
        prerelaxed = Prerelaxed(scaled(initial, factor) if math.isfinite(factor) else initial, factor, energy_initial)
    result = replace(result, volume_factor=prerelaxed.volume_factor, energy_initial=prerelaxed.energy_initial)
    if not math.isfinite(prerelaxed.volume_factor):
        return replace(result, failure="the potential gives no energy at any volume of the pre-scan")
    symmetric = _run(prerelaxed.structure, potential, schedule.steps, schedule.fmax, deadline, symmetric=True)
    result = replace(result, symmetric=symmetric)
    if symmetric.failure and not math.isfinite(symmetric.energy):
        return replace(result, failure=symmetric.failure)
    final, chosen = symmetric, "symmetric"
    if schedule.free_steps and symmetric.space_group != 1 and not symmetric.failure:
        free = _run(
            displaced(symmetric.structure, seed),
            potential,
            schedule.free_steps,
            FREE_FMAX * schedule.fmax,
            deadline,
            symmetric=False,
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
        volume_change=final.structure.volume / initial.volume - 1,
        relaxation_volume_change=final.structure.volume / (initial.volume * prerelaxed.volume_factor) - 1,
    )


def displaced(structure: Structure, seed: int) -> Structure:
    """Return the structure with atoms moved at random (:data:`RATTLE`) and the cell strained (:data:`STRAIN`)."""
    from pymatgen.core import Lattice, Structure

    rng = np.random.default_rng(seed)
    matrix = np.asarray(structure.lattice.matrix)
    strain = rng.normal(scale=STRAIN, size=(3, 3))
    moved = np.asarray(structure.cart_coords) + rng.normal(scale=RATTLE, size=(len(structure), 3))
    fractional = moved @ np.linalg.inv(matrix)
    return Structure(Lattice(matrix @ (np.eye(3) + (strain + strain.T) / 2)), structure.species, fractional)


def _run(
    structure: Structure, potential: WithCalculator, steps: int, fmax: float, deadline: float, *, symmetric: bool
) -> Relaxation:
    """Relax atoms and cell; the result is the last finite state, whatever happens."""
    from ase.constraints import FixSymmetry
    from ase.optimize import BFGS
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    symprec = SYMPREC if symmetric else FREE_SYMPREC
    start_volume = atoms.get_volume()
    last, energy, done, converged, failure = atoms.copy(), math.nan, 0, False, ""
    try:
        if symmetric:
            atoms.set_constraint(FixSymmetry(atoms, symprec=SYMPREC))
        atoms.calc = potential.calculator()
        optimizer = BFGS(_cell_filter(atoms), logfile=None)
        for converged in optimizer.irun(fmax=fmax, steps=steps):
            current = float(atoms.get_potential_energy()) / len(atoms)
            if not math.isfinite(current) or not np.isfinite(atoms.positions).all():
                failure = "the energy is not finite"
            elif atoms.get_volume() > MAX_VOLUME_FACTOR * start_volume:
                failure = f"the atoms fly apart: volume {atoms.get_volume() / start_volume:.1f} times that at the start"
            if failure:
                break
            last, energy, done = atoms.copy(), current, optimizer.nsteps
            if not converged and time.monotonic() > deadline:
                failure = "time limit"
                break
    except Exception as error:  # errors of potential, symmetry or optimiser are recorded, never raised
        converged, failure = False, _reason(error)
    last.set_constraint()
    last.calc = None
    final = AseAtomsAdaptor.get_structure(last)
    return Relaxation(final, energy, find_group(final, symprec), done, bool(converged) and not failure, failure)


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
