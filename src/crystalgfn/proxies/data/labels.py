"""Labels: the columns of a crystals table that a network can be trained for."""

from __future__ import annotations

from dataclasses import dataclass

from crystalgfn.errors import ConfigError, nearest


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
    """

    name: str
    column: str
    unit: str
    text: str
    recipes: tuple[str, ...]
    complete: bool = True


FORMATION_ENERGY = Label(
    "formation_energy",
    "formation_energy_per_atom",
    "eV/atom",
    "formation energy per atom (PBE, MP2020 corrections)",
    ("best", "energy", "table1"),
)
BAND_GAP = Label("band_gap", "band_gap", "eV", "band gap (PBE, Kohn-Sham)", ("gap",), complete=False)
ENERGY_ABOVE_HULL = Label(
    "energy_above_hull",
    "e_above_hull",
    "eV/atom",
    "energy above the convex hull (PBE, MP2020 corrections), after relaxing",
    ("orbits",),
    complete=False,
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
