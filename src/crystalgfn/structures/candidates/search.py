"""From a crystal to the best of its structures: place its atoms many times over, screen the placements, relax a few.

The search is a successive halving: energies of all placements, energies of the better placements at other volumes, a
few steps of relaxation for the best placements, and relaxation to the end for the best of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.cells import cell_vectors, checked_lattice, primitive_cell
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.errors import CrystalGFNError, DataError
from crystalgfn.structures import sanity
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.placing.placements import Placement, place
from crystalgfn.structures.placing.prototypes import PrototypeLibrary
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.relaxation import Relaxed, Schedule
from crystalgfn.structures.relaxing.volumes import scaled

SCREEN_VOLUMES = (0.8, 1.25)
"""Further volumes, over the given one, at which the better placements are screened; the lowest energy counts."""

RESCREENED_SHARE = 0.34
"""Share of the placements that is screened at the further volumes."""

MAX_ATOMS = 200
"""Most atoms in a conventional cell; with more, one energy would take seconds."""

TRY_STEPS = 8
"""Steps after which placements are compared again."""

STARTS_PER_FREE, MOST_FREE, MOST_TRIED = 4, 5, 3
"""With known sites: placements for each free coordinate, of which up to so many count, and most placements tried."""

SPARE = 2
"""Most placements that are relaxed in place of failed ones."""

WITHOUT_SYMMETRY = "random, symmetry dropped"
"""Source of placements in P1, where no placement in the requested group gave a crystal."""


@dataclass(frozen=True)
class PlacedRequest:
    """A crystal with the initial placements of its atoms.

    Attributes:
        request: the crystal.
        placements: its placements, best first.
        reason: why it has no placements; empty otherwise.
    """

    request: Request
    placements: tuple[Placement, ...]
    reason: str = ""


def settings_for(request: Request, settings: SearchSettings) -> SearchSettings:
    """Return the settings for a crystal: with known sites, placements whose number grows with the free coordinates."""
    if request.sites is None:
        return settings
    free = sum(request.sites.degrees_of_freedom)
    return replace(
        settings,
        placements=min(settings.placements, 1 + STARTS_PER_FREE * min(free, MOST_FREE)),
        tried=min(settings.tried, 1 + free, MOST_TRIED),
        relaxed=min(settings.relaxed, 1),
    )


def place_request(request: Request, settings: SearchSettings, library: PrototypeLibrary | None = None) -> PlacedRequest:
    """Return a crystal with its placements, best first, or without any and with the reason."""
    if request.failure:
        return PlacedRequest(request, (), request.failure)
    atoms = sum(request.counts.values())
    if atoms > MAX_ATOMS:
        reason = f"{atoms} atoms in the conventional cell, allowed: up to {MAX_ATOMS}"
        return PlacedRequest(request, (), reason)
    placing = _on_sites if request.sites else _in_group_or_p1
    placements, reason = _placements_or_reason(lambda: placing(request, settings_for(request, settings), library))
    return PlacedRequest(request, tuple(placements), reason)


def _on_sites(request: Request, settings: SearchSettings, library: PrototypeLibrary | None) -> list[Placement]:
    placements = _in_group(request, settings, library)
    if not placements:
        raise DataError(
            f"no placement on the sites {request.sites} in this lattice; allowed: atoms that are not too near in twice "
            "its volume, and no smaller primitive cell"
        )
    return placements


def _in_group_or_p1(request: Request, settings: SearchSettings, library: PrototypeLibrary | None) -> list[Placement]:
    return _in_group(request, settings, library) or _in_p1(request, settings)


def _in_group(request: Request, settings: SearchSettings, library: PrototypeLibrary | None) -> list[Placement]:
    return place(
        request.space_group,
        request.counts,
        request.lattice,
        placements=settings.placements,
        seed=_seed(settings.seed, request.row),
        sites=request.sites,
        library=library,
    )


def place_without_symmetry(request: Request, settings: SearchSettings) -> list[Placement]:
    """Place the atoms of a crystal's primitive cell in P1, for groups whose positions bring atoms too near."""
    return _placements_or_reason(lambda: _in_p1(request, settings))[0]


def _placements_or_reason(placing: Callable[[], list[Placement]]) -> tuple[list[Placement], str]:
    """Return what ``placing`` returns, or no placements and the reason: one crystal never stops a run."""
    try:
        with quiet():
            placements = placing()
    except CrystalGFNError as error:
        return [], str(error)
    except Exception as error:
        return [], f"{type(error).__name__}: {error}"
    return placements, "" if placements else "no way to place the atoms was found"


def _in_p1(request: Request, settings: SearchSettings) -> list[Placement]:
    from pymatgen.core import Lattice

    cell = primitive_cell(request.space_group, cell_vectors(checked_lattice(request.space_group, request.lattice)))
    points = int(CENTERING_MULTIPLICITY[request.space_group])
    return [
        replace(placement, source=WITHOUT_SYMMETRY)
        for placement in place(
            1,
            {z: n // points for z, n in request.counts.items()},
            Lattice(cell).parameters,
            placements=max(1, settings.placements // 2),
            seed=_seed(settings.seed, request.row, 2),
        )
    ]


def best_of(
    request: Request, settings: SearchSettings, potential: Potential, placements: Sequence[Placement]
) -> tuple[tuple[Placement, Relaxed] | None, list[str]]:
    """Relax the placements of lowest energy.

    Returns:
        the placement that ends lowest with sensible distances and its relaxation, or None; and why others failed.
    """
    best: tuple[Placement, Relaxed] | None = None
    failures: list[str] = []
    settings = settings_for(request, settings)
    if request.sites is None:
        screened = screen(placements, potential, max(settings.tried, settings.relaxed + SPARE))
    elif len(placements) > settings.tried:
        screened = screen(placements, potential, settings.tried, volumes=())
    else:
        screened = list(placements)
    if not screened:
        return None, ["the potential gives no energy of any placement"]
    prerelaxed = potential.prerelax([placement.structure for placement in screened], steps=TRY_STEPS)
    queue = sorted(zip(prerelaxed, screened, strict=True), key=lambda pair: pair[0].energy)[: settings.relaxed + SPARE]
    schedule = Schedule(settings.steps, settings.free_steps, time_limit_s=settings.time_limit_s)
    succeeded = 0
    while queue and succeeded < settings.relaxed:
        # as many at once as successes are missing, so that spare placements are relaxed only where some fail
        batch, queue = queue[: settings.relaxed - succeeded], queue[settings.relaxed - succeeded :]
        results = potential.relax(
            [placement.structure for _, placement in batch],
            seed=_seed(settings.seed, request.row, 1),
            schedule=schedule,
            prerelaxed=[start for start, _ in batch],
        )
        for (_, placement), relaxed in zip(batch, results, strict=True):
            verdict = sanity.check_distances(relaxed.structure)
            if relaxed.failure and not math.isfinite(relaxed.energy):
                failures.append(relaxed.failure)
            elif not verdict:
                failures.append(verdict.reason)
            else:
                succeeded += 1
                if best is None or relaxed.energy < best[1].energy:
                    best = placement, relaxed
    return best, list(dict.fromkeys(failures))


def screen(
    placements: Sequence[Placement], potential: Potential, keep: int, *, volumes: Sequence[float] = SCREEN_VOLUMES
) -> list[Placement]:
    """Return the placements of lowest energy, lowest first.

    All placements are screened at the given volume, and the lowest share of :data:`RESCREENED_SHARE` at further
    ``volumes`` too. Volumes at which atoms would be nearer than the check of distances allows do not count, unless no
    others are left.
    """
    lowest = _energies(placements, potential, (1.0,))
    if volumes:
        again = np.argsort(lowest, kind="stable")[: max(2 * keep, math.ceil(RESCREENED_SHARE * len(placements)))]
        others = _energies([placements[i] for i in again], potential, volumes)
        lowest[again] = np.minimum(lowest[again], others)
    order = [int(i) for i in np.argsort(lowest, kind="stable") if math.isfinite(lowest[i])]
    distinct: list[int] = []
    for i in order:  # placements whose energies agree to a tenth of a meV are one structure
        if all(abs(lowest[i] - lowest[j]) > 1e-4 for j in distinct):
            distinct.append(i)
        if len(distinct) == keep:
            break
    return [placements[i] for i in distinct]


def _energies(placements: Sequence[Placement], potential: Potential, volumes: Sequence[float]) -> NDArray[np.float64]:
    """Lowest energies (B,), eV/atom, of placements over some volumes relative to their own; infinite without any."""
    factors = np.array(volumes)
    trials = [scaled(placement.structure, factor) for placement in placements for factor in factors]
    energies = potential.energies(trials).reshape(len(placements), len(factors))
    ratios = np.array([p.min_ratio for p in placements])[:, None] * factors ** (1 / 3)
    # placements whose atoms are too near come after all others
    energies = np.where(ratios >= sanity.MIN_DISTANCE_RATIO, energies, energies + 1e3)
    return np.where(np.isfinite(energies), energies, np.inf).min(axis=1)


def _seed(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1)[0])
