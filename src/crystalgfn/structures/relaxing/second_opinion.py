"""A second potential's view of a relaxed structure: SevenNet, whose weights are in its wheel.

SevenNet (Park et al., J. Chem. Theory Comput. 20, 4857 (2024), arXiv:2402.03789) gives raw DFT energies. With
pymatgen's MaterialsProject2020Compatibility they are on the scale of CHGNet's energies and of the Materials Project's
hull, so that the same elemental references serve both and a difference of energies is one of formation energies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.errors import PropertyError, nearest
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.references import FormationEnergy, References

if TYPE_CHECKING:
    from pymatgen.core import Structure

MODELS = ("7net-l3i5", "7net-0")
"""Weights in the wheel: l3i5 is the more accurate, 7net-0 about 2.5 times as fast."""

THRESHOLD = 0.1
"""Difference of formation energies, eV/atom, above which a structure is flagged.

On 250 real crystals, which both potentials know from training, CHGNet and 7net-l3i5 differ by 0.022 on average, by
less than 0.058 in 95 % and by more than 0.1 in 0.4 % of cases: beyond it one of them is wrong. Against DFT they are off
by 0.023 and 0.009. Measured by ``python benchmarks/second_opinion.py CRYSTALS.parquet STRUCTURES.parquet -n 250``.
"""


@dataclass(frozen=True)
class Opinion:
    """What the second potential says.

    Attributes:
        energy: corrected energy, eV/atom; NaN where there is none.
        formation_energy: eV/atom; NaN where there is none.
        difference: second minus first formation energy, eV/atom.
        flagged: whether they disagree by more than the threshold, or the second has no value.
        reason: why it is flagged; empty otherwise.
    """

    energy: float
    formation_energy: float
    difference: float
    flagged: bool
    reason: str = ""


class SevenNetPotential:
    """SevenNet on the Materials Project's scale; a :class:`~crystalgfn.structures.relaxing.potentials.Potential`.

    Args:
        model: one of :data:`MODELS`.
        references: elemental references; CHGNet's shipped ones by default.

    Raises:
        PropertyError: unknown model, or sevenn is not installed.
    """

    def __init__(self, model: str = "7net-l3i5", *, references: References | None = None) -> None:
        if model not in MODELS:
            raise PropertyError(f"unknown model {model!r}{nearest(model, MODELS)}, allowed: {', '.join(MODELS)}")
        try:
            from sevenn.calculator import SevenNetCalculator
        except ImportError:
            raise PropertyError("sevenn is not installed: pip install 'crystalgfn[second-opinion]'") from None
        self.name = model
        with quiet():
            self._calculator = SevenNetCalculator(model, device="cpu")
        self._references = references

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return corrected energies (B,), eV/atom; NaN for a structure that SevenNet or the corrections refuse."""
        from pymatgen.io.ase import AseAtomsAdaptor

        out = np.full(len(structures), np.nan)
        for i, structure in enumerate(structures):
            try:
                with quiet():
                    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
                    atoms.calc = self._calculator
                    raw = float(atoms.get_potential_energy())
                    out[i] = raw / len(atoms) + mp2020_correction(structure, raw)
            except Exception:  # unknown elements, singular cells: no opinion
                continue
        return out

    def calculator(self) -> Any:
        """Return the ASE calculator; its energies are **not** corrected."""
        return self._calculator

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy (eV/atom) of a corrected energy (eV/atom)."""
        if self._references is None:
            self._references = References.builtin("chgnet")
        return self._references.formation_energy(structure, energy)

    def opinion(self, structure: Structure, formation_energy: float, *, threshold: float = THRESHOLD) -> Opinion:
        """Compare with the first potential's formation energy (eV/atom) of the same structure."""
        energy = float(self.energies([structure])[0])
        own = self.formation_energy(structure, energy)
        difference = own.value - formation_energy
        if not math.isfinite(difference):
            reason = own.reason or "no formation energy to compare with"
            return Opinion(energy, own.value, math.nan, True, f"{self.name}: {reason}")
        if abs(difference) > threshold:
            reason = f"{self.name}: formation energy differs by {difference:+.3f} eV/atom, allowed: {threshold:g}"
            return Opinion(energy, own.value, difference, True, reason)
        return Opinion(energy, own.value, difference, False)


def mp2020_correction(structure: Structure, energy: float) -> float:
    """Return the Materials Project's 2020 correction, eV/atom, of a raw DFT energy (eV, of the whole cell).

    Oxidation states are guessed by pymatgen, Hubbard U as in the Materials Project's own calculations
    (Wang et al., Sci. Rep. 11, 15496 (2021)).

    Raises:
        ValueError: pymatgen has no settings for one of the elements.
    """
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
    from pymatgen.entries.computed_entries import ComputedStructureEntry
    from pymatgen.io.vasp.sets import MPRelaxSet

    settings = MPRelaxSet(structure)
    elements = {element.symbol for element in structure.composition.elements}
    # U only where there is oxygen or fluorine, as the input set has it
    incar_u = settings.incar.get("LDAUU", [])
    order = settings.poscar.site_symbols
    hubbards = {s: float(u) for s, u in zip(order, incar_u, strict=False) if u} if settings.incar.get("LDAU") else {}
    entry = ComputedStructureEntry(
        structure,
        energy,
        parameters={
            "run_type": "GGA+U" if hubbards else "GGA",
            "is_hubbard": bool(hubbards),
            "hubbards": hubbards,
            "potcar_symbols": [f"PBE {settings.CONFIG['POTCAR'][symbol]}" for symbol in sorted(elements)],
        },
    )
    corrected = MaterialsProject2020Compatibility(check_potcar=False).process_entry(entry, inplace=False)
    if corrected is None:
        raise ValueError("the corrections do not apply to this structure")
    return float(corrected.correction) / len(structure)
