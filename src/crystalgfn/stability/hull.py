"""Energy above the convex hull of formation energies, by a linear program per chemical system.

The hull energy of a composition is the least energy of any mixture of known phases with that composition: a linear
program whose columns are the phases of its chemical system, the same value as pymatgen's PhaseDiagram at a tenth of the
time and for any number of elements (a diagram over 12 elements never finishes). An offline hull is a **lower bound** on
the distance to the true hull: phases that it lacks can only move the hull down and the candidate further above it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import DataError
from crystalgfn.stability.answer import HullEnergy, HullKind
from crystalgfn.stability.mixtures import Columns, Floats, Key, System, composition_key, formula_of, lowest_mixture

if TYPE_CHECKING:
    from torch import Tensor

Phase = tuple[Mapping[str, float], float]
"""Counts by element symbol, and formation energy in eV/atom."""

_CACHED_SYSTEMS = 4096
_FEW = 10
"""Up to this many elements the subsystems are listed; above it all systems of the hull are searched."""


class Hull:
    """A convex hull over any number of elements; a chemical system is built when it is first asked for.

    Pure elements are added for every element of the phases: at 0 eV/atom, since formation energies are relative to
    them, unless their ground states by the potential lie elsewhere. :mod:`.load` makes hulls by name and from tables.

    Args:
        phases: counts by symbol and formation energy (eV/atom).
        name: name for reports, such as ``"builtin"``.
        elements: energies of the pure elements (eV/atom) by symbol, above or below 0; 0 for others.
        potential: name of the potential that the energies are by; empty for density functional theory, or unsaid.

    Raises:
        DataError: an unknown element, a count or an energy that is not a finite number.
    """

    phases_are_known = True
    """Whether the phases are crystals that are known to exist or were published, so that one alike is not new."""

    def __init__(
        self,
        phases: Iterable[Phase],
        *,
        name: str = "hull",
        elements: Mapping[str, float] | None = None,
        potential: str = "",
    ) -> None:
        self.name, self.potential = name, potential
        self._elements = {atomic_number(symbol): float(energy) for symbol, energy in (elements or {}).items()}
        self._systems: dict[System, dict[Key, float]] = defaultdict(dict)
        self._given: dict[Key, list[Phase]] = defaultdict(list)
        for counts, energy in phases:
            self._add(counts, energy)
        self._columns = lru_cache(maxsize=_CACHED_SYSTEMS)(self._build)

    def for_potential(self, potential: str) -> Hull:
        """Return the hull to measure a potential's energies from: this one.

        Phases of density functional theory serve every potential whose formation energies are on their scale.

        Raises:
            DataError: the phases are by another potential.
        """
        if self.potential and self.potential != potential:
            raise DataError(
                f"hull {self.name!r}: its phases are by {self.potential}, found energies by {potential}, whose errors "
                f"are others; allowed: builtin, or a table of phases by {potential} or by density functional theory"
            )
        return self

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements in the hull."""
        return tuple(SYMBOLS[z] for z in sorted(z for system in self._systems if len(system) == 1 for z in system))

    def missing(self, symbols: Iterable[str]) -> list[str]:
        """Return those of the elements that are not in the hull."""
        elements = set(self.elements)
        return [symbol for symbol in symbols if symbol not in elements]

    def __len__(self) -> int:
        """Number of compositions in the hull, pure elements included."""
        return sum(map(len, self._systems.values()))

    def energy_above_hull(self, counts: Mapping[str, float], formation_energy: float) -> HullEnergy:
        """Return how far a crystal lies above the hull, eV/atom, or why that is unknown.

        Args:
            counts: atoms (or fractions) by element symbol.
            formation_energy: eV/atom, on the scale of the hull's energies.
        """
        try:
            composition = composition_key(counts)
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
        energy, shares = lowest_mixture(columns, np.array([fraction for _, fraction in composition]))
        if not math.isfinite(energy):
            return HullEnergy(math.nan, f"the hull {self.name!r} has no mixture of this composition")
        products = {formula_of(columns.compositions[i]): float(shares[i]) for i in np.flatnonzero(shares > 1e-9)}
        return HullEnergy(formation_energy - energy, "", energy, HullKind.PHASES, products)

    def energies(self, elements: Sequence[int], counts: NDArray[np.int64]) -> Floats:
        """Return the energy of the hull (B,), eV/atom, at compositions, by one linear program each.

        :class:`~crystalgfn.stability.facets.Facets` gives the same values in batches.

        Args:
            elements: D atomic numbers.
            counts: (B, D) atoms of each element.

        Raises:
            DataError: the hull has no answer for a composition.
        """
        energies = np.zeros(len(counts))
        for row, atoms in enumerate(counts):
            answer = self.energy_above_hull({SYMBOLS[z]: int(n) for z, n in zip(elements, atoms, strict=True)}, 0.0)
            if answer.reason:
                raise DataError(answer.reason)
            energies[row] = answer.hull
        return energies

    def completed(self, elements: Sequence[int], counts: Tensor, energies: Tensor) -> Tensor:
        """Return what the hull makes of the energies (B,), eV/atom, that its phases give: nothing else, without more.

        Args:
            elements: D atomic numbers.
            counts: (B, D) atoms of each element.
            energies: (B,) energies of the lowest mixtures of phases.
        """
        return energies

    def phases_of(self, system: Sequence[int]) -> tuple[Floats, Floats]:
        """Return fractions (P, E) over the sorted elements, and energies (P,), of all phases of a chemical system.

        Raises:
            DataError: the hull has no phase with one of the elements, or phases could not be fetched.
        """
        elements = frozenset(system)
        reason = self._prepare(elements)
        missing = [SYMBOLS[z] for z in sorted(elements) if frozenset((z,)) not in self._systems]
        if reason or missing:
            raise DataError(reason or f"the hull {self.name!r} has no entry with {', '.join(missing)}")
        columns = self._columns(elements)
        return columns.fractions, columns.energies

    def covers(self, counts: Mapping[str, float]) -> bool:
        """Whether the hull holds a phase of the full chemical system of a composition, not only of its subsystems."""
        try:
            return frozenset(z for z, _ in composition_key(counts)) in self._systems
        except DataError:
            return False

    def energies_at(self, counts: Mapping[str, float]) -> tuple[float, ...]:
        """Return the energies of the phases of exactly this composition, eV/atom, rising; empty where there is none.

        Where a table gave distances from a fuller hull, the energies of that hull are among them.

        Args:
            counts: atoms (or fractions) by element symbol.

        Raises:
            DataError: an unknown element, or a count that is not a positive finite number.
        """
        composition = composition_key(counts)
        system = frozenset(z for z, _ in composition)
        self._prepare(system)
        lowest = self._systems.get(system, {}).get(composition)
        return () if lowest is None else tuple(sorted({lowest, *(energy for _, energy in self._given[composition])}))

    def energy_without(self, counts: Mapping[str, float], *, system: bool = False) -> float:
        """Return the energy of the hull at a composition, eV/atom, as if no phase of that composition were known.

        NaN where no mixture of the other phases has that composition, as at a pure element.

        Args:
            counts: atoms (or fractions) by element symbol.
            system: leave out all phases of the full chemical system, not only those of the composition.

        Raises:
            DataError: an unknown element, or a count that is not a positive finite number.
        """
        composition = composition_key(counts)
        size = len(composition)
        columns = self._columns(frozenset(z for z, _ in composition))
        kept = [i for i, other in enumerate(columns.compositions) if other != composition]
        if system:
            kept = [i for i in kept if len(columns.compositions[i]) < size]
        if not kept:
            return math.nan
        rest = Columns(tuple(columns.compositions[i] for i in kept), columns.fractions[kept], columns.energies[kept])
        return lowest_mixture(rest, np.array([fraction for _, fraction in composition]))[0]

    def compositions(self) -> Iterator[Mapping[str, float]]:
        """Yield the composition of the phases in memory, each once: counts by element symbol as they were given."""
        return (phases[0][0] for phases in self._given.values() if phases)

    def _prepare(self, system: System) -> str:
        """Fetch the phases of a system; return a reason if that fails. A hull in memory has nothing to fetch."""
        return ""

    def _add(self, counts: Mapping[str, float], energy: float) -> None:
        if not math.isfinite(energy):
            raise DataError(f"hull entry {dict(counts)}: energy {energy}, allowed: a finite number of eV/atom")
        composition = composition_key(counts)
        for z, _ in composition:
            self._systems[frozenset((z,))].setdefault(((z, 1.0),), self._elements.get(z, 0.0))
        energies = self._systems[frozenset(z for z, _ in composition)]
        energies[composition] = min(float(energy), energies.get(composition, math.inf))
        self._given[composition].append((counts, float(energy)))

    def _build(self, system: System) -> Columns:
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
        return Columns(tuple(compositions), np.array(rows), np.array(energies))

    def _subsystems(self, system: System) -> Sequence[System]:
        if len(system) > _FEW:
            return [part for part in self._systems if part <= system]
        parts = (frozenset(part) for n in range(1, len(system) + 1) for part in combinations(sorted(system), n))
        return [part for part in parts if part in self._systems]
