"""The network of the band gap: the expected gap, and its loss."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.gap import gap_loss
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.networks.terms import Terms
from property_data import table

SMALL = NetworkConfig(members=2, hidden=16, blocks=1, token_size=8, blind=True)
INPUTS = Featuriser()(Crystals.from_dataframe(table(20)))


def test_gap_is_the_expected_one():
    network = build(replace(SMALL, kind="gap", blind=False)).eval()
    gaps = torch.tensor([0.0, 0.01] * 5 + [2.0, 4.0] * 5)
    network.fit_scaling(INPUTS, gaps)
    assert float(network.target_mean) == pytest.approx(3.0)  # of the non-metals alone
    terms = network.terms(INPUTS.for_all_members(), network.tables())
    assert terms.logit is not None
    assert terms.gap is not None
    assert bool((terms.gap > 0).all())
    assert torch.allclose(terms.energy, torch.sigmoid(terms.logit) * terms.gap)


def test_gap_loss_by_hand():
    terms = Terms(torch.tensor([[0.0, 1.0]]), logit=torch.tensor([[-2.0, 1.0]]), gap=torch.tensor([[9.0, 1.5]]))
    target = torch.tensor([[0.0, 2.0]])
    sides = (F.softplus(torch.tensor(-2.0)) + F.softplus(torch.tensor(-1.0))) / 2
    # Huber over its width 0.1 is |d| - 0.05 beyond it: 0.5 and 1 for the non-metal; the metal's own gap is not judged
    assert float(gap_loss(terms, target, huber=0.1)) == pytest.approx(float(sides) + 0.45 / 2 + 0.95 / 2, abs=1e-5)
    with pytest.raises(TypeError, match="band gap"):
        gap_loss(Terms(torch.zeros(1, 2)), target, huber=0.1)
