"""Interatomic potentials: energies of many structures, an ASE calculator, and formation energies.

``chgnet`` is CHGNet 0.3.0 (Deng et al., Nat. Mach. Intell. 5, 1031 (2023), arXiv:2302.14231), whose weights are in its
wheel: nothing is fetched. Its energies are on the scale of the Materials Project's 2020 corrections. Any ASE calculator
can be used instead, named as ``"module:factory"``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import DataError, PropertyError, nearest

if TYPE_CHECKING:
    from pymatgen.core import Structure

BATCH = 32
"""Structures a call of CHGNet's energy-only prediction."""

BUILTIN = ("chgnet",)
"""Names that :func:`load_potential` knows besides ``module:factory``."""


@dataclass(frozen=True)
class FormationEnergy:
    """A formation energy, or why there is none.

    Attributes:
        value: eV/atom against the potential's elemental references; NaN where there is none.
        reason: why the value is NaN; empty otherwise.
    """

    value: float
    reason: str = ""


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


@dataclass(frozen=True)
class References:
    """Energies of the elements on a potential's scale.

    Attributes:
        energies: eV/atom by atomic number.
        potential: the potential they belong to.
        error: mean absolute error (eV/atom) of formation energies against DFT, or NaN where unknown.
    """

    energies: Mapping[int, float]
    potential: str
    error: float = math.nan

    @classmethod
    def from_file(cls, path: str | Path) -> References:
        """Read ``{"potential": name, "references": {symbol: eV/atom}}``.

        Raises:
            DataError: unreadable file, unknown element, or a value that is not a finite number.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: references cannot be read ({error})") from None
        return cls._parse(text, str(path))

    @classmethod
    def builtin(cls, name: str) -> References:
        """Return the references that ship with the package; made by ``scripts/fit_references.py``."""
        return cls._parse((files(__package__) / "data" / f"{name}.json").read_text(), name)

    @classmethod
    def _parse(cls, text: str, source: str) -> References:
        try:
            content = json.loads(text)
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
        return cls(table, str(content.get("potential", source)), math.nan if mae is None else float(mae))

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return energy - sum of fraction times reference (eV/atom), or the reason why there is none."""
        if not math.isfinite(energy):
            return FormationEnergy(math.nan, "no energy")
        numbers = np.asarray(structure.atomic_numbers)
        missing = sorted(set(numbers.tolist()) - self.energies.keys())
        if missing:
            symbols = ", ".join(SYMBOLS[z] for z in missing)
            return FormationEnergy(math.nan, f"no reference energy of {symbols} for {self.potential}")
        return FormationEnergy(float(energy - np.mean([self.energies[z] for z in numbers.tolist()])))


class CHGNetPotential:
    """CHGNet with the weights of its wheel, on the CPU.

    Args:
        references: elemental references; the shipped ones by default.

    Raises:
        PropertyError: chgnet is not installed.
    """

    name = "chgnet"

    def __init__(self, references: References | None = None) -> None:
        try:
            from chgnet.model import CHGNet
        except ImportError:
            raise PropertyError("chgnet is not installed: pip install 'crystalgfn[structures]'") from None
        with quiet():
            self._model = CHGNet.load(use_device="cpu", verbose=False)
        self._references = references
        self._calculator: Any = None

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom, in batches; NaN for a structure that CHGNet refuses."""
        out = np.full(len(structures), np.nan)
        # alike sizes together: a batch costs what its atoms cost, and fails as one
        order = np.argsort([len(structure) for structure in structures], kind="stable")
        for start in range(0, len(order), BATCH):
            self._fill(out, structures, order[start : start + BATCH])
        return out

    def calculator(self) -> Any:
        """Return the ASE calculator, one for the life of the potential; energy, forces and stress, no magnetism."""
        if self._calculator is None:
            from chgnet.model.dynamics import CHGNetCalculator

            class Calculator(CHGNetCalculator):
                def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = None) -> None:
                    super().calculate(atoms, properties, system_changes, task="efs")

            with quiet():
                # a crystal whose atoms fly apart ends with an error, which relaxation records
                self._calculator = Calculator(self._model, use_device="cpu", on_isolated_atoms="error")
        return self._calculator

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy (eV/atom) with CHGNet's fitted references."""
        if self._references is None:
            self._references = References.builtin("chgnet")
        return self._references.formation_energy(structure, energy)

    def _fill(self, out: NDArray[np.float64], structures: Sequence[Structure], rows: NDArray[Any]) -> None:
        try:
            self._model.graph_converter.set_isolated_atom_response("error")
            with quiet():
                found = self._model.predict_structure([structures[i] for i in rows], task="e", batch_size=BATCH)
            found = [found] if isinstance(found, dict) else found
            out[rows] = [float(prediction["e"]) for prediction in found]
        except Exception:  # isolated atoms, singular cells, unknown elements: whatever it is, it is one structure's
            if len(rows) > 1:
                half = len(rows) // 2
                self._fill(out, structures, rows[:half])
                self._fill(out, structures, rows[half:])


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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries print and warn of away from the user's terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
