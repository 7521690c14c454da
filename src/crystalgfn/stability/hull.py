"""Energy above the convex hull of formation energies, by a linear program per chemical system.

The hull energy of a composition is the least energy of any mixture of known phases with that composition: a linear
program whose columns are the phases of its chemical system, the same value as pymatgen's PhaseDiagram at a tenth of the
time and for any number of elements (a diagram over 12 elements never finishes). An offline hull is a **lower bound** on
the distance to the true hull: phases that it lacks can only move the hull down and the candidate further above it.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import DataError, nearest

Floats = NDArray[np.float64]
System = frozenset[int]
"""Atomic numbers of a chemical system."""

Key = tuple[tuple[int, float], ...]
"""A composition: atomic numbers in order, each with its fraction of the atoms."""

Phase = tuple[Mapping[str, float], float]
"""Counts by element symbol, and formation energy in eV/atom."""

COLUMNS = ("elements", "formation_energy_per_atom")

_KEPT_SYSTEMS = 4096
_FEW = 10
"""Up to this many elements the subsystems are listed; above it every system is looked at."""


@dataclass(frozen=True)
class HullEnergy:
    """Where a composition stands.

    Attributes:
        value: energy above hull, eV/atom; below zero for a crystal under the known hull; NaN where there is none.
        reason: why the value is NaN; empty otherwise.
        hull: energy of the hull at the composition, eV/atom (formation energy).
        decomposition: the phases of the hull there, by reduced formula: share of the atoms.
    """

    value: float
    reason: str = ""
    hull: float = math.nan
    decomposition: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Columns:
    """The phases of one chemical system: fractions (P, E) over sorted elements, energies (P,) in eV/atom."""

    compositions: tuple[Key, ...]
    fractions: Floats
    energies: Floats


class Hull:
    """A convex hull over any number of elements; only systems that are asked for are ever built.

    Pure elements are added at 0 eV/atom for every element of the phases, since formation energies are relative to them.

    Args:
        phases: counts by symbol and formation energy (eV/atom).
        name: for reports, such as ``"builtin"``.

    Raises:
        DataError: an unknown element, a count or an energy that is not a finite number.
    """

    def __init__(self, phases: Iterable[Phase], *, name: str = "hull") -> None:
        self.name = name
        self._systems: dict[System, dict[Key, float]] = defaultdict(dict)
        self.phases = 0
        for counts, energy in phases:
            self._add(counts, energy)
        self._columns = lru_cache(maxsize=_KEPT_SYSTEMS)(self._build)

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols that the hull knows."""
        return tuple(SYMBOLS[z] for z in sorted(z for system in self._systems if len(system) == 1 for z in system))

    def missing(self, symbols: Iterable[str]) -> list[str]:
        """Return the elements among these that the hull cannot answer for."""
        known = set(self.elements)
        return [symbol for symbol in symbols if symbol not in known]

    def __len__(self) -> int:
        """How many compositions the hull holds, pure elements with them."""
        return sum(map(len, self._systems.values()))

    @classmethod
    def load(cls, source: str | Path, *, api_key: str | None = None) -> Hull:
        """Return a hull: ``"builtin"``, ``"mp"`` (the Materials Project, with the user's key) or a table file.

        Raises:
            DataError: unreadable file, missing column, no key, or mp-api is not installed.
        """
        if str(source) == "builtin":
            return cls.builtin()
        if str(source) == "mp":
            from crystalgfn.stability.materials_project import MaterialsProjectHull

            return MaterialsProjectHull(api_key=api_key)
        if not Path(source).suffix:
            named = nearest(str(source), ("builtin", "mp"))
            raise DataError(f"unknown hull {str(source)!r}{named}, allowed: builtin, mp, or a table (.parquet, .csv)")
        return cls.from_file(source)

    @classmethod
    def builtin(cls) -> Hull:
        """Return the hull that ships: prototypes relaxed with CHGNet by ``scripts/build_hull.py``, 12 elements.

        Against the real hull at 520 compositions its hull energy is off by 0.140 eV/atom on average (median 0.069;
        0.083 in the 41 % whose chemical system it holds a phase of), too high by more than 0.025 at 74 % of them and
        too low at 3 %: ``python benchmarks/hull.py HULL_ENTRIES.parquet``. Good enough to reject, not to claim
        stability.
        """
        content = json.loads((files("crystalgfn.stability") / "data" / "hull.json").read_text())
        return cls(((entry["counts"], entry["energy"]) for entry in content["entries"]), name="builtin")

    @classmethod
    def from_file(cls, path: str | Path) -> Hull:
        """Read a table (.parquet, .csv) with ``elements`` (JSON counts) and ``formation_energy_per_atom`` (eV/atom).

        Where there is a column ``e_above_hull`` (eV/atom), formation energy minus it is taken too: that is the energy
        of the full hull, from which the rows may be a selection, at the row's composition.

        Raises:
            DataError: unreadable file, missing column, or an impossible row, by number.
        """
        from crystalgfn.crystals.tables.files import read_table

        path = Path(path)
        table = read_table(path)
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            raise DataError(f"{path.name}: no column {missing[0]!r}, allowed: a table with {', '.join(COLUMNS)}")
        energies = _numbers(path, table, "formation_energy_per_atom")
        above = _numbers(path, table, "e_above_hull") if "e_above_hull" in table.column_names else 0 * energies
        # the implied point is never above the entry itself, so it replaces it
        lowest = energies - np.maximum(np.nan_to_num(above), 0)
        phases = []
        for number, (text, energy) in enumerate(zip(table["elements"].to_pylist(), lowest.tolist(), strict=True)):
            if not math.isfinite(energy):
                continue
            try:
                counts = json.loads(text)
                phases.append(({str(k): float(v) for k, v in counts.items()}, energy))
            except (TypeError, ValueError, AttributeError):
                raise DataError(f"{path.name}: row {number}: elements {text!r}, allowed: JSON counts") from None
        return cls(phases, name=path.name)

    def energy_above_hull(self, counts: Mapping[str, float], formation_energy: float) -> HullEnergy:
        """Return how far a crystal lies above the hull, eV/atom, or why that cannot be said.

        Args:
            counts: atoms (or fractions) by element symbol.
            formation_energy: eV/atom, on the scale of the hull's energies.
        """
        try:
            composition = _composition(counts)
        except DataError as error:
            return HullEnergy(math.nan, str(error))
        if not math.isfinite(formation_energy):
            return HullEnergy(math.nan, "no formation energy")
        reason = self._prepare(frozenset(z for z, _ in composition))
        if reason:
            return HullEnergy(math.nan, reason)
        missing = [SYMBOLS[z] for z, _ in composition if frozenset((z,)) not in self._systems]
        if missing:
            return HullEnergy(math.nan, f"the hull {self.name!r} has no entry with {', '.join(missing)}")
        columns = self._columns(frozenset(z for z, _ in composition))
        energy, shares = _minimum(columns, np.array([fraction for _, fraction in composition]))
        if not math.isfinite(energy):
            return HullEnergy(math.nan, f"the hull {self.name!r} has no mixture of this composition")
        products = {_formula(columns.compositions[i]): float(shares[i]) for i in np.flatnonzero(shares > 1e-9)}
        return HullEnergy(formation_energy - energy, "", energy, products)

    def phases_of(self, system: Sequence[int]) -> tuple[Floats, Floats]:
        """Return fractions (P, E) over the sorted elements, and energies (P,), of all phases of a chemical system.

        Raises:
            DataError: the hull has no phase with one of the elements, or they could not be fetched.
        """
        wanted = frozenset(system)
        reason = self._prepare(wanted)
        missing = [SYMBOLS[z] for z in sorted(wanted) if frozenset((z,)) not in self._systems]
        if reason or missing:
            raise DataError(reason or f"the hull {self.name!r} has no entry with {', '.join(missing)}")
        columns = self._columns(wanted)
        return columns.fractions, columns.energies

    def covers(self, counts: Mapping[str, float]) -> bool:
        """Whether the hull holds a phase of the full chemical system of a composition, not only of its subsystems."""
        try:
            return frozenset(z for z, _ in _composition(counts)) in self._systems
        except DataError:
            return False

    def _prepare(self, system: System) -> str:
        """Fetch what is needed for a system; a reason if that fails. Nothing to do for a hull in memory."""
        return ""

    def _add(self, counts: Mapping[str, float], energy: float) -> None:
        if not math.isfinite(energy):
            raise DataError(f"hull entry {dict(counts)}: energy {energy}, allowed: a finite number of eV/atom")
        composition = _composition(counts)
        for z, _ in composition:
            self._systems[frozenset((z,))].setdefault(((z, 1.0),), 0.0)
        known = self._systems[frozenset(z for z, _ in composition)]
        known[composition] = min(float(energy), known.get(composition, math.inf))
        self.phases += 1

    def _build(self, system: System) -> _Columns:
        elements = tuple(sorted(system))
        place = {z: i for i, z in enumerate(elements)}
        compositions: list[Key] = []
        rows: list[Floats] = []
        energies: list[float] = []
        for part in self._subsystems(system):
            for composition, energy in self._systems[part].items():
                row = np.zeros(len(elements))
                for z, fraction in composition:
                    row[place[z]] = fraction
                rows.append(row)
                energies.append(energy)
                compositions.append(composition)
        return _Columns(tuple(compositions), np.array(rows), np.array(energies))

    def _subsystems(self, system: System) -> Sequence[System]:
        if len(system) > _FEW:
            return [known for known in self._systems if known <= system]
        parts = (frozenset(part) for n in range(1, len(system) + 1) for part in combinations(sorted(system), n))
        return [part for part in parts if part in self._systems]


def _minimum(columns: _Columns, target: Floats) -> tuple[float, Floats]:
    """Return the least energy (eV/atom) of a mixture with fractions ``target`` (E,), and the shares (P,)."""
    from scipy.optimize import linprog

    solution = linprog(columns.energies, A_eq=columns.fractions.T, b_eq=target, bounds=(0, None), method="highs")
    if solution.status != 0:
        return math.nan, np.zeros(len(columns.energies))
    shares = np.asarray(solution.x)
    return float(columns.energies @ shares), shares


def _composition(counts: Mapping[str, float]) -> Key:
    """Return (atomic number, fraction) sorted; fractions are rounded to 12 digits so that equal ones compare equal."""
    positive = {atomic_number(symbol): float(n) for symbol, n in counts.items() if n != 0}
    total = sum(positive.values())
    if not positive or not math.isfinite(total) or min(positive.values()) <= 0:
        raise DataError(f"composition {dict(counts)}, allowed: positive counts of at least one element")
    return tuple((z, round(positive[z] / total, 12)) for z in sorted(positive))


def _formula(composition: Key) -> str:
    from pymatgen.core import Composition

    amounts = Composition({SYMBOLS[z]: fraction for z, fraction in composition})
    return str(amounts.get_integer_formula_and_factor(max_denominator=1000)[0])


def _numbers(path: Path, table: Any, name: str) -> Floats:
    try:
        return table[name].to_numpy().astype(float)
    except (TypeError, ValueError):
        raise DataError(f"{path.name}: column {name!r} holds text, allowed: numbers in eV/atom") from None
