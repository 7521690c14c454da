"""The chemical elements: symbols, order in formulas, masses, volumes and physical properties.

Every table is indexed by the atomic number Z = 1..118; row 0 is unused (``""`` or zeros). The values are pymatgen's;
``scripts/data/build_tables.py`` makes the tables, fills their gaps and fits the atomic volumes.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crystalgfn.errors import DataError, nearest


def _table(name: str) -> dict[str, Any]:
    return json.loads((files(__package__) / "data" / f"{name}.json").read_text())


def _by_atomic_number(values: ArrayLike, dtype: type) -> NDArray[Any]:
    """Put a row of zeros before the values of Z = 1..118 and forbid writing."""
    body: NDArray[Any] = np.asarray(values, dtype=dtype)
    array = np.concatenate([np.zeros_like(body[:1]), body])
    array.setflags(write=False)
    return array


_ELEMENTS = _table("elements")

SYMBOLS: tuple[str, ...] = ("", *_ELEMENTS["symbol"])
"""Symbols by atomic number: ``SYMBOLS[26] == "Fe"``."""

FORMULA_ORDER: tuple[int, ...] = tuple(_ELEMENTS["formula_order"])
"""The 118 atomic numbers by rising Pauling electronegativity, ties by symbol; elements without a value (He, Ne, Ar and
Z >= 104) last, by symbol. The order in which pymatgen writes formulas."""

ATOMIC_MASS: NDArray[np.float64] = _by_atomic_number(_ELEMENTS["mass"], float)
"""(119,) standard atomic mass in g/mol."""

PERIOD: NDArray[np.int64] = _by_atomic_number(_ELEMENTS["period"], np.int64)
"""(119,) row of the periodic table, 1..7."""

GROUP: NDArray[np.int64] = _by_atomic_number(_ELEMENTS["group"], np.int64)
"""(119,) group of the periodic table, 1..18; the f block (La-Lu, Ac-Lr) counts as group 3."""

ATOMIC_VOLUME: NDArray[np.float64] = _by_atomic_number(_table("volumes")["volume"], float)
"""(119,) volume per atom in A^3, so that ``counts @ ATOMIC_VOLUME`` estimates the volume of a cell.

Fitted to the cell volumes of 32,162 real crystals: these volumes differ from the estimate by 9.1 % on average, and
99.5 % of the volumes lie within 0.6 to 1.6 times the estimate. Elements that the data lack take the volume of a related
element of the periodic table.
"""

PROPERTY_NAMES: tuple[str, ...] = tuple(_ELEMENTS["properties"])
"""Names of the columns of :data:`PROPERTIES`; a name ends in the unit, where there is one."""

PROPERTIES: NDArray[np.float64] = _by_atomic_number(np.transpose(list(_ELEMENTS["properties"].values())), float)
"""(119, F) physical properties in the units their names give, never NaN: an unknown value is that of the nearest
period in the same column of the periodic table."""

ELECTRONEGATIVITY: NDArray[np.float64] = PROPERTIES[:, PROPERTY_NAMES.index("electronegativity")]
"""(119,) Pauling electronegativity; elements without a value take that of a neighbour."""

COVALENT_RADIUS: NDArray[np.float64] = PROPERTIES[:, PROPERTY_NAMES.index("covalent_radius_A")]
"""(119,) covalent radius in A (Cordero et al., Dalton Trans. 2008, 2832; high spin for Mn, Fe, Co)."""

ATOMIC_RADIUS: NDArray[np.float64] = PROPERTIES[:, PROPERTY_NAMES.index("atomic_radius_A")]
"""(119,) pymatgen's atomic radius in A; an unknown radius is that of the nearest period."""

GRAMS_PER_CM3 = 1e24 / 6.02214076e23
"""Density in g/cm3 of one g/mol in one A^3."""

_ATOMIC_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS) if symbol}


def atomic_number(symbol: str) -> int:
    """Return the atomic number of an element.

    Args:
        symbol: the element's symbol, such as ``"Fe"``; case counts.

    Raises:
        DataError: there is no such element; the message names the nearest symbol.
    """
    try:
        return _ATOMIC_NUMBERS[symbol]
    except (KeyError, TypeError):
        near = nearest(str(symbol).strip().capitalize(), _ATOMIC_NUMBERS)
        raise DataError(f"unknown element {symbol!r}{near}; allowed are the symbols from H to Og") from None
