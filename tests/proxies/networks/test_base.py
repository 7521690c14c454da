"""What all networks share."""

import torch

from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.registry import build


def test_floor_holds_for_any_weights():
    torch.manual_seed(0)
    network = build(NetworkConfig(members=2, floor=-4.7))
    assert float(network.bounded(torch.linspace(-1e4, 1e4, 1001)).min()) >= -4.7
