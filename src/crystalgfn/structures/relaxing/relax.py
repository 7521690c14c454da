"""Relaxation of one crystal: a volume pre-scan, a run with the symmetry kept, and a free run from a small displacement.

From a poor initial placement, an unconstrained run loses the space group in 44 to 69 % of cases, and a constrained run
cannot leave it; so both are done and both are reported. See :func:`relax`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from crystalgfn.crystallography.symmetry.search import find_group
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.descent import Descent
from crystalgfn.structures.relaxing.freedom import Array, within_symmetry, without_symmetry
from crystalgfn.structures.relaxing.relaxation import (
    FREE_SYMPREC,
    SYMPREC,
    Prerelaxed,
    Relaxation,
    Relaxed,
    Schedule,
    SinglePoint,
)
from crystalgfn.structures.relaxing.volumes import WithEnergies, prescan, scaled
from crystalgfn.structures.sanity import MIN_DISTANCE_RATIO, distance_ratio

if TYPE_CHECKING:
    from pymatgen.core import Structure

TRY_FMAX = 0.02
"""Force (eV/A) at which the few steps that tell placements apart stop early."""

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
            start = scaled(structure, factor)
            run = _run(start, potential, steps, TRY_FMAX, deadline, symmetric=True)
    except Exception:  # any library may raise, and one crystal never stops a run
        return Prerelaxed(structure, math.nan, math.nan)
    result = run.result
    good = not result.failure and distance_ratio(result.structure) >= MIN_DISTANCE_RATIO
    return Prerelaxed(result.structure, factor, energy, result.energy if good else math.inf, run.learned)


def relax(
    structure: Structure,
    potential: WithCalculator,
    *,
    seed: int,
    prerelaxed: Prerelaxed | None = None,
    schedule: Schedule = DEFAULT,
) -> Relaxed:
    """Relax a crystal; never raises because of the crystal: ``Relaxed.failure`` says what went wrong.

    Three parts: energies at several volumes (:func:`~.volumes.prescan`), of which the lowest without atoms too near is
    taken; BFGS in atoms and cell along the directions that keep the symmetry (:mod:`.descent`); and, after a small
    displacement and strain, BFGS in all directions, which goes on from the Hessian learned before. The free structure
    is the result if its energy is lower by more than :data:`LOWER_BY` and its atoms have not come too near. In P1,
    which has no symmetry to break, the last part is skipped.

    Args:
        structure: the crystal, best in its primitive cell; its symmetry is found within :data:`~.relaxation.SYMPREC`.
        potential: a potential with an ASE calculator.
        seed: seed of the displacement.
        prerelaxed: result of :func:`prerelax` for this crystal, to go on from.
        schedule: steps, forces and time.
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
    run = _run(
        prerelaxed.structure,
        potential,
        schedule.steps,
        schedule.fmax,
        deadline,
        symmetric=True,
        learned=prerelaxed.learned,
    )
    symmetric = run.result
    result = replace(result, symmetric=symmetric)
    if symmetric.failure and not math.isfinite(symmetric.energy):
        return replace(result, failure=symmetric.failure)
    final, chosen = symmetric, "symmetric"
    if schedule.free_steps and symmetric.space_group != 1 and not symmetric.failure:
        free = _run(
            displaced(symmetric.structure, seed),
            potential,
            schedule.free_steps,
            schedule.fmax,
            deadline,
            symmetric=False,
            learned=run.learned,
        ).result
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


@dataclass(frozen=True)
class _Run:
    """A run: its result, and what it learned about the Hessian (:class:`.descent.Descent`)."""

    result: Relaxation
    learned: Array | None = None


def _run(
    structure: Structure,
    potential: WithCalculator,
    steps: int,
    fmax: float,
    deadline: float,
    *,
    symmetric: bool,
    learned: Array | None = None,
) -> _Run:
    """Relax atoms and cell; the result is the last finite state, whatever happens."""
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    start_volume = atoms.get_volume()
    last, energy, done, converged, failure, descent = atoms.copy(), math.nan, 0, False, "", None
    point = None
    try:
        cell, positions = atoms.cell.array.copy(), atoms.positions.copy()
        if symmetric:
            freedom = within_symmetry(cell, positions, atoms.numbers, symprec=SYMPREC)
        else:
            freedom = without_symmetry(cell, positions)
        atoms.calc = potential.calculator()
        descent = Descent(atoms, freedom, learned=learned)
        for state in descent.states(steps):
            if not math.isfinite(state.energy + state.largest):
                failure = "the energy is not finite"
            elif atoms.get_volume() > MAX_VOLUME_FACTOR * start_volume:
                failure = f"the atoms fly apart: volume {atoms.get_volume() / start_volume:.1f} times that at the start"
            if failure:
                break
            last, energy, done = atoms.copy(), state.energy, state.steps
            point = SinglePoint(state.energy * len(atoms), np.array(state.forces), np.array(state.stress))
            converged = state.largest < fmax
            if converged:
                break
            if time.monotonic() > deadline:
                failure = "time limit"
                break
    except Exception as error:  # errors of potential, symmetry or linear algebra are recorded, never raised
        converged, failure = False, _reason(error)
    last.calc = None
    final = AseAtomsAdaptor.get_structure(last)
    group = find_group(final, SYMPREC if symmetric else FREE_SYMPREC)
    relaxation = Relaxation(final, energy, group, done, converged and not failure, failure, point)
    return _Run(relaxation, None if descent is None or failure else descent.learned)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
