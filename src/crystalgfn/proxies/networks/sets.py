"""The set network: elements of a crystal as a set of tokens, pooled and read beside the descriptors.

Each token encodes its element (learned vector plus physical properties) and amount, receives the space group, attends
once to the other tokens of its crystal, and is pooled; a gated residual MLP reads the pooled tokens beside the
descriptors of :mod:`crystalgfn.proxies.networks.features`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crystalgfn.member_layers import MemberEmbedding, MemberLinear, look_up
from crystalgfn.proxies.networks.base import NetworkConfig, ProxyNetwork
from crystalgfn.proxies.networks.inputs import LATTICE_COLUMNS, N_AMOUNTS, Inputs


class SetNetwork(ProxyNetwork):
    """Ensemble of M set networks; see the module's docstring."""

    seen: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        m, t, h = config.members, config.token_size, config.hidden
        seen = torch.ones(self.n_descriptors)
        seen[list(LATTICE_COLUMNS)] = 0
        self.register_buffer("seen", seen, persistent=False)
        self.element = MemberEmbedding(m, 119, config.element_size, std=0.3)
        self.period = MemberEmbedding(m, 8, config.element_size, std=0.2)
        self.group = MemberEmbedding(m, 19, config.element_size, std=0.2)
        self.space_group = MemberEmbedding(m, 231, config.space_group_size, std=0.1)
        self.systems_embedding = MemberEmbedding(m, 20, config.space_group_size, std=0.2)
        self.element_in = MemberLinear(m, config.element_size + self.n_properties, t)
        self.amounts_in = MemberLinear(m, N_AMOUNTS, t)
        self.group_in = MemberLinear(m, config.space_group_size, t)
        self.token = MemberLinear(m, t, 4 * t)
        self.pooled_in = MemberLinear(m, 3 * t, h)
        self.descriptors_in = MemberLinear(m, self.n_descriptors, h)
        self.symmetry_in = MemberLinear(m, config.space_group_size, h)
        self.wide = nn.ModuleList(MemberLinear(m, h, 2 * h) for _ in range(config.blocks))
        self.narrow = nn.ModuleList(MemberLinear(m, h, h, scale=0.3) for _ in range(config.blocks))
        self.out = MemberLinear(m, h, 1, scale=0.3)

    def tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens of elements (M, 119, T), and tokens (M, 231, T) and hidden vectors (M, 231, H) of groups."""
        members = self.config.members
        learned = self.element.weight + self.period.weight[:, self.periods] + self.group.weight[:, self.groups]
        element = self.element_in(torch.cat([learned, self.properties.expand(members, -1, -1)], -1))
        symmetry = self.space_group.weight + self.systems_embedding.weight[:, self.systems].sum(2)
        return element, self.group_in(symmetry), self.symmetry_in(symmetry)

    def normalised(self, inputs: Inputs) -> Tensor:
        """Return standardised descriptors (M or 1, B, N), clamped; those of the cell are 0 if the network is blind."""
        reach = self.config.reach
        descriptors = ((inputs.descriptors - self.descriptor_mean) / self.descriptor_std).clamp(-reach, reach)
        return descriptors * self.seen if self.config.blind else descriptors

    def trunk(self, inputs: Inputs, descriptors: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """Return hidden vectors (M, B, H) from elements, space groups and ``descriptors`` (M or 1, B, N)."""
        tokens, fractions, numbers = self.tokens(inputs, tables)
        shown = tokens * (numbers > 0)[..., None]
        # 0 always joins the maximum: otherwise it would join only where a crystal with more elements pads the batch
        mean = (fractions[..., None] * tokens).sum(1)
        pooled = torch.cat([mean, shown.sum(1) * 0.3, shown.amax(1).clamp(min=0)], -1)
        hidden = self.pooled_in(pooled) + self.descriptors_in(descriptors)
        hidden = hidden + look_up(tables[2], inputs.space_group)
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            step, gate = wide(F.hardswish(hidden)).chunk(2, -1)
            step = F.hardswish(step) * gate
            hidden = hidden + narrow(F.dropout(step, self.config.dropout, self.training))
        return F.hardswish(hidden)

    def tokens(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (M, K, B, T) of elements, their fractions and atomic numbers (M or 1, K, B).

        Elements stand before crystals: sums over the elements of a crystal then run over whole rows.
        """
        element, group_token, _ = tables
        size, width = inputs.fractions.shape[-2:]
        numbers, fractions = (x.transpose(1, 2).contiguous() for x in (inputs.atomic_numbers, inputs.fractions))
        amounts = self.amounts_in(inputs.amounts.transpose(1, 2).flatten(1, 2))
        start = look_up(element, numbers) + amounts.view(self.config.members, width, size, self.config.token_size)
        tokens = F.hardswish(start + look_up(group_token, inputs.space_group)[:, None])
        return F.hardswish(self._attend(self.token, tokens, fractions)), fractions, numbers

    def _attend(self, layer: nn.Module, tokens: Tensor, fractions: Tensor) -> Tensor:
        """Add to each token (M, K, B, T) the message of its crystal's tokens, weighted by their fractions (M, K, B).

        Gates on query and key replace the K x K scores (arXiv 2105.14103 without positions): as good here as softmax
        attention, in a tenth of the time for such short sequences.
        """
        members, width, size, t = tokens.shape
        mixed = layer(tokens.flatten(1, 2)).view(members, width, size, 4, t)  # itself, query, key, value
        gates = F.hardsigmoid(mixed[..., 1:3, :])
        message = (gates[..., 1, :] * mixed[..., 3, :] * fractions[..., None]).sum(1)
        return torch.addcmul(mixed[..., 0, :], gates[..., 0, :], message[:, None], value=2)

    def raw(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Tensor:
        """Return standardised outputs (M, B)."""
        return self.out(self.trunk(inputs, self.normalised(inputs), tables))[..., 0]
