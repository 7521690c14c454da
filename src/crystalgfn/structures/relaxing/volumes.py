"""The volume pre-scan: before relaxation, the best of several volumes by energy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from crystalgfn.structures.sanity import MIN_DISTANCE_RATIO, distance_ratio

if TYPE_CHECKING:
    from pymatgen.core import Structure

INITIAL = 4
"""Index of the initial volume among the volumes of the pre-scan."""

VOLUME_FACTORS = tuple(1.9 ** ((i - INITIAL) / INITIAL) for i in range(3 * INITIAL + 1))
"""Volumes of the pre-scan over the initial volume, 0.53 to 3.6 in steps of 17 %."""


class WithEnergies(Protocol):
    """What the pre-scan needs from a potential."""

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom, energy only; NaN for a structure that the potential refuses."""
        ...


def prescan(structure: Structure, potential: WithEnergies) -> tuple[float, float]:
    """Return the best volume over the initial one, and the energy (eV/atom) at the initial volume; NaN without one.

    The initial volume is compared with the next smaller and larger ones, and the scan follows the energy down, to
    either end. Volumes at which atoms are nearer than :data:`~crystalgfn.structures.sanity.MIN_DISTANCE_RATIO` do not
    count, since a potential may have a hole there, unless no others are left. The minimum is refined by a parabola in
    the logarithm of the volume through three points.
    """
    allowed = distance_ratio(structure) * np.array(VOLUME_FACTORS) ** (1 / 3) >= MIN_DISTANCE_RATIO
    energies = np.full(len(VOLUME_FACTORS), np.nan)

    def measure(indices: Sequence[int]) -> None:
        trials = [scaled(structure, VOLUME_FACTORS[i]) for i in indices]
        energies[list(indices)] = potential.energies(trials)

    low, high = INITIAL - 1, INITIAL + 1
    measure(range(low, high + 1))
    best = _lowest(energies, allowed)
    while (best is None or best == high) and high < len(VOLUME_FACTORS) - 1:
        high += 1
        measure([high])
        best = _lowest(energies, allowed)
    while (best is None or best == low) and low > 0:
        low -= 1
        measure([low])
        best = _lowest(energies, allowed)
    if best is None:
        allowed[:] = True
        best = _lowest(energies, allowed)
    initial = float(energies[INITIAL])
    if best is None:
        return math.nan, initial
    around = slice(best - 1, best + 2)
    if 0 < best < len(energies) - 1 and np.isfinite(energies[around]).all() and allowed[around].all():
        curve = np.polyfit(np.log(VOLUME_FACTORS[around]), energies[around], 2)
        if curve[0] > 0:
            return float(np.exp(-curve[1] / (2 * curve[0]))), initial
    return VOLUME_FACTORS[best], initial


def _lowest(energies: NDArray[np.float64], allowed: NDArray[np.bool_]) -> int | None:
    """Index of the lowest energy at an allowed volume; None without any."""
    usable = np.isfinite(energies) & allowed
    return int(np.argmin(np.where(usable, energies, np.inf))) if usable.any() else None


def scaled(structure: Structure, factor: float) -> Structure:
    """Return the structure with ``factor`` times its volume, fractional coordinates kept."""
    from pymatgen.core import Lattice, Structure

    matrix = np.asarray(structure.lattice.matrix) * factor ** (1 / 3)
    return Structure(Lattice(matrix), structure.species, structure.frac_coords)
