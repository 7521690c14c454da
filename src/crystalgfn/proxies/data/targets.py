"""What a network can be trained for."""

from __future__ import annotations

from dataclasses import dataclass

from crystalgfn.errors import ConfigError, nearest


@dataclass(frozen=True)
class Target:
    """A column that networks are trained for.

    Attributes:
        name: as the user spells it.
        column: of the crystals table, without its unit.
        unit: of the column.
        text: what it is, for the model card.
        recipes: that are meant for it; the first is the default.
        complete: every row has to have it; otherwise rows without are left out.
    """

    name: str
    column: str
    unit: str
    text: str
    recipes: tuple[str, ...]
    complete: bool = True


FORMATION_ENERGY = Target(
    "formation_energy",
    "formation_energy_per_atom",
    "eV/atom",
    "formation energy per atom (PBE, MP2020 corrections)",
    ("best", "energy", "table1"),
)
BAND_GAP = Target("band_gap", "band_gap", "eV", "band gap (PBE, Kohn-Sham)", ("gap",), complete=False)
TARGETS = {target.name: target for target in (FORMATION_ENERGY, BAND_GAP)}


def find_target(name: str) -> Target:
    """Return the target of that name.

    Raises:
        ConfigError: no such target.
    """
    if name not in TARGETS:
        raise ConfigError(f"unknown target {name!r}, allowed: {', '.join(TARGETS)}{nearest(name, TARGETS)}")
    return TARGETS[name]
