"""Labels: the columns of a crystals table that a network can be trained for."""

from __future__ import annotations

from dataclasses import dataclass

from crystalgfn.errors import ConfigError, nearest


@dataclass(frozen=True)
class Label:
    """A column that networks are trained for, ``--target`` on the command line.

    Attributes:
        name: as the user spells it.
        column: of the crystals table, without its unit.
        unit: of the column.
        text: what it is, for the model card.
        recipes: names of recipes that are meant for it; the first is the default.
        complete: whether every row has to have it; otherwise rows without it are left out.
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
LABELS = {label.name: label for label in (FORMATION_ENERGY, BAND_GAP)}


def find_label(name: str) -> Label:
    """Return the label of that name.

    Raises:
        ConfigError: no such label.
    """
    if name not in LABELS:
        raise ConfigError(f"unknown target {name!r}, allowed: {', '.join(LABELS)}{nearest(name, LABELS)}")
    return LABELS[name]
