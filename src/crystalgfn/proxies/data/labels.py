"""Labels: the columns of a crystals table that a network can be trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import Energy, find_energy, is_prediction
from crystalgfn.crystals.tables import cells
from crystalgfn.crystals.tables.schema import bare_name, name_with_unit, unit_of
from crystalgfn.errors import ConfigError, DataError, nearest
from crystalgfn.proxies.networks.base import TRANSFORMATIONS
from crystalgfn.stability.plausibility import Rows, check_energies

SCALAR = "scalar"
"""The recipe of every column that is no label of :data:`LABELS`."""

SPAN = 30.0
"""Positive numbers whose 95 % quantile is so many times their 5 % quantile are learned as logarithms."""


class Transformation(StrEnum):
    """How a network learns the numbers of a column of the user's; see :data:`TRANSFORMATIONS`."""

    NONE = "none"
    LOG = "log"
    CLASSES = "classes"


@dataclass(frozen=True)
class Label:
    """A column that networks are trained for, ``--target`` on the command line.

    Attributes:
        name: name of the label on the command line.
        column: column of the crystals table, without its unit.
        unit: unit of the column.
        text: description for the model card.
        recipes: names of the recipes for this label; the first is the default.
        complete: whether every row must have the label; otherwise rows without the label are left out.
        energy: kind of energy, which its numbers are checked as; None for other labels.
        transformation: how a network learns the numbers.
        least, most: range of the numbers, in the unit of the column.
    """

    name: str
    column: str
    unit: str
    text: str
    recipes: tuple[str, ...]
    complete: bool = True
    energy: Energy | None = None
    transformation: Transformation = Transformation.NONE
    least: float = -np.inf
    most: float = np.inf

    @property
    def is_of_user(self) -> bool:
        """Whether the label is a column that the user named, and none of :data:`LABELS`."""
        return self.recipes == (SCALAR,)


FORMATION_ENERGY = Label(
    "formation_energy",
    "formation_energy_per_atom",
    "eV/atom",
    "formation energy per atom (PBE, MP2020 corrections)",
    ("best", "energy", "table1"),
    energy=Energy.FORMATION,
)
BAND_GAP = Label(
    "band_gap", "band_gap", "eV", "band gap (PBE, Kohn-Sham)", ("gap",), complete=False, least=-0.05, most=30.0
)
ENERGY_ABOVE_HULL = Label(
    "energy_above_hull",
    "e_above_hull",
    "eV/atom",
    "energy above the convex hull (PBE, MP2020 corrections), after relaxing",
    ("orbits",),
    complete=False,
    energy=Energy.ABOVE_HULL,
)
LABELS = {label.name: label for label in (FORMATION_ENERGY, BAND_GAP, ENERGY_ABOVE_HULL)}


def find_label(name: str) -> Label:
    """Return a label by its name.

    Raises:
        ConfigError: no such label.
    """
    if name not in LABELS:
        raise ConfigError(f"unknown target {name!r}, allowed: {', '.join(LABELS)}{nearest(name, LABELS)}")
    return LABELS[name]


def label_of_column(
    crystals: Crystals, name: str, *, unit: str | None = None, transformation: str | None = None, source: str = "table"
) -> Label:
    """Return the label of a column of the user's.

    Args:
        crystals: the table.
        name: the column, with or without its unit.
        unit: unit of the column; by default the one in its name, or none.
        transformation: ``"none"``, ``"log"`` or ``"classes"`` (a probability, of 0 or 1); guessed by default.
        source: name of the table.

    Raises:
        ConfigError: no column of numbers has this name, the unit is another one, or there is no such transformation.
        DataError: the column holds text, or has several units.
    """
    numeric = [bare_name(c) for c, values in crystals.columns.items() if values.dtype.kind in "fib"]
    if not any(name in (column, bare_name(column)) for column in crystals.columns):
        listed = f"{', '.join(LABELS)}, or a column of {source}: {', '.join(numeric) or 'none holds numbers'}"
        raise ConfigError(f"unknown target {name!r}, allowed: {listed}{nearest(name, [*LABELS, *numeric])}")
    column = crystals.column_name(name)
    stated = unit_of(column)
    if unit is not None and stated and unit != stated:
        raise ConfigError(f"--unit {unit!r}: column {column!r} is in {stated}, allowed: {stated}")
    if transformation is not None and transformation not in TRANSFORMATIONS:
        near = nearest(transformation, TRANSFORMATIONS)
        raise ConfigError(f"transformation {transformation!r}, allowed: {', '.join(TRANSFORMATIONS)}{near}")
    chosen = Transformation(transformation) if transformation else guessed(label_values(crystals, column, source))
    return Label(
        bare_name(column),
        bare_name(column),
        stated or unit or "",
        f"{bare_name(column)}, as given in {source}",
        (SCALAR,),
        complete=False,
        transformation=chosen,
    )


def label_of_card(card: Mapping[str, Any]) -> Label:
    """Return the label that a model was trained for, by its card."""
    name = card.get("target", FORMATION_ENERGY.name)
    if name in LABELS:
        return LABELS[name]
    transformation = Transformation(card.get("transformation", Transformation.NONE))
    return Label(name, card.get("column", name), card["unit"], card["property"], (SCALAR,), False, None, transformation)


def guessed(values: npt.NDArray[np.float64]) -> Transformation:
    """Return the transformation for numbers (N,): classes of 0 and 1, logarithms over decades, or none."""
    known = values[np.isfinite(values)]
    if len(known) and set(np.unique(known).tolist()) == {0.0, 1.0}:
        return Transformation.CLASSES
    if len(known) and known.min() > 0 and np.quantile(known, 0.95) > SPAN * np.quantile(known, 0.05):
        return Transformation.LOG
    return Transformation.NONE


def label_column(crystals: Crystals, label: Label, source: str) -> str:
    """Return the column that holds a label, in the label's unit.

    Raises:
        DataError: no such column, a column in another unit, or one of predictions.
    """
    names = [label.column, name_with_unit(label.column, label.unit)]
    column = next((name for name in names if name in crystals.columns), None)
    if column is None and label.energy is not None:
        other = find_energy(crystals, label.energy)
        column = other if other is not None and not is_prediction(crystals, other) else None
    if column is None:
        column = crystals.column_name(label.column)  # raises where there is none
        raise DataError(f"{source}: column {column!r}, allowed: {label.column} in {label.unit or 'no unit'}")
    if column in crystals.origins:
        raise DataError(f"{source}: column {column!r} holds predictions ({crystals.origins[column]}), allowed: labels")
    return column


def label_values(crystals: Crystals, column: str, source: str) -> npt.NDArray[np.float64]:
    """Return the numbers (N,) of a column, NaN where they are missing; true and false are 1 and 0.

    Raises:
        DataError: the column holds text; names the row.
    """
    values = crystals.columns[column]
    return values.astype(float) if values.dtype.kind == "b" else crystals.numbers(column, source=source)


def check_label(crystals: Crystals, label: Label, column: str, values: npt.NDArray[np.float64], source: str) -> None:
    """Refuse numbers (N,) that cannot be labels: of another unit, marks of missing values, infinities.

    Raises:
        DataError: the first such row.
    """
    outside = np.isinf(values) | (values < label.least) | (values > label.most)
    if label.energy is not None:
        rows = Rows(source, crystals.elements, crystals.counts.cpu().numpy().astype(float))
        check_energies(rows, column, values, label.energy)
    elif label.transformation is Transformation.LOG:
        outside |= values <= 0
    elif label.transformation is Transformation.CLASSES:
        outside |= ~np.isnan(values) & (values != 0) & (values != 1)
    if label.is_of_user:
        outside |= missing_marks(values)
    row = cells.first(outside)
    if row is not None:
        kinds = {Transformation.LOG: "a number above 0", Transformation.CLASSES: "0 or 1"}
        allowed = kinds.get(
            label.transformation, f"a finite number ({label.unit})" if label.unit else "a finite number"
        )
        if np.isfinite(label.most):
            allowed = f"{label.text} from {max(label.least, 0):g} to {label.most:g} {label.unit}"
        cells.refuse(source, row, column, float(values[row]), f"{allowed}, or empty where the value is missing")


def missing_marks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark (N,) numbers such as -999, 9999 and 1e30 that stand far outside all others."""
    size = np.abs(values)
    looks = np.isin(size, [99.0, 999.0, 9999.0, 99999.0]) | (size >= 1e20)
    others = size[np.isfinite(size) & ~looks]
    return looks & (size > 3 * others.max()) if len(others) else np.zeros(len(values), dtype=bool)
