"""Which column of a table holds which energy: by its exact name and unit, never by how its name begins.

A column of standard deviations, ``formation_energy_std [eV/atom]``, is no energy, and one in kJ/mol is none in eV/atom.
Where a table has both, what was given goes before what a property model predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.tables.schema import PREDICTED, bare_name, unit_of

UNIT = "eV/atom"


class Energy(StrEnum):
    """Kinds of energies that crystals are judged by, eV/atom."""

    FORMATION = "formation energy"
    ABOVE_HULL = "energy above hull"


NAMES: dict[Energy, tuple[str, ...]] = {
    Energy.FORMATION: ("formation_energy_per_atom", "formation_energy", "e_form_per_atom", "e_form"),
    Energy.ABOVE_HULL: ("e_above_hull", "energy_above_hull"),
}
"""Names of columns, without their unit, in the order in which they are preferred."""

BY_METHOD: dict[Energy, tuple[str, ...]] = {
    Energy.FORMATION: ("formation_energy_",),
    Energy.ABOVE_HULL: ("e_above_hull_", "energy_above_hull_"),
}
"""Beginnings of names that end with the method of the energies: ``"formation_energy_chgnet [eV/atom]"``."""

NO_METHODS = frozenset(
    word
    for words in (
        (
            "per",
            "std",
            "stdev",
            "error",
            "err",
            "deviation",
            "dev",
            "uncertainty",
            "sigma",
            "variance",
            "spread",
        ),
        ("mae", "mse", "rmse", "change", "difference", "diff", "delta", "residual", "initial", "min", "max", "range"),
    )
    for word in words
)
"""Words of a name behind which stand no energies, though the name begins like one."""


def find_energy(crystals: Crystals, *kinds: Energy) -> str | None:
    """Return the name of the column with an energy in eV/atom, or None.

    Args:
        crystals: a batch with its columns.
        kinds: kinds of energy, the preferred one first; by default the formation energy.
    """
    for kind in kinds or (Energy.FORMATION,):
        given = [name for name in crystals.columns if kind_of(name) is kind and unit_of(name) in ("", UNIT)]
        if given:
            return min(given, key=lambda name: (is_prediction(crystals, name), _rank(kind, name)))
    return None


def kind_of(column: str) -> Energy | None:
    """Return the kind of energy that a column holds by its name, whatever its unit, or None."""
    name, unit = bare_name(column).removesuffix(PREDICTED), unit_of(column)
    for kind, names in NAMES.items():
        if name in names:
            return kind
        starts = [start for start in BY_METHOD[kind] if name.startswith(start) and unit == UNIT]
        if starts and not NO_METHODS & set(name.removeprefix(starts[0]).lower().split("_")):
            return kind
    return None


def other_units(crystals: Crystals, kind: Energy) -> list[str]:
    """Return the columns that have the name of an energy, but another unit than eV/atom."""
    return [name for name in crystals.columns if kind_of(name) is kind and unit_of(name) not in ("", UNIT)]


def is_prediction(crystals: Crystals, column: str) -> bool:
    """Whether a column is predicted, by its metadata, its name, or since a sampler wrote the table."""
    name = bare_name(column)
    if column in crystals.origins or name.endswith(PREDICTED):
        return True
    labels = [names[0] for names in NAMES.values()]  # no sampler writes columns of these names
    return "log_reward" in crystals.columns and name not in labels


def energies(crystals: Crystals, column: str) -> NDArray[np.float64]:
    """Return the energies (B,) of a column, NaN where they are missing; infinities count as missing.

    Raises:
        DataError: no such column, or text in it, with its row.
    """
    values = crystals.numbers(column)
    return np.where(np.isfinite(values), values, np.nan)


def _rank(kind: Energy, column: str) -> int:
    name = bare_name(column).removesuffix(PREDICTED)
    names: Sequence[str] = NAMES[kind]
    return names.index(name) if name in names else len(names)
