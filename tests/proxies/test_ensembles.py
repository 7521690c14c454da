"""Members added to a trained ensemble, and networks of the band gap."""

from dataclasses import replace

import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError
from crystalgfn.proxies.ensembles import append
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.networks.volume import VolumeNetwork, cell_config
from property_data import table

SMALL = NetworkConfig(members=2, hidden=16, blocks=1, token_size=8, blind=True)
CRYSTALS = Crystals.from_dataframe(table(20))
INPUTS = Featuriser()(CRYSTALS)


def small(members, **changes):
    network = build(replace(SMALL, members=members, **changes)).eval()
    network.fit_scaling(INPUTS, torch.linspace(-2, 0, 20))
    return network


def test_members_stand_side_by_side():
    first, second = small(2), small(3)
    joined = append(first, second).eval()
    batch = INPUTS.for_all_members()
    with torch.no_grad():
        expected = torch.cat([first(batch), second(batch)])
        assert torch.allclose(joined(batch), expected, atol=1e-5)


def test_of_a_volume_aware_model_the_relaxed_part_grows():
    first, further = small(2), small(1)
    cell = build(cell_config(SMALL))
    cell.fit_scaling(INPUTS, torch.linspace(-2, 0, 20))
    network = VolumeNetwork.join(first, cell).eval()
    joined = append(network, further).eval()
    batch = INPUTS.for_all_members()
    with torch.no_grad():
        terms = joined.terms(batch, joined.tables())
        assert terms.energy.shape == (3, 20)
        assert torch.allclose(terms.energy[:2], network(batch), atol=1e-5)
        assert torch.allclose(terms.doubt, network.terms(batch, network.tables()).doubt)


@pytest.mark.parametrize("changes", [{"hidden": 24}, {"blind": False}, {"reach": 3.0}])
def test_other_sizes_do_not_join(changes):
    with pytest.raises(ConfigError, match="do not fit"):
        append(small(2), small(2, **changes))


def test_members_of_other_rows_do_not_join():
    other = small(2)
    other.target_mean += 1
    with pytest.raises(ConfigError, match="trained on other rows: their target_mean differs"):
        append(small(2), other)
