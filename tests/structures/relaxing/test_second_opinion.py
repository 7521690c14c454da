"""The second opinion: where two potentials disagree, the structure is flagged with the reason."""

import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn.structures.relaxing import second_opinion
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.potentials.sevennet import SevenNetPotential
from crystalgfn.structures.relaxing.second_opinion import opinion

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


class Opinionated(SevenNetPotential):
    """Says what it is told."""

    def __init__(self, energy):
        self.name = "told"
        self._energy = energy
        self._references = References({11: 0.0, 17: 0.0}, "told")

    def energies(self, structures):
        return np.full(len(structures), self._energy)


def test_flags():
    agreed = opinion(Opinionated(-2.0), SALT, -2.05)
    assert not agreed.flagged
    assert agreed.difference == pytest.approx(0.05)
    assert opinion(Opinionated(-2.0), SALT, -2.3).flagged
    assert "+0.300" in opinion(Opinionated(-2.0), SALT, -2.3).reason
    assert not opinion(Opinionated(-2.0), SALT, -2.3, threshold=0.5).flagged
    silent = opinion(Opinionated(math.nan), SALT, -2.0)
    assert silent.flagged
    assert "no energy" in silent.reason
    assert opinion(Opinionated(-2.0), SALT, math.nan).flagged


def test_salt_by_sevennet():
    pytest.importorskip("sevenn", reason="the extra 'second-opinion' is not installed")
    potential = SevenNetPotential("7net-0")
    primitive = SALT.get_primitive_structure()
    view = opinion(potential, primitive, -2.1)
    assert view.formation_energy == pytest.approx(-2.1, abs=0.05)  # Materials Project: -2.10 eV/atom
    assert not view.flagged
    assert second_opinion.THRESHOLD == 0.1
