"""Phonons of crystals of which it is known whether they are stable, against a second program."""

import math

import pytest
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from crystalgfn.structures.relaxing.phonons import lowest_phonon
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.registry import load_potential

pytest.importorskip("phonopy", reason="the extra 'phonons' is not installed")

POTENTIAL = CalculatorPotential("emt", EMT())
FACE_CENTRED = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
SIMPLE = Structure(Lattice.cubic(2.4), ["Cu"], [[0, 0, 0]])


def lowest(structure, potential=POTENTIAL, seconds=600.0):
    return lowest_phonon(structure, potential, symprec=0.01, time_limit_s=seconds)


def ase_lowest(structure, edge, folder):
    """The lowest frequency by ASE, THz, of copper with this edge, where q is a fourth of the reciprocal lattice."""
    from ase.phonons import Phonons
    from ase.units import invcm

    cell = structure.get_primitive_structure()
    cell.scale_lattice(cell.volume * (edge / structure.lattice.a) ** 3)
    model = Phonons(AseAtomsAdaptor.get_atoms(cell), EMT(), supercell=(4, 4, 4), delta=0.03, name=str(folder))
    model.run()
    model.read(acoustic=True)
    points = [[i / 4, j / 4, k / 4] for i in range(4) for j in range(4) for k in range(4)][1:]
    return float(model.band_structure(points).real.min()) / invcm * 0.0299792458


def test_copper_is_stable_and_its_lowest_phonon_is_that_of_ase(tmp_path):
    found = lowest(FACE_CENTRED)
    assert found.about == "4 x 4 x 4 primitive cells, 64 atoms; displacements: 1"
    # EMT's equilibrium edge of copper is 3.59 A (Jacobsen, Stoltze, Norskov, Surf. Sci. 366, 394 (1996))
    assert found.lowest == pytest.approx(ase_lowest(FACE_CENTRED, 3.59, tmp_path / "ase"), rel=0.02)
    assert found.lowest > 1.0


def test_simple_cubic_copper_is_not():
    assert lowest(SIMPLE).lowest < -1.0


def test_what_does_not_end_says_why():
    late = lowest(FACE_CENTRED, seconds=0.0)
    assert math.isnan(late.lowest)
    assert late.about == "time limit of 0 s"
    unknown = lowest(Structure(Lattice.cubic(4.0), ["U"], [[0, 0, 0]]))
    assert math.isnan(unknown.lowest)
    assert "U" in unknown.about


def test_rock_salt_by_a_potential_of_the_field():
    pytest.importorskip("sevenn", reason="the extra 'phonons' is not installed")
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = lowest(salt, load_potential("7net-0"))
    # neutrons: the transverse acoustic branch ends at 2.6 THz at X (Raunio et al., Phys. Rev. 178, 1496 (1969))
    assert found.lowest == pytest.approx(2.6, abs=0.5)
