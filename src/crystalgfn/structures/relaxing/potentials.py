"""Interatomic potentials: energies of many structures, an ASE calculator, and formation energies.

``chgnet`` needs no download. Any ASE calculator can be used instead, named as ``"module:factory"``.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crystalgfn.errors import PropertyError, nearest
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.chgnet import CHGNetPotential
from crystalgfn.structures.relaxing.references import FormationEnergy, References

if TYPE_CHECKING:
    from pymatgen.core import Structure

BUILTIN = ("chgnet",)
"""Names that :func:`load_potential` knows besides ``module:factory``."""


class Potential(Protocol):
    """What relaxation and screening need of a potential.

    Attributes:
        name: for column names and reports, such as ``"chgnet"``.
    """

    @property
    def name(self) -> str:
        """Name for column names and reports."""
        ...

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom, energy only; NaN for a structure that the potential refuses."""
        ...

    def calculator(self) -> Any:
        """Return an ASE calculator with energy (eV), forces (eV/A) and stress (eV/A^3)."""
        ...

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy of a structure whose total energy is ``energy`` (eV/atom)."""
        ...


class ASEPotential:
    """Any ASE calculator; energies one structure at a time.

    Args:
        name: for reports.
        calculator: the ASE calculator.
        references: elemental references; without them there are no formation energies.
    """

    def __init__(self, name: str, calculator: Any, references: References | None = None) -> None:
        self.name = name
        self._calculator = calculator
        self._references = references

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom; NaN for a structure that the calculator refuses."""
        from pymatgen.io.ase import AseAtomsAdaptor

        out = np.full(len(structures), np.nan)
        for i, structure in enumerate(structures):
            with contextlib.suppress(Exception), quiet():
                atoms = AseAtomsAdaptor.get_atoms(structure)
                atoms.calc = self._calculator
                out[i] = float(atoms.get_potential_energy()) / len(atoms)
        return out

    def calculator(self) -> Any:
        """Return the ASE calculator."""
        return self._calculator

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy (eV/atom), or that there are no references for this potential."""
        if self._references is None:
            return FormationEnergy(math.nan, f"no elemental references for {self.name}: give a references file")
        return self._references.formation_energy(structure, energy)


def load_potential(name: str, *, references: str | Path | None = None) -> Potential:
    """Return a potential by name.

    Args:
        name: ``"chgnet"``, or ``"module:factory"`` where calling ``factory()`` gives an ASE calculator.
        references: JSON file of elemental references, see :meth:`References.from_file`.

    Raises:
        PropertyError: unknown name, missing package, or a factory that fails.
        DataError: unreadable references.
    """
    table = None if references is None else References.from_file(references)
    if name == "chgnet":
        return CHGNetPotential(table)
    module, colon, factory = name.partition(":")
    if not colon or not module or not factory:
        raise PropertyError(
            f"unknown potential {name!r}{nearest(name, BUILTIN)}, allowed: {', '.join(BUILTIN)} or module:factory of "
            "an ASE calculator"
        )
    try:
        with quiet():
            calculator = getattr(importlib.import_module(module), factory)()
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise PropertyError(f"potential {name!r} cannot be loaded ({type(error).__name__}: {reason})") from error
    if not hasattr(calculator, "get_potential_energy"):
        raise PropertyError(
            f"potential {name!r} gave {type(calculator).__name__}, allowed: an ASE calculator (get_potential_energy)"
        )
    return ASEPotential(name, calculator, table)
