"""The second opinion: corrections as pymatgen has them, flags, and a clear error without the extra."""

import math
import sys

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import PropertyError
from crystalgfn.structures.relaxing import second_opinion
from crystalgfn.structures.relaxing.references import References
from crystalgfn.structures.relaxing.second_opinion import SevenNetPotential, mp2020_correction

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
IRON_OXIDE = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.3), ["Fe", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_corrections_are_those_of_mp2020():
    # Wang et al. 2021, table 1: Cl -0.614, oxide O -0.687, Fe in oxides -2.256 eV an atom
    assert mp2020_correction(SALT, -27.0) == pytest.approx(-0.614 / 2)
    assert mp2020_correction(IRON_OXIDE, -50.0) == pytest.approx((-0.687 - 2.256) / 2)
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.4), ["Si"], [[0, 0, 0]])
    assert mp2020_correction(silicon, -40.0) == 0


class Opinionated(SevenNetPotential):
    """Says what it is told."""

    def __init__(self, energy):
        self.name = "told"
        self._energy = energy
        self._references = References({11: 0.0, 17: 0.0}, "told")

    def energies(self, structures):
        return np.full(len(structures), self._energy)


def test_flags():
    agreed = Opinionated(-2.0).opinion(SALT, -2.05)
    assert not agreed.flagged
    assert agreed.difference == pytest.approx(0.05)
    assert Opinionated(-2.0).opinion(SALT, -2.3).flagged
    assert "+0.300" in Opinionated(-2.0).opinion(SALT, -2.3).reason
    assert not Opinionated(-2.0).opinion(SALT, -2.3, threshold=0.5).flagged
    silent = Opinionated(math.nan).opinion(SALT, -2.0)
    assert silent.flagged
    assert "no energy" in silent.reason
    assert Opinionated(-2.0).opinion(SALT, math.nan).flagged


def test_without_sevenn_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sevenn.calculator", None)
    with pytest.raises(PropertyError, match=r"crystalgfn\[second-opinion\]"):
        SevenNetPotential()
    with pytest.raises(PropertyError, match="nearest: '7net-0'"):
        SevenNetPotential("7net_0")


def test_salt_by_sevennet():
    pytest.importorskip("sevenn", reason="the extra 'second-opinion' is not installed")
    potential = SevenNetPotential("7net-0")
    primitive = SALT.get_primitive_structure()
    opinion = potential.opinion(primitive, -2.1)
    assert opinion.formation_energy == pytest.approx(-2.1, abs=0.05)  # Materials Project: -2.10 eV/atom
    assert not opinion.flagged
    assert second_opinion.THRESHOLD == 0.1
