"""Formation energies on a potential's own scale, from its energies of the elements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import DataError
from crystalgfn.files.reading import parse_json, read_text

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class FormationEnergy:
    """A formation energy, or the reason why there is none.

    Attributes:
        value: eV/atom against the potential's elemental references; NaN where there is none.
        reason: why the value is NaN; empty otherwise.
    """

    value: float
    reason: str = ""


@dataclass(frozen=True)
class References:
    """Energies of the elements on a potential's scale.

    Attributes:
        energies: energies (eV/atom) by atomic number.
        potential: name of the potential.
        error: mean absolute error (eV/atom) of formation energies against DFT, or NaN where unknown.
    """

    energies: Mapping[int, float]
    potential: str
    error: float = math.nan

    @classmethod
    def from_file(cls, path: str | Path) -> References:
        """Read ``{"potential": name, "references": {symbol: eV/atom}}``.

        Raises:
            DataError: the file is unreadable, an element is unknown, or a value is not a finite number.
        """
        try:
            text = read_text(path)
        except DataError as error:
            raise DataError(f"references: {error}") from None
        return cls._parse(text, str(path))

    @classmethod
    def builtin(cls, name: str) -> References:
        """Return the shipped references of a potential, which were made by ``scripts/data/fit_references.py``."""
        return cls._parse((files(__package__) / "data" / f"{name}.json").read_text(), name)

    @classmethod
    def _parse(cls, text: str, source: str) -> References:
        try:
            content = parse_json(text, dict[str, Any], source)
            table = {atomic_number(symbol): float(value) for symbol, value in content["references"].items()}
        except (ValueError, TypeError, KeyError, AttributeError, DataError) as error:
            raise DataError(
                f"{source}: not a table of references ({type(error).__name__}: {error}), allowed: JSON with "
                '"references": {symbol: eV/atom}'
            ) from None
        if not all(map(math.isfinite, table.values())):
            raise DataError(f"{source}: a reference is not finite, allowed: numbers in eV/atom")
        stated = content.get("error")
        mae = stated.get("mae") if isinstance(stated, dict) else None
        doubt = float(mae) if isinstance(mae, int | float) else math.nan
        return cls(table, str(content.get("potential", source)), doubt)

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the energy minus the mean reference of its atoms (eV/atom), or the reason why there is none."""
        if not math.isfinite(energy):
            return FormationEnergy(math.nan, "no energy")
        numbers = np.asarray(structure.atomic_numbers)
        missing = sorted(set(numbers.tolist()) - self.energies.keys())
        if missing:
            symbols = ", ".join(SYMBOLS[z] for z in missing)
            return FormationEnergy(math.nan, f"no reference energy of {symbols} for {self.potential}")
        return FormationEnergy(float(energy - np.mean([self.energies[z] for z in numbers.tolist()])))
