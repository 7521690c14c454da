"""Where hulls come from: a registry of named ones, and tables of phases.

To add one, put a :class:`HullSource` into :data:`HULLS`: messages, the command line and every setting that takes a hull
read the registry.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.errors import DataError, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crystalgfn.stability.hull import Hull

BUILTIN = "builtin"

COLUMNS = ("elements", "formation_energy_per_atom")
"""Columns that a table of phases needs: JSON counts, and eV/atom."""


@dataclass(frozen=True)
class HullSource:
    """A named hull.

    Attributes:
        about: what the hull holds, in a few words.
        load: makes the hull, from the user's key for the Materials Project (None where there is none).
    """

    about: str
    load: Callable[[str | None], Hull]


def load_hull(source: str | Path, *, api_key: str | None = None) -> Hull:
    """Return a hull by its name in :data:`HULLS`, or the hull of a table file.

    Raises:
        DataError: an unknown name, an unreadable file, a missing column, no key, or mp-api is not installed.
    """
    if str(source) in HULLS:
        return HULLS[str(source)].load(api_key)
    if not Path(source).suffix:
        near = nearest(str(source), HULLS)
        raise DataError(f"unknown hull {str(source)!r}{near}, allowed: {', '.join(HULLS)}, or a table (.parquet, .csv)")
    return hull_of_table(source)


def hull_choices(*further: str) -> str:
    """Return the names of hulls as a line of help: ``"builtin, mp, or a table of phases"``."""
    return f"{', '.join((*HULLS, *further))}, or a table of phases"


def hull_of_table(path: str | Path) -> Hull:
    """Read a table (.parquet, .csv) with ``elements`` (JSON counts) and ``formation_energy_per_atom`` (eV/atom).

    Where there is a column ``e_above_hull`` (eV/atom), it is subtracted from the formation energy: the difference is
    the energy of the full hull, from which the rows may be a selection, at the row's composition.

    Raises:
        DataError: unreadable file, missing column, or an impossible row, by number.
    """
    import numpy as np

    from crystalgfn.crystals.tables.files import read_table
    from crystalgfn.stability.hull import Hull

    path = Path(path)
    table = read_table(path)
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"{path.name}: no column {missing[0]!r}, allowed: a table with {', '.join(COLUMNS)}")
    energies = _numbers(path, table, "formation_energy_per_atom")
    above = _numbers(path, table, "e_above_hull") if "e_above_hull" in table.column_names else 0 * energies
    # the implied point is never above the entry itself: both are kept, and the lower one makes the hull
    lowest = energies - np.maximum(np.nan_to_num(above), 0)
    phases = []
    rows = zip(table["elements"].to_pylist(), energies.tolist(), lowest.tolist(), strict=True)
    for number, (text, energy, implied) in enumerate(rows):
        if not math.isfinite(energy):
            continue
        try:
            counts = {str(k): float(v) for k, v in json.loads(text).items()}
            phases += [(counts, each) for each in sorted({energy, implied})]
        except (TypeError, ValueError, AttributeError):
            raise DataError(f"{path.name}: row {number}: elements {text!r}, allowed: JSON counts") from None
    return Hull(phases, name=path.name)


def _builtin(_: str | None) -> Hull:
    """Return the hull that ships: prototypes relaxed with CHGNet by ``scripts/data/build_hull.py``, 12 elements.

    Against the real hull at 520 compositions its hull energy is off by 0.140 eV/atom on average (median 0.069; 0.083 in
    the 41 % whose chemical system it holds a phase of), too high by more than 0.025 at 74 % of them and too low at 3 %:
    ``python benchmarks/hull.py HULL_ENTRIES.parquet``. Good enough to reject, not to claim stability.
    """
    from crystalgfn.stability.hull import Hull

    content = json.loads((files("crystalgfn.stability") / "data" / "hull.json").read_text())
    return Hull(((entry["counts"], entry["energy"]) for entry in content["entries"]), name=BUILTIN)


def _materials_project(api_key: str | None) -> Hull:
    from crystalgfn.stability.materials_project import MaterialsProjectHull

    return MaterialsProjectHull(api_key=api_key)


def _numbers(path: Path, table: Any, name: str) -> NDArray[Any]:
    try:
        return table[name].to_numpy().astype(float)
    except (TypeError, ValueError):
        raise DataError(f"{path.name}: column {name!r} holds text, allowed: numbers in eV/atom") from None


HULLS: dict[str, HullSource] = {
    BUILTIN: HullSource("prototypes relaxed with CHGNet, 12 elements", _builtin),
    "mp": HullSource("the Materials Project, with the user's key in MP_API_KEY", _materials_project),
}
"""Hulls by name."""
