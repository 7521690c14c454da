"""The network of any number: its scale, its transformations, and that it learns."""

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.registry import build
from property_data import table


@pytest.fixture
def inputs():
    return Featuriser()(Crystals.from_dataframe(table(40)))


def network(transformation: str):
    torch.manual_seed(0)
    sizes = {"members": 2, "token_size": 16, "hidden": 32, "blocks": 1}
    return build(NetworkConfig(kind="scalar", transformation=transformation, **sizes)).eval()


def test_numbers_have_no_floor_and_keep_their_scale(inputs):
    target = torch.linspace(-500, -300, 40)
    model = network("none")
    model.fit_scaling(inputs, target)
    predicted = model(inputs.for_all_members())
    assert predicted.shape == (2, 40)
    assert abs(float(predicted.detach().mean()) + 400) < 200  # an untrained network is near the mean of its labels
    assert float(predicted.max()) < 0


def test_logarithms_give_positive_numbers(inputs):
    model = network("log")
    model.fit_scaling(inputs, torch.logspace(-3, 3, 40))
    predicted = model(inputs.for_all_members())
    assert bool((predicted > 0).all())
    assert torch.isfinite(predicted).all()
    terms = model.terms(inputs.for_all_members(), model.tables())
    assert float(model.loss(terms, terms.energy.detach(), huber=0.3)) == pytest.approx(0, abs=1e-6)


def test_classes_give_probabilities(inputs):
    model = network("classes")
    target = (torch.arange(40) % 2).float()
    model.fit_scaling(inputs, target)
    terms = model.terms(inputs.for_all_members(), model.tables())
    assert bool(((terms.energy > 0) & (terms.energy < 1)).all())
    assert torch.allclose(torch.sigmoid(terms.logit), terms.energy)
    right = model.loss(terms, (terms.energy > 0.5).float(), huber=0.3)
    assert float(right) < float(model.loss(terms, (terms.energy < 0.5).float(), huber=0.3))


def test_the_loss_counts_in_deviations_of_the_labels(inputs):
    losses = []
    for scale in (1.0, 1000.0):
        model = network("none")
        model.fit_scaling(inputs, torch.linspace(0, 1, 40) * scale)
        terms = model.terms(inputs.for_all_members(), model.tables())
        losses.append(float(model.loss(terms, torch.zeros(2, 40), huber=0.3)))
    assert np.isclose(*losses, rtol=1e-3)
