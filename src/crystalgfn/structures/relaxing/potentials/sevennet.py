"""SevenNet (Park et al., J. Chem. Theory Comput. 20, 4857 (2024), arXiv:2402.03789), whose weights are in its wheel.

It gives raw DFT energies. With pymatgen's MaterialsProject2020Compatibility they are on the scale of the Materials
Project's hull.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.errors import PropertyError, nearest
from crystalgfn.structures.quiet import quiet
from crystalgfn.structures.relaxing.potentials.batched import BatchedPotential
from crystalgfn.structures.relaxing.potentials.batcher import Batcher
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.references import FormationEnergy, References
from crystalgfn.structures.relaxing.potentials.sevennet_batches import SevenNetBatches
from crystalgfn.structures.relaxing.relaxation import Prerelaxed, Relaxation, Relaxed, Schedule

if TYPE_CHECKING:
    from pymatgen.core import Structure

MODELS = ("7net-l3i5", "7net-0")
"""Weights in the wheel, each with elemental references that ship; l3i5 errs less, 7net-0 is about twice as fast."""


class SevenNetPotential:
    """SevenNet, with energies on the scale of the Materials Project.

    It is a :class:`~crystalgfn.structures.relaxing.potentials.potential.Potential`. Relaxation follows SevenNet's own
    energies and forces; the energies of the results are corrected.

    Args:
        model: one of :data:`MODELS`.
        references: elemental references; those of the model that ship by default.
        batcher: computes many structures at once, on its device; by default one after the other on the CPU.

    Raises:
        PropertyError: the model is unknown, or sevenn is not installed.
    """

    def __init__(
        self, model: str = "7net-l3i5", references: References | None = None, batcher: Batcher | None = None
    ) -> None:
        if model not in MODELS:
            raise PropertyError(f"unknown model {model!r}{nearest(model, MODELS)}, allowed: {', '.join(MODELS)}")
        try:
            from sevenn.calculator import SevenNetCalculator
        except ImportError:
            raise PropertyError("sevenn is not installed: pip install 'crystalgfn[second-opinion]'") from None
        self.name = model
        with quiet():
            calculator = SevenNetCalculator(model, device="cpu" if batcher is None else batcher.device)
        self._raw = CalculatorPotential(model, calculator)
        if batcher is not None:
            self._raw = BatchedPotential(model, SevenNetBatches(calculator), batcher)
        self._references = references

    def calculator(self) -> Any:
        """Return SevenNet's ASE calculator, whose energies are **not** corrected."""
        return self._raw.calculator()

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return corrected energies (B,), eV/atom; NaN for a structure that SevenNet or the corrections refuse."""
        raw = self._raw.energies(structures)
        pairs = zip(structures, raw.tolist(), strict=True)
        return np.array([corrected(structure, energy) for structure, energy in pairs], dtype=np.float64)

    def prerelax(self, structures: Sequence[Structure], *, steps: int) -> list[Prerelaxed]:
        """Choose volumes and relax for a few steps; energies are **not** corrected yet."""
        return self._raw.prerelax(structures, steps=steps)

    def relax(
        self,
        structures: Sequence[Structure],
        *,
        seed: int,
        schedule: Schedule,
        prerelaxed: Sequence[Prerelaxed] | None = None,
    ) -> list[Relaxed]:
        """Relax with SevenNet's own energies and forces, and correct the energies of the results."""
        results = self._raw.relax(structures, seed=seed, schedule=schedule, prerelaxed=prerelaxed)
        return [_corrected_result(result, structure) for result, structure in zip(results, structures, strict=True)]

    def formation_energy(self, structure: Structure, energy: float) -> FormationEnergy:
        """Return the formation energy (eV/atom) of a corrected energy (eV/atom)."""
        if self._references is None:
            self._references = References.builtin(self.name)
        return self._references.formation_energy(structure, energy)


def corrected(structure: Structure, energy: float) -> float:
    """Return the corrected energy (eV/atom) of a structure with a raw energy (eV/atom); NaN where there is none."""
    if not math.isfinite(energy):
        return math.nan
    try:
        with quiet():
            return energy + mp2020_correction(structure, energy * len(structure))
    except Exception:  # unknown elements, singular cells
        return math.nan


def _corrected_result(result: Relaxed, initial: Structure) -> Relaxed:
    energy = corrected(result.structure, result.energy)
    lost = math.isfinite(result.energy) and not math.isfinite(energy)
    return replace(
        result,
        energy=energy,
        energy_initial=corrected(initial, result.energy_initial),
        symmetric=_corrected_run(result.symmetric),
        free=_corrected_run(result.free),
        failure="the Materials Project's corrections do not apply to this structure" if lost else result.failure,
    )


def _corrected_run(run: Relaxation | None) -> Relaxation | None:
    return None if run is None else replace(run, energy=corrected(run.structure, run.energy))


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
