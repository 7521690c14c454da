"""The base of all property networks: sizes, tables of the elements, scaling of the target, floor and loss.

A network is an ensemble in one module: every weight has a leading dimension of M members and every product is
batched, so that M members cost little more than their arithmetic.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crystalgfn.crystallography import elements as element_tables
from crystalgfn.crystallography import space_groups
from crystalgfn.proxies.networks.features import Featuriser, atomic_volume_table, element_property_table
from crystalgfn.proxies.networks.inputs import N_DESCRIPTORS, Inputs
from crystalgfn.proxies.networks.terms import Terms

TRANSFORMATIONS = ("none", "log", "classes")
"""What networks of kind ``"scalar"`` learn: the numbers, their logarithms, or the probability of 1 among 0 and 1."""
MOST_UNITS = 10_000
"""Largest size of a network in any respect."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of a network.

    Attributes:
        kind: a key of :data:`~crystalgfn.proxies.networks.registry.NETWORKS`.
        members: M, networks in the ensemble.
        element_size, space_group_size: lengths of learned vectors.
        token_size: width of the tokens.
        hidden, blocks: width and number of the residual blocks.
        dropout: dropout rate of the residual blocks, in training.
        blind: whether the lattice is hidden from the network.
        reach: descriptors are clamped to this many standard deviations from the mean.
        cell_members, cell_hidden, cell_blocks: members, hidden and blocks of the cell network of kind ``"volume"``.
        floor: eV/atom; no prediction lies below. The softplus that bends predictions off acts within some 0.3 eV of
            the floor.
        transformation: what a network of kind ``"scalar"`` learns, one of :data:`TRANSFORMATIONS`.
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
    transformation: str = "none"

    def __post_init__(self) -> None:
        for each in fields(self):
            size = getattr(self, each.name)
            if each.type == "int" and (type(size) is not int or not 0 <= size <= MOST_UNITS):
                raise ValueError(f"network size {each.name}: found {size!r}, allowed: 0 to {MOST_UNITS}")

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes as plain values."""
        return asdict(self)


class ProxyNetwork(nn.Module):
    """Base of the networks: tables of the elements, scaling of the target, floor and loss.

    A kind defines :meth:`tables` and :meth:`raw`, or :meth:`tables` and :meth:`terms` where it predicts more than one
    number.

    Buffers: properties (119, F), volumes (119,), descriptor_mean and descriptor_std, lattice_mean and lattice_std,
    target_mean and target_std (eV/atom), all fitted or copied before training and stored with the weights.
    """

    tells_metals: ClassVar[bool] = False
    """Whether predictions include the odds of a metal (:attr:`Terms.logit`)."""

    featuriser: ClassVar[type[Featuriser]] = Featuriser
    """Makes the inputs of the network from crystals."""

    targets: ClassVar[int] = 1
    """Numbers that a training row teaches; targets have shape (N,) for one, and (N, targets) for more."""

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
        """Return tensors that depend on the weights alone; a caller that predicts often keeps them."""
        raise NotImplementedError

    def raw(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Tensor:
        """Return standardised outputs (M, B) for inputs with a leading dimension of M (own batches) or 1 (shared)."""
        raise NotImplementedError

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Return the prediction and its parts; fields of the inputs have a leading dimension of M or 1."""
        return Terms(self.bounded(self.raw(inputs, tables)))

    def loss(self, terms: Terms, target: Tensor, *, huber: float) -> Tensor:
        """Return the loss of predictions for labelled rows: a Huber loss in units of its width.

        Args:
            terms: predictions of M members for b rows each.
            target: (M, b) labels, in the unit of the property.
            huber: error, in the unit of the property, beyond which the loss is linear.
        """
        return F.huber_loss(terms.energy, target, delta=huber) / huber

    def deviation(self, terms: Terms) -> Tensor:
        """Return the standard deviation (B,) of the ensemble's mean, in the unit of the property."""
        variance = terms.energy.var(0, correction=0)
        return (variance if terms.doubt is None else variance + terms.doubt.square()).sqrt()

    def bounded(self, raw: Tensor) -> Tensor:
        """Return the energy in eV/atom, above the floor, of a standardised output."""
        energy = raw * self.target_std + self.target_mean
        floor = self.config.floor
        return floor + F.softplus(energy - floor, beta=6.0)

    def forward(self, inputs: Inputs, tables: tuple[Tensor, ...] | None = None) -> Tensor:
        """Predict eV/atom, (M, B), from inputs whose fields have a leading dimension of M or 1.

        ``tables``: the result of :meth:`tables`, if the caller has it already.
        """
        return self.terms(inputs, self.tables() if tables is None else tables).energy


def _group_classes() -> Tensor:
    """Lattice system, point symmetry and centering of each space group, (231, 3), as rows of one table of 20."""
    system = np.array(space_groups.CRYSTAL_LATTICE_SYSTEM)
    symmetry = np.array(space_groups.POINT_SYMMETRY) + 8
    centering = np.array(space_groups.CENTERING_MULTIPLICITY) + 14
    classes = np.stack([system, symmetry, centering], 1)
    classes[0] = 0
    return torch.as_tensor(classes)
