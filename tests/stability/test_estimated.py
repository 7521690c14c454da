"""A hull with an estimate: the lower of both answers, says which, and says the same in batches."""

import math

import numpy as np
import pytest
import torch

from crystalgfn.stability.answer import HullKind
from crystalgfn.stability.estimated import EstimatedHull
from crystalgfn.stability.facets import Facets

PHASES = [({"Li": 2, "O": 1}, -2.0), ({"Mg": 1, "O": 1}, -3.0), ({"Li": 1}, 0.02), ({"Mg": 1}, -0.01), ({"O": 1}, 0.0)]
ELEMENTS = {"Li": 0.02, "Mg": -0.01, "O": 0.0}


def flat(elements, counts):
    """An estimate of -1 eV/atom for everything, which errs by 0.1."""
    return torch.full((len(counts),), -1.0, dtype=torch.float64), torch.full((len(counts),), 0.1, dtype=torch.float64)


HULL = EstimatedHull(PHASES, flat, name="ours", elements=ELEMENTS)


def test_phases_answer_where_they_reach_lower():
    found = HULL.energy_above_hull({"Mg": 1, "O": 1}, -2.9)
    assert (found.kind, found.value) == (HullKind.PHASES, pytest.approx(0.1))
    assert found.products == "1 MgO"
    assert math.isnan(found.deviation)


def test_the_estimate_answers_elsewhere_without_products():
    found = HULL.energy_above_hull({"Li": 3, "Mg": 1}, -0.5)
    assert (found.kind, found.value, found.hull) == (HullKind.ESTIMATE, pytest.approx(0.5), -1.0)
    assert (found.decomposition, found.products, found.deviation) == ({}, "", pytest.approx(0.1))


def test_elements_end_at_their_ground_states_and_are_not_estimated():
    for symbol, energy in ELEMENTS.items():
        found = HULL.energy_above_hull({symbol: 4, "Xe": 0}, 0.1)
        assert (found.kind, found.value) == (HullKind.PHASES, pytest.approx(0.1 - energy))


def test_what_is_unknown_has_no_kind():
    found = HULL.energy_above_hull({"Li": 1, "Xe": 1}, 0.0)
    assert (found.kind, found.reason) == (None, "the hull 'ours' has no entry with Xe")
    assert HULL.energy_above_hull({"Li": 1, "O": 1}, math.nan).kind is None


@pytest.mark.parametrize("elements", [(3, 8, 12), (12, 3, 8)])
def test_batches_agree(elements):
    counts = torch.tensor([[2, 1, 0], [0, 1, 1], [4, 0, 0], [1, 1, 1], [3, 0, 1], [1, 9, 0]])
    expected = HULL.energies(elements, counts.numpy())
    assert (expected == -1).sum() in (1, 2, 3)
    np.testing.assert_allclose(Facets(HULL).energies(elements, counts), expected, atol=1e-9)


def test_draws_spread_like_the_deviation_and_stay_below_the_phases():
    errors = np.linspace(-2, 2, 5)
    assert HULL.draws({"Li": 3, "Mg": 1}, errors).tolist() == pytest.approx([-1.2, -1.1, -1.0, -0.9, -0.8])
    assert HULL.draws({"Mg": 1, "O": 1}, errors).tolist() == [-3.0] * 5
    assert HULL.draws({"Li": 4}, errors).tolist() == pytest.approx([0.02] * 5)
