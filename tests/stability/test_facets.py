"""Batched hull energies equal the linear program, everywhere."""

from pathlib import Path

import numpy as np
import pytest
import scipy.spatial
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import QhullError

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import DataError
from crystalgfn.stability.facets import Facets, _planes
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import load_hull
from crystalgfn.stability.phases import SHIPPED, ground_states, read_phases

PHASES = [
    (counts, energy)
    for counts, energy in read_phases(SHIPPED["chgnet"])
    if set(counts) <= {"H", "Li", "C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Fe"}
]
SHIPPED_PHASES = Hull(PHASES, elements=ground_states(PHASES))
ELEMENTS = tuple(atomic_number(symbol) for symbol in SHIPPED_PHASES.elements)


def linear_program(hull, elements, counts):
    return [
        hull.energy_above_hull({SYMBOLS[z]: n for z, n in zip(elements, row, strict=True) if n}, 0.0).hull
        for row in counts.tolist()
    ]


def random_counts(size, *, most=5, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 13, size=(size, len(ELEMENTS)))
    order = rng.random(counts.shape).argsort(1)
    return torch.as_tensor(counts * (order < rng.integers(1, most + 1, size=(size, 1))))


def test_the_phases_that_ship_as_the_linear_program_has_them():
    counts = random_counts(400)
    found = Facets(SHIPPED_PHASES).energies(ELEMENTS, counts)
    assert found.shape == (400,)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, linear_program(SHIPPED_PHASES, ELEMENTS, counts), atol=1e-8)
    assert (found < -0.1).double().mean() > 0.5  # not a comparison of zeros


def test_phases_themselves_and_elements_are_on_the_hull():
    hull = Hull([({"Li": 2, "O": 1}, -2.0), ({"Li": 1, "O": 1}, -1.6), ({"Li": 1}, 0.0), ({"O": 1}, 0.3)])
    counts = torch.tensor([[2, 1], [1, 1], [1, 0], [0, 3], [1, 3]])
    found = Facets(hull).energies((3, 8), counts)
    np.testing.assert_allclose(found, [-2.0, -1.6, 0, 0, -0.8], atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(0, 40))
def test_random_hulls_as_the_linear_program_has_them(seed, size, phases):
    rng = np.random.default_rng(seed)
    elements = ELEMENTS[:size]
    rows = rng.integers(0, 5, size=(phases, size))
    rows = rows[rows.sum(1) > 0]
    entries = [
        ({SYMBOLS[z]: int(n) for z, n in zip(elements, row, strict=True) if n}, float(energy))
        for row, energy in zip(rows, rng.normal(-0.5, 1, size=len(rows)), strict=True)
    ]
    hull = Hull([*entries, *(({SYMBOLS[z]: 1}, 0.0) for z in elements)])
    counts = torch.as_tensor(rng.integers(0, 9, size=(20, size)))
    counts[:, 0] += counts.sum(1) == 0
    np.testing.assert_allclose(
        Facets(hull).energies(elements, counts), linear_program(hull, elements, counts), atol=1e-7
    )


def test_the_order_of_elements_and_of_calls_changes_nothing():
    counts = random_counts(50, seed=3)
    facets = Facets(SHIPPED_PHASES)
    first = facets.energies(ELEMENTS, counts)
    facets.energies(ELEMENTS, random_counts(50, seed=4))
    assert torch.equal(facets.energies(ELEMENTS, counts), first)
    turned = tuple(reversed(ELEMENTS))
    torch.testing.assert_close(facets.energies(turned, counts.flip(1)), first, atol=1e-9, rtol=0)


def test_an_element_that_the_hull_lacks_is_named():
    with pytest.raises(DataError, match="no entry with U"):
        Facets(SHIPPED_PHASES).energies((8, 92), torch.tensor([[2, 1]]))
    ground = SHIPPED_PHASES.energy_above_hull({"O": 1}, 0.0).hull
    assert Facets(SHIPPED_PHASES).energies((8, 92), torch.tensor([[2, 0]])).tolist() == [ground]


@pytest.mark.parametrize("energy", [-1e13, -1e15])
def test_a_hull_too_steep_for_qhull_is_a_linear_program(energy):
    # Qhull finds no bottom, or raises that the first simplex is flat
    hull = Hull([({"Li": 2, "O": 1}, energy), ({"Mg": 1, "O": 1}, -3.0)])
    counts = torch.tensor([[2, 1, 0], [1, 1, 0], [0, 1, 1]])
    elements = (3, 8, 12)
    found = Facets(hull).energies(elements, counts)
    np.testing.assert_allclose(found, [energy, 0.75 * energy, -3.0], rtol=1e-9)


def test_an_error_of_qhull_is_a_linear_program(monkeypatch):
    def failing(*_):
        raise QhullError("QH6154 Qhull precision error: Initial simplex is flat")

    counts = random_counts(40, seed=7)
    expected = Facets(SHIPPED_PHASES).energies(ELEMENTS, counts)
    monkeypatch.setattr(scipy.spatial, "ConvexHull", failing)
    np.testing.assert_allclose(Facets(SHIPPED_PHASES).energies(ELEMENTS, counts), expected, atol=1e-8)


SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.skipif(not SHARED.exists(), reason="needs the development data")
def test_a_system_of_seven_elements_that_qhull_refuses():
    elements = tuple(atomic_number(symbol) for symbol in ("O", "F", "Mg", "Al", "K", "Mn", "Ge"))
    hull = load_hull(SHARED / "hull_entries.parquet")
    assert np.isnan(_planes(*hull.phases_of(elements))).all()
    counts = torch.tensor([[12, 2, 1, 2, 1, 1, 3], [4, 1, 1, 1, 1, 1, 1], [3, 0, 1, 0, 0, 0, 1]])
    np.testing.assert_allclose(Facets(hull).energies(elements, counts), linear_program(hull, elements, counts))
