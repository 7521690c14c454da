"""The volume pre-scan: before relaxation, the best of nine volumes by energy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crystalgfn.structures.sanity import MIN_DISTANCE_RATIO, distance_ratio

if TYPE_CHECKING:
    from pymatgen.core import Structure

VOLUME_FACTORS = tuple(float(x) for x in np.exp(np.linspace(-math.log(1.9), math.log(1.9), 9)))
"""Volumes of the pre-scan over the initial volume, 0.53 to 1.9 in steps of 17 %."""


class WithEnergies(Protocol):
    """What the pre-scan needs from a potential."""

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom, energy only; NaN for a structure that the potential refuses."""
        ...


def prescan(structure: Structure, potential: WithEnergies) -> tuple[float, float]:
    """Return the best volume over the initial one, and the energy (eV/atom) at the initial volume; NaN without one.

    Volumes at which atoms are nearer than :data:`~crystalgfn.structures.sanity.MIN_DISTANCE_RATIO` do not count, since
    a potential may have a hole there, unless no others are left. The minimum is refined by a parabola in the logarithm
    of the volume through three points. If the largest volume is the best, the scan goes on above it once.
    """
    factors = np.array(VOLUME_FACTORS)
    energies = potential.energies([scaled(structure, factor) for factor in factors])
    initial = float(energies[len(factors) // 2])
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
        return math.nan, initial
    best = _lowest(energies, allowed)
    around = slice(best - 1, best + 2)
    if 0 < best < len(factors) - 1 and np.isfinite(energies[around]).all() and allowed[around].all():
        curve = np.polyfit(np.log(factors[around]), energies[around], 2)
        if curve[0] > 0:
            return float(np.exp(-curve[1] / (2 * curve[0]))), initial
    return float(factors[best]), initial


def _lowest(energies: Any, allowed: Any) -> int:
    return int(np.argmin(np.where(np.isfinite(energies) & allowed, energies, np.inf)))


def scaled(structure: Structure, factor: float) -> Structure:
    """Return the structure with ``factor`` times its volume, fractional coordinates kept."""
    from pymatgen.core import Lattice, Structure

    matrix = np.asarray(structure.lattice.matrix) * factor ** (1 / 3)
    return Structure(Lattice(matrix), structure.species, structure.frac_coords)
