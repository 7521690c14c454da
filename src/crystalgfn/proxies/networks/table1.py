"""The property network of the paper (appendix D, Table 1)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crystalgfn.member_layers import MemberEmbedding, MemberLinear, look_up
from crystalgfn.proxies.networks.base import NetworkConfig, ProxyNetwork
from crystalgfn.proxies.networks.inputs import Inputs


class Table1Network(ProxyNetwork):
    """The network of the paper's appendix D with the sizes of its Table 1; M members, one in the paper.

    Element vector: projected properties (64), embeddings of atomic number (128), period (256) and group (16); their
    fraction-weighted mean, the space group's embedding (128) and an MLP (284) of the six standardised lattice
    parameters feed an MLP of five layers of 576.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        m = config.members
        self.projection = MemberLinear(m, self.n_properties, 64)
        self.element = MemberEmbedding(m, 119, 128, std=0.3)
        self.period = MemberEmbedding(m, 8, 256, std=0.3)
        self.group = MemberEmbedding(m, 19, 16, std=0.3)
        self.space_group = MemberEmbedding(m, 231, 128, std=0.3)
        self.lattice_in = nn.ModuleList([MemberLinear(m, 6, 284), MemberLinear(m, 284, 284)])
        sizes = [64 + 128 + 256 + 16 + 128 + 284, 576, 576, 576, 576, 576]
        self.layers = nn.ModuleList(MemberLinear(m, a, b) for a, b in pairwise(sizes))
        self.out = MemberLinear(m, 576, 1, scale=0.3)

    def tables(self) -> tuple[Tensor, ...]:
        """Return the vector of each element (M, 119, 464)."""
        projected = self.projection(self.properties[None])
        parts = [self.element.weight, self.period.weight[:, self.periods], self.group.weight[:, self.groups]]
        return (torch.cat([projected, *parts], -1),)

    def raw(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Tensor:
        """Return standardised outputs (M, B)."""
        (element,) = tables
        composition = (inputs.fractions[..., None] * look_up(element, inputs.atomic_numbers)).sum(2)
        lattice = ((inputs.lattice - self.lattice_mean) / self.lattice_std).clamp(-6, 6)
        lattice = self.lattice_in[1](F.hardswish(self.lattice_in[0](lattice)))
        hidden = torch.cat([composition, look_up(self.space_group.weight, inputs.space_group), lattice], -1)
        for layer in self.layers:
            hidden = F.hardswish(layer(hidden))
        return self.out(hidden)[..., 0]
