"""Further members for a trained ensemble."""

from __future__ import annotations

from dataclasses import replace

import torch

from crystalgfn.errors import ConfigError
from crystalgfn.proxies.networks.base import NetworkConfig, ProxyNetwork
from crystalgfn.proxies.networks.registry import build
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.volume import VolumeNetwork


def append(network: ProxyNetwork, further: SetNetwork) -> ProxyNetwork:
    """Return ``network`` with the members of ``further`` after its own.

    In a :class:`VolumeNetwork` the relaxed part grows; the network of the cell stays as it is.

    Raises:
        ConfigError: the networks differ in size, or in their scaling because they were trained on other rows.
    """
    if isinstance(network, VolumeNetwork):
        relaxed = append(network.relaxed, further)
        if not isinstance(relaxed, SetNetwork):
            raise ConfigError(f"cannot append {further.config.kind!r} members to a volume-aware model, allowed: set")
        return VolumeNetwork.join(relaxed, network.cell)
    if _sizes(network.config) != _sizes(further.config):
        raise ConfigError(f"members of {further.config} do not fit those of {network.config}")
    joined = build(replace(network.config, members=network.config.members + further.config.members))
    learned = {name for name, _ in network.named_parameters()}
    first, second = network.state_dict(), further.state_dict()
    for name in first.keys() - learned:
        if not torch.equal(first[name], second[name]):
            raise ConfigError(f"further members were trained on other rows: their {name} differs")
    joined.load_state_dict(
        {name: torch.cat([value, second[name]]) if name in learned else value for name, value in first.items()}
    )
    return joined


def _sizes(config: NetworkConfig) -> NetworkConfig:
    """The sizes that have to agree: all but the number of members and the network of the cell."""
    return replace(config, members=1, cell_members=1, cell_hidden=0, cell_blocks=0)
