"""A second potential's view of a relaxed structure: where two potentials disagree, one of them is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crystalgfn.structures.relaxing.potentials.potential import Potential

if TYPE_CHECKING:
    from pymatgen.core import Structure

THRESHOLD = 0.1
"""Difference of formation energies, eV/atom, above which a structure is flagged.

On 250 real crystals, on which both potentials were trained, CHGNet and 7net-l3i5 differ by 0.022 on average, by
less than 0.058 in 95 % and by more than 0.1 in 0.4 % of cases, where one of the two is wrong. Their errors against DFT
are 0.023 and 0.009. Measured by ``python benchmarks/second_opinion.py CRYSTALS.parquet STRUCTURES.parquet -n 250``.
"""


@dataclass(frozen=True)
class Opinion:
    """The second potential's energies of a structure.

    Attributes:
        energy: total energy, eV/atom; NaN where there is none.
        formation_energy: formation energy, eV/atom; NaN where there is none.
        difference: second minus first formation energy, eV/atom; NaN where one is missing.
        flagged: whether the potentials disagree by more than the threshold, or one has no formation energy.
        reason: why the structure is flagged; empty otherwise.
    """

    energy: float
    formation_energy: float
    difference: float
    flagged: bool
    reason: str = ""


def opinion(
    second: Potential, structure: Structure, formation_energy: float, *, threshold: float = THRESHOLD
) -> Opinion:
    """Return a potential's opinion of a structure that another potential relaxed.

    Args:
        second: the second potential.
        structure: structure that the first potential relaxed.
        formation_energy: formation energy by the first potential, eV/atom.
        threshold: difference of formation energies (eV/atom) above which the structure is flagged.
    """
    energy = float(second.energies([structure])[0])
    own = second.formation_energy(structure, energy)
    difference = own.value - formation_energy
    if not math.isfinite(difference):
        reason = own.reason or "no formation energy to compare with"
        return Opinion(energy, own.value, math.nan, True, f"{second.name}: {reason}")
    if abs(difference) > threshold:
        reason = f"{second.name}: formation energy differs by {difference:+.3f} eV/atom, allowed: {threshold:g}"
        return Opinion(energy, own.value, difference, True, reason)
    return Opinion(energy, own.value, difference, False)
