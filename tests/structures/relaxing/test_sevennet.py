"""SevenNet: corrections as pymatgen has them, in energies and in what a relaxation ends with."""

import math
import sys

import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import PropertyError
from crystalgfn.structures.relaxing.potentials.registry import load_potential
from crystalgfn.structures.relaxing.potentials.sevennet import SevenNetPotential, mp2020_correction
from crystalgfn.structures.relaxing.relaxation import Schedule

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
IRON_OXIDE = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.3), ["Fe", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_corrections_are_those_of_mp2020():
    # Wang et al. 2021, table 1: Cl -0.614, oxide O -0.687, Fe in oxides -2.256 eV an atom
    assert mp2020_correction(SALT, -27.0) == pytest.approx(-0.614 / 2)
    assert mp2020_correction(IRON_OXIDE, -50.0) == pytest.approx((-0.687 - 2.256) / 2)
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.4), ["Si"], [[0, 0, 0]])
    assert mp2020_correction(silicon, -40.0) == 0


def test_without_sevenn_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sevenn.calculator", None)
    with pytest.raises(PropertyError, match=r"crystalgfn\[second-opinion\]"):
        SevenNetPotential()
    with pytest.raises(PropertyError, match="nearest: '7net-0'"):
        SevenNetPotential("7net_0")


def test_results_of_a_relaxation_are_on_the_scale_of_the_materials_project():
    pytest.importorskip("sevenn", reason="the extra 'second-opinion' is not installed")
    potential = load_potential("7net-0")
    salt, alone = SALT.get_primitive_structure(), Structure(Lattice.cubic(8), ["Xe"], [[0, 0, 0]])
    schedule = Schedule(steps=20, free_steps=5)
    relaxed, lost = potential.relax([salt, alone], seed=0, schedule=schedule)
    assert relaxed.ok
    assert relaxed.energy == pytest.approx(float(potential.energies([relaxed.structure])[0]), abs=1e-4)
    assert relaxed.energy_initial == pytest.approx(float(potential.energies([salt])[0]), abs=1e-4)
    raw = potential._raw.energies([relaxed.structure])[0]
    assert relaxed.energy == pytest.approx(raw - 0.614 / 2, abs=1e-4)
    assert potential.formation_energy(relaxed.structure, relaxed.energy).value == pytest.approx(-2.1, abs=0.1)
    assert math.isfinite(lost.energy) != bool(lost.failure)
