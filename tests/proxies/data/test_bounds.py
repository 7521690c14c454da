"""The hull under unknown compositions, and the random crystals that stand on it."""

import numpy as np
import pytest
import torch

from crystalgfn.crystallography.elements import ATOMIC_VOLUME
from crystalgfn.crystallography.lattices import satisfies_lattice_system
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.data.bounds import hull_energies, random_crystals
from property_data import table


def test_hull_of_a_binary_system_by_hand():
    # A2B at -1.5 and AB3 at -0.7 are on it, AB at -0.3 and a second A2B are not
    counts, energy = np.array([[2, 1], [1, 1], [1, 3], [2, 1]]), np.array([-1.5, -0.3, -0.7, -1.0])
    found = hull_energies((3, 8), counts, energy, np.array([[4, 2], [1, 0], [1, 1], [5, 1], [1, 5]]))
    between = -0.7 + (-1.5 + 0.7) * (1 / 2 - 1 / 4) / (2 / 3 - 1 / 4)
    assert found == pytest.approx([-1.5, 0.0, between, -1.5 * (1 / 6) / (1 / 3), -0.7 * (1 / 6) / (1 / 4)])


def test_other_elements_do_not_count():
    counts, energy = np.array([[1, 1, 0], [1, 1, 1]]), np.array([-1.0, -9.0])
    found = hull_energies((3, 8, 26), counts, energy, np.array([[1, 1, 0], [1, 0, 1]]))
    assert found == pytest.approx([-1.0, 0.0])


def test_agrees_with_pymatgen():
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition, Element

    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, size=(30, 3))
    counts = counts[(counts > 0).sum(1) > 1]
    energy = -rng.uniform(0, 2, len(counts))
    symbols = ("Li", "Fe", "O")
    make = lambda row: Composition(dict(zip(symbols, map(int, row), strict=True)))  # noqa: E731
    entries = [PDEntry(make(row), e * row.sum()) for row, e in zip(counts, energy, strict=True)]
    diagram = PhaseDiagram([*entries, *(PDEntry(Composition(s), 0.0) for s in symbols)], [Element(s) for s in symbols])
    asked = rng.integers(1, 9, size=(20, 3))
    expected = [diagram.get_hull_energy_per_atom(make(row)) for row in asked]
    assert hull_energies((3, 26, 8), counts, energy, asked) == pytest.approx(expected, abs=1e-6)


def test_random_crystals_are_what_a_sampler_could_make():
    known = Crystals.from_dataframe(table(100))
    crystals = random_crystals(known, 500, seed=1)
    assert bool(
        satisfies_lattice_system(crystals.lattice, torch.tensor(CRYSTAL_LATTICE_SYSTEM)[crystals.space_group]).all()
    )
    ratio = crystals.volume.numpy() / (crystals.counts.numpy() @ ATOMIC_VOLUME[list(crystals.elements)])
    assert 0.599 < ratio.min() < ratio.max() < 1.601
    held = (crystals.counts > 0).sum(1)
    assert (int(held.min()), int(held.max())) == (2, 5)
    assert int(crystals.counts.max()) == 16
    assert random_crystals(known, 500, seed=1).equals(crystals)
