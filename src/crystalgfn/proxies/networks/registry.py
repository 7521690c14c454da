"""The kinds of property networks by name, and the factory that builds them."""

from __future__ import annotations

from crystalgfn.errors import ConfigError, nearest
from crystalgfn.proxies.networks.base import NetworkConfig, ProxyNetwork
from crystalgfn.proxies.networks.cell import CellNetwork
from crystalgfn.proxies.networks.gap import GapNetwork
from crystalgfn.proxies.networks.orbits import OrbitNetwork
from crystalgfn.proxies.networks.scalar import ScalarNetwork
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.table1 import Table1Network
from crystalgfn.proxies.networks.volume import VolumeNetwork

NETWORKS: dict[str, type[ProxyNetwork]] = {
    "set": SetNetwork,
    "cell": CellNetwork,
    "volume": VolumeNetwork,
    "gap": GapNetwork,
    "orbits": OrbitNetwork,
    "table1": Table1Network,
    "scalar": ScalarNetwork,
}
"""Network classes by kind, as a configuration or a model card names it."""


def build(config: NetworkConfig) -> ProxyNetwork:
    """Build the network that ``config`` describes, with random weights.

    Raises:
        ConfigError: the kind is unknown.
    """
    if config.kind not in NETWORKS:
        allowed = f"{', '.join(NETWORKS)}{nearest(config.kind, NETWORKS)}"
        raise ConfigError(f"unknown network kind {config.kind!r}, allowed: {allowed}")
    return NETWORKS[config.kind](config)
