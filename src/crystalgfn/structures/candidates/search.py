"""From a crystal to the best of its structures: place atoms in many ways, tell the starts apart, relax a few.

Energies of all starts, then of the better ones at other volumes, then some steps of relaxation for the best
(successive halving), then the best of those to the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.cells import cell_vectors, checked_lattice, primitive_cell
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.errors import CrystalGFNError
from crystalgfn.structures import sanity
from crystalgfn.structures.candidates.requests import Recipe, Request
from crystalgfn.structures.placing.placements import Placement, place
from crystalgfn.structures.placing.prototypes import PrototypeLibrary
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials import Potential
from crystalgfn.structures.relaxing.relax import begin, relax
from crystalgfn.structures.relaxing.relaxed import Relaxed
from crystalgfn.structures.relaxing.volumes import scaled

SCREEN_VOLUMES = (0.8, 1.25)
"""Further volumes over the given one at which the better starts are looked at; the lowest energy counts."""

LOOKED_AT_AGAIN = 0.34
"""Part of the starts that is looked at in the further volumes."""

MAX_ATOMS = 200
"""Atoms in the conventional cell beyond which nothing is placed: one energy would take seconds."""

TRY_STEPS = 8
"""Steps after which starts are compared again."""

SPARE = 2
"""Starts relaxed in place of those that fail."""

WITHOUT_SYMMETRY = "random, symmetry dropped"
"""Source of placements in P1, where none in the group asked for gave a crystal."""


def place_request(
    request: Request, recipe: Recipe, library: PrototypeLibrary | None = None
) -> tuple[list[Placement], str]:
    """Return the placements of a crystal, best first, or none and the reason."""
    if request.failure:
        return [], request.failure
    atoms = sum(request.counts.values())
    if atoms > MAX_ATOMS:
        return [], f"{atoms} atoms in the conventional cell, allowed: up to {MAX_ATOMS}"
    return _placed(
        lambda: (
            place(
                request.space_group,
                request.counts,
                request.lattice,
                starts=recipe.starts,
                seed=_seed(recipe.seed, request.row),
                library=library,
            )
            or _in_p1(request, recipe)
        )
    )


def place_without_symmetry(request: Request, recipe: Recipe) -> list[Placement]:
    """Place the atoms of a crystal's primitive cell in P1: for groups whose positions bring atoms too near."""
    return _placed(lambda: _in_p1(request, recipe))[0]


def _placed(way: Callable[[], list[Placement]]) -> tuple[list[Placement], str]:
    """Return what a way to place atoms gives, or none and the reason: one crystal never stops a run."""
    try:
        with quiet():
            found = way()
    except CrystalGFNError as error:
        return [], str(error)
    except Exception as error:
        return [], f"{type(error).__name__}: {error}"
    return found, "" if found else "no way to place the atoms was found"


def _in_p1(request: Request, recipe: Recipe) -> list[Placement]:
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


def best_of(
    request: Request, recipe: Recipe, potential: Potential, placements: Sequence[Placement]
) -> tuple[tuple[Placement, Relaxed] | None, list[str]]:
    """Relax the placements of lowest energy; the lowest that passes the gate, or None, and why others failed."""
    best: tuple[Placement, Relaxed] | None = None
    failures: list[str] = []
    kept = screen(placements, potential, max(recipe.tried, recipe.relaxed + SPARE))
    begun = [(begin(placement.structure, potential, steps=TRY_STEPS), placement) for placement in kept]
    begun.sort(key=lambda pair: pair[0].energy)
    for tried, (start, placement) in enumerate(begun[: recipe.relaxed + SPARE]):
        if tried - len(failures) == recipe.relaxed:
            break
        relaxed = relax(
            placement.structure,
            potential,
            start=start,
            seed=_seed(recipe.seed, request.row, 1),
            steps=recipe.steps,
            free_steps=recipe.free_steps,
            time_limit_s=recipe.time_limit_s,
        )
        gate = sanity.distance_gate(relaxed.structure)
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
    energies = np.where(ratios >= sanity.MIN_DISTANCE_RATIO, energies, energies + 1e3)
    return np.where(np.isfinite(energies), energies, np.inf).min(axis=1)


def _seed(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1)[0])
