"""X-ray powder patterns of the structures in the viewer of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from crystalgfn.progress import track

if TYPE_CHECKING:
    from pymatgen.core import Structure

RADIATION = "CuKa"
"""Copper K-alpha, 1.54184 A."""

ANGLES = (10.0, 90.0)
"""Range of 2 theta, degree."""

LEAST = 0.5
"""Least intensity of a reflection, % of the strongest one."""


def patterns(structures: Mapping[int, Structure], rows: Iterable[int]) -> dict[int, list[tuple[float, float, str]]]:
    """Return powder patterns by pymatgen, without temperature factors.

    Args:
        structures: structures by row, in their conventional cells.
        rows: rows of the patterns.

    Returns:
        by row, its reflections: 2 theta (degree), intensity (% of the strongest) and indices, such as ``"(2 0 0)"``. A
        structure with an element whose scattering factors pymatgen does not have is left out.
    """
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    calculator = XRDCalculator(RADIATION)
    found = {}
    wanted = list(rows)
    for row in track(wanted, len(wanted), "powder patterns", "structures"):
        try:
            pattern = calculator.get_pattern(structures[row], two_theta_range=ANGLES)
        except ValueError:  # no scattering factors
            continue
        peaks = zip(pattern.x, pattern.y, pattern.hkls, strict=True)
        found[row] = [(round(float(x), 2), round(float(y), 1), _indices(hkls)) for x, y, hkls in peaks if y >= LEAST]
    return found


def _indices(families: Iterable[Mapping[str, Any]]) -> str:
    """Indices of the planes that reflect at one angle; four each for hexagonal axes."""
    return ", ".join(f"({' '.join(map(str, family['hkl']))})" for family in families)
