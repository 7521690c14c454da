"""The 230 space groups: systems, point symmetries, centerings and symbols.

Every table is indexed by the international number 1..230; row 0 is unused (``""`` or 0). The tables are derived from
moyopy's operations and space-group types by ``scripts/data/build_tables.py``.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TABLE: dict[str, Any] = json.loads((files(__package__) / "data" / "space_groups.json").read_text())


def _by_number(name: str) -> NDArray[np.int64]:
    """Put a zero before the values of the groups 1..230 and forbid writing."""
    array = np.array([0, *_TABLE[name]], dtype=np.int64)
    array.setflags(write=False)
    return array


CRYSTAL_LATTICE_SYSTEMS: tuple[str, ...] = tuple(_TABLE["crystal_lattice_systems"])
"""Names of the eight crystal-lattice systems; system ``i`` of the tables is ``CRYSTAL_LATTICE_SYSTEMS[i - 1]``."""

POINT_SYMMETRIES: tuple[str, ...] = tuple(_TABLE["point_symmetries"])
"""Names of the five point symmetries; symmetry ``i`` of the tables is ``POINT_SYMMETRIES[i - 1]``.

``non-centrosymmetric`` means neither centrosymmetric, nor enantiomorphic, nor polar.
"""

CRYSTAL_LATTICE_SYSTEM: NDArray[np.int64] = _by_number("crystal_lattice_system")
"""(231,) crystal-lattice system 1..8: the crystal system, with trigonal split by its Bravais lattice."""

POINT_SYMMETRY: NDArray[np.int64] = _by_number("point_symmetry")
"""(231,) point symmetry 1..5."""

CRYSTAL_SYSTEM: tuple[str, ...] = ("", *_TABLE["crystal_system"])
"""Name of the crystal system, one of seven, by international number."""

CENTERING_MULTIPLICITY: NDArray[np.int64] = _by_number("centering_multiplicity")
"""(231,) lattice points in the ITA conventional cell: P 1; A, B, C, I 2; R 3 (hexagonal axes); F 4."""

HM_SYMBOL: tuple[str, ...] = ("", *_TABLE["hm_symbol"])
"""Short Hermann-Mauguin symbol of the ITA standard setting by international number, such as ``"R-3m"``."""

RHOMBOHEDRAL: tuple[int, ...] = tuple(int(number) for number in np.flatnonzero(CRYSTAL_LATTICE_SYSTEM == 5))
"""The seven groups with a rhombohedral lattice; their conventional cell has hexagonal axes."""
