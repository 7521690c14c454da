"""The orbit network: what it does not depend on, its loss by hand, and its deviation."""

from dataclasses import replace

import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import Sites
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.orbit_inputs import OrbitFeaturiser
from crystalgfn.proxies.networks.orbits import OrbitNetwork
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.networks.terms import Terms
from crystalgfn.spaces.site_encoding import with_sites
from property_data import sited

SMALL = NetworkConfig(kind="orbits", members=3, hidden=16, blocks=1, token_size=8, blind=True)
CRYSTALS = Crystals.from_dataframe(sited(40))
INPUTS = OrbitFeaturiser()(CRYSTALS)


def network() -> OrbitNetwork:
    torch.manual_seed(0)
    built = build(SMALL)
    assert isinstance(built, OrbitNetwork)
    built.fit_scaling(INPUTS, torch.stack([torch.zeros(40), torch.linspace(-3, 0, 40)], 1))
    return built.eval()


def test_the_order_of_orbits_does_not_matter():
    model = network()
    sites = with_sites(CRYSTALS).sites
    flipped = Sites(sites.slots.flip(1), sites.letters.flip(1), sites.elements.flip(1))
    other = OrbitFeaturiser()(replace(CRYSTALS, sites=flipped))
    assert not torch.equal(other.atomic_numbers, INPUTS.atomic_numbers)
    both = [model.terms(x.for_all_members(), model.tables()) for x in (INPUTS, other)]
    assert torch.allclose(both[0].energy, both[1].energy, atol=1e-5)


def test_neither_the_lattice_nor_the_rest_of_the_batch_matters():
    model = network()
    wide = sited(40)
    wide[["a", "b", "c"]] *= 1.3
    other = OrbitFeaturiser()(Crystals.from_dataframe(wide))
    whole = model.terms(INPUTS.for_all_members(), model.tables()).energy
    assert torch.allclose(model.terms(other.for_all_members(), model.tables()).energy, whole, atol=1e-6)
    alone = OrbitFeaturiser()(CRYSTALS[:1])
    assert torch.allclose(model.terms(alone.for_all_members(), model.tables()).energy, whole[:, :1], atol=1e-5)


def test_the_loss_leaves_out_unknown_labels():
    terms = Terms(torch.tensor([[0.0, 0.3]]), formation=torch.tensor([[-1.0, -2.0]]))
    target = torch.tensor([[[0.1, float("nan")], [float("nan"), -2.5]]])
    # Huber over its width 0.05 is |d| - 0.025 beyond it; energies above the hull weigh ten times as much
    loss = network().loss(terms, target, huber=0.05)
    assert float(loss) == pytest.approx(0.75 + 0.475, abs=1e-4)


def test_the_deviation_is_scaled_and_has_a_floor():
    model = network()
    terms = model.terms(INPUTS.for_all_members(), model.tables())
    spread = terms.energy.std(0, correction=0)
    assert torch.allclose(model.deviation(terms), spread, atol=1e-6)
    model.deviation_scale.fill_(2.0)
    model.deviation_floor.fill_(0.03)
    assert torch.allclose(model.deviation(terms), (4 * spread.square() + 0.0009).sqrt(), atol=1e-6)
