"""The property network: space group, composition and lattice in, energy per atom out.

:class:`SetNetwork` is an ensemble in one module: every weight has a leading dimension of M members and every product
is a batched one, so that M members cost little more than their arithmetic. Elements are a set: each token knows its
element (learned vector plus physical properties) and amount, hears the space group, attends once to the others of its
crystal, and is pooled; a gated residual MLP reads the pooled tokens beside the descriptors of :mod:`.features`.
:class:`~.table1_network.Table1Network` is the network of the paper (appendix D, Table 1).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crystalgfn.crystallography import elements as element_tables
from crystalgfn.crystallography import space_groups
from crystalgfn.errors import ConfigError
from crystalgfn.proxies.networks.features import (
    LATTICE_COLUMNS,
    N_DESCRIPTORS,
    Inputs,
    atomic_volume_table,
    element_property_table,
)
from crystalgfn.proxies.networks.members import MemberEmbedding, MemberLinear, Terms, look_up

N_AMOUNTS = 4


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of a network.

    Attributes:
        kind: ``"set"`` (:class:`SetNetwork`), ``"cell"`` (:class:`~.strain_network.CellNetwork`), ``"volume"`` (both,
            :class:`~.strain_network.VolumeNetwork`), ``"gap"`` (:class:`~.gap_network.GapNetwork`) or ``"table1"``
            (:class:`~.table1_network.Table1Network`).
        members: M, networks in the ensemble.
        element_size, space_group_size: lengths of learned vectors.
        token_size: width of the tokens.
        hidden, blocks: width and number of the residual blocks.
        dropout: of the residual blocks, in training.
        blind: the network does not see the lattice.
        reach: deviations from the mean that descriptors are clamped to.
        cell_members, cell_hidden, cell_blocks: the same for the part of ``"volume"`` that knows the cell.
        floor: eV/atom; no prediction lies below. The softplus that bends it off acts within some 0.3 eV of it.
    """

    kind: str = "set"
    members: int = 4
    element_size: int = 32
    space_group_size: int = 32
    token_size: int = 48
    hidden: int = 160
    blocks: int = 2
    dropout: float = 0.05
    blind: bool = False
    reach: float = 6.0
    cell_members: int = 1
    cell_hidden: int = 144
    cell_blocks: int = 2
    floor: float = -4.7

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes as plain values."""
        return asdict(self)


class ProxyNetwork(nn.Module):
    """Base of the networks: holds the tables, the scaling of the target and the floor.

    Buffers: properties (119, F), volumes (119,), descriptor_mean and descriptor_std, lattice_mean and lattice_std,
    target_mean and target_std (eV/atom), all fitted or copied before training and stored with the weights.
    """

    properties: Tensor
    volumes: Tensor
    descriptor_mean: Tensor
    descriptor_std: Tensor
    lattice_mean: Tensor
    lattice_std: Tensor
    target_mean: Tensor
    target_std: Tensor
    systems: Tensor
    periods: Tensor
    groups: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        properties = torch.as_tensor(element_property_table())
        self.n_properties = properties.shape[1]
        self.n_descriptors = N_DESCRIPTORS + 4 * self.n_properties
        self.register_buffer("properties", properties)
        self.register_buffer("volumes", torch.as_tensor(atomic_volume_table()))
        self.register_buffer("descriptor_mean", torch.zeros(self.n_descriptors))
        self.register_buffer("descriptor_std", torch.ones(self.n_descriptors))
        self.register_buffer("lattice_mean", torch.zeros(6))
        self.register_buffer("lattice_std", torch.ones(6))
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))
        self.register_buffer("systems", _group_classes(), persistent=False)
        self.register_buffer("periods", torch.as_tensor(np.array(element_tables.PERIOD)), persistent=False)
        self.register_buffer("groups", torch.as_tensor(np.array(element_tables.GROUP)), persistent=False)

    def fit_scaling(self, inputs: Inputs, target: Tensor) -> None:
        """Set the scaling buffers from training inputs and their target (N,) in eV/atom."""
        self.descriptor_mean.copy_(inputs.descriptors.mean(0))
        self.descriptor_std.copy_(inputs.descriptors.std(0).clamp(min=1e-3))
        self.lattice_mean.copy_(inputs.lattice.mean(0))
        self.lattice_std.copy_(inputs.lattice.std(0).clamp(min=1e-3))
        self.target_mean.copy_(target.mean())
        self.target_std.copy_(target.std().clamp(min=1e-3))

    def tables(self) -> tuple[Tensor, ...]:
        """Whatever depends on the weights alone; a caller that predicts often keeps it."""
        raise NotImplementedError

    def raw(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Tensor:
        """Standardised outputs (M, B) from inputs with a leading dimension of M (own batches) or 1 (shared)."""
        raise NotImplementedError

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Prediction and what comes with it; fields of the inputs have a leading dimension of M or 1."""
        return Terms(self.bounded(self.raw(inputs, tables)))

    def bounded(self, raw: Tensor) -> Tensor:
        """Energy in eV/atom, above the floor, of a standardised output."""
        energy = raw * self.target_std + self.target_mean
        floor = self.config.floor
        return floor + F.softplus(energy - floor, beta=6.0)

    def forward(self, inputs: Inputs, tables: tuple[Tensor, ...] | None = None) -> Tensor:
        """Predict eV/atom, (M, B), from inputs whose fields have a leading dimension of M or 1.

        ``tables``: what :meth:`tables` returned, to save making it again.
        """
        return self.terms(inputs, self.tables() if tables is None else tables).energy


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
        """Token start of each element (M, 119, T), of each space group (M, 231, T), and its share of H (M, 231, H)."""
        members = self.config.members
        learned = self.element.weight + self.period.weight[:, self.periods] + self.group.weight[:, self.groups]
        element = self.element_in(torch.cat([learned, self.properties.expand(members, -1, -1)], -1))
        symmetry = self.space_group.weight + self.systems_embedding.weight[:, self.systems].sum(2)
        return element, self.group_in(symmetry), self.symmetry_in(symmetry)

    def normalised(self, inputs: Inputs) -> Tensor:
        """Standardised descriptors (M or 1, B, N), clamped; 0 for the cell if blind."""
        reach = self.config.reach
        found = ((inputs.descriptors - self.descriptor_mean) / self.descriptor_std).clamp(-reach, reach)
        return found * self.seen if self.config.blind else found

    def trunk(self, inputs: Inputs, descriptors: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
        """Hidden vector (M, B, H) of each crystal from its elements, space group and ``descriptors`` (M or 1, B, N)."""
        element, group_token, group_hidden = tables
        size, width = inputs.fractions.shape[-2:]
        members, t = self.config.members, self.config.token_size
        # elements before crystals: sums over the elements of a crystal then run over whole rows
        numbers, fractions = (x.transpose(1, 2).contiguous() for x in (inputs.atomic_numbers, inputs.fractions))
        amounts = self.amounts_in(inputs.amounts.transpose(1, 2).flatten(1, 2)).view(members, width, size, t)
        start = look_up(element, numbers) + amounts
        tokens = F.hardswish(start + look_up(group_token, inputs.space_group)[:, None])
        tokens = F.hardswish(self._attend(tokens, fractions))
        shown = tokens * (numbers > 0)[..., None]
        # 0 joins the maximum always: otherwise it would only where a crystal with more elements pads the batch
        mean = (fractions[..., None] * tokens).sum(1)
        pooled = torch.cat([mean, shown.sum(1) * 0.3, shown.amax(1).clamp(min=0)], -1)
        hidden = self.pooled_in(pooled) + self.descriptors_in(descriptors)
        hidden = hidden + look_up(group_hidden, inputs.space_group)
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            step, gate = wide(F.hardswish(hidden)).chunk(2, -1)
            step = F.hardswish(step) * gate
            hidden = hidden + narrow(F.dropout(step, self.config.dropout, self.training))
        return F.hardswish(hidden)

    def _attend(self, tokens: Tensor, fractions: Tensor) -> Tensor:
        """Add to each token (M, K, B, T) what it reads from those of its crystal, weighed by their fractions (M, K, B).

        A gate on both sides and no K x K scores (arXiv 2105.14103 without positions): as good here as softmax
        attention, and a tenth of its time for such short sequences.
        """
        members, width, size, t = tokens.shape
        mixed = self.token(tokens.flatten(1, 2)).view(members, width, size, 4, t)  # itself, query, key, value
        gates = F.hardsigmoid(mixed[..., 1:3, :])
        message = (gates[..., 1, :] * mixed[..., 3, :] * fractions[..., None]).sum(1)
        return torch.addcmul(mixed[..., 0, :], gates[..., 0, :], message[:, None], value=2)

    def raw(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Tensor:
        """Standardised outputs (M, B)."""
        return self.out(self.trunk(inputs, self.normalised(inputs), tables))[..., 0]


def build(config: NetworkConfig) -> ProxyNetwork:
    """Make the network that ``config`` describes, with random weights.

    Raises:
        ConfigError: an unknown kind.
    """
    from crystalgfn.proxies.networks.gap import GapNetwork
    from crystalgfn.proxies.networks.strain import CellNetwork, VolumeNetwork
    from crystalgfn.proxies.networks.table1 import Table1Network

    kinds: dict[str, type[ProxyNetwork]] = {
        "set": SetNetwork,
        "cell": CellNetwork,
        "volume": VolumeNetwork,
        "gap": GapNetwork,
        "table1": Table1Network,
    }
    if config.kind not in kinds:
        raise ConfigError(f"unknown network kind {config.kind!r}, allowed: {', '.join(kinds)}")
    return kinds[config.kind](config)


def _group_classes() -> Tensor:
    """Lattice system, point symmetry and centering of each space group, (231, 3), as rows of one table of 20."""
    system = np.array(space_groups.CRYSTAL_LATTICE_SYSTEM)
    symmetry = np.array(space_groups.POINT_SYMMETRY) + 8
    centering = np.array(space_groups.CENTERING_MULTIPLICITY) + 14
    classes = np.stack([system, symmetry, centering], 1)
    classes[0] = 0
    return torch.as_tensor(classes)
