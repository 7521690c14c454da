"""The volume-aware network: energy of the relaxed crystal, plus what the given cell costs on top.

    E(x) = E_relaxed(space group, composition) + E_strain(space group, composition, lattice),   E_strain >= 0

The first part never sees the lattice, so strained copies cannot blur it, and no choice of cell can undercut it. The
second starts from physics: a Morse curve in the logarithm of the volume and springs for axial ratios and angles, about
an equilibrium cell that the network predicts and real crystals teach directly; a small network scales the sum.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.properties.features import EQUILIBRIUM, LATTICE_COLUMNS, Inputs
from crystalgfn.properties.proxy import MemberLinear, NetworkConfig, SetNetwork, Terms

N_EQUILIBRIUM = len(EQUILIBRIUM)
CONTEXT = 80
SCALE_HIDDEN = 96
MAX_LOG_SCALE = 3.0
SHARED_GRADIENT = 0.2
"""Share of the strain terms' gradient that reaches the layers shared with the relaxed energy: strain errors are ten
times larger and would take those layers over."""


class StrainNetwork(SetNetwork):
    """Ensemble of M volume-aware networks; see the module's docstring."""

    lattice_mask: Tensor
    cell_columns: Tensor
    lattice_columns: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        m, h = config.members, config.hidden
        mask = torch.zeros(self.n_descriptors)
        mask[list(LATTICE_COLUMNS)] = 1.0
        self.register_buffer("lattice_mask", 1 - mask, persistent=False)
        # index tensors, because a list of positions would be copied into one at each call
        self.register_buffer("cell_columns", torch.tensor(EQUILIBRIUM), persistent=False)
        self.register_buffer("lattice_columns", torch.tensor(LATTICE_COLUMNS), persistent=False)
        self.context_in = MemberLinear(m, h + self.n_descriptors, CONTEXT)
        self.context = MemberLinear(m, CONTEXT, CONTEXT)
        self.cell = MemberLinear(m, h, N_EQUILIBRIUM, scale=0.2)
        self.curve = MemberLinear(m, CONTEXT, N_EQUILIBRIUM + 1, scale=0.2)
        self.scale_in = MemberLinear(m, CONTEXT + len(LATTICE_COLUMNS) + 2 * N_EQUILIBRIUM, SCALE_HIDDEN)
        self.scale_mid = MemberLinear(m, SCALE_HIDDEN, SCALE_HIDDEN)
        self.scale_out = MemberLinear(m, SCALE_HIDDEN, 1, scale=0.1)

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Relaxed energy, strain energy and expected cell of M members for B crystals."""
        descriptors = self.normalised(inputs)
        composition = descriptors * self.lattice_mask
        hidden = self.trunk(inputs, composition, tables)
        relaxed = self.bounded(self.out(hidden)[..., 0])
        cell = inputs.descriptors.index_select(-1, self.cell_columns)
        mean = self.descriptor_mean.index_select(0, self.cell_columns)
        # 0.3: the spread of equilibrium values, so that weights start at the right size
        equilibrium = mean + 0.3 * self.cell(hidden)
        hidden = hidden.detach().lerp(hidden, SHARED_GRADIENT) if self.training else hidden
        if composition.shape[0] != hidden.shape[0]:
            composition = composition.expand(hidden.shape[0], -1, -1)
        context = F.hardswish(self.context_in(torch.cat([hidden, composition], -1)))
        context = F.dropout(F.hardswish(self.context(context)), self.config.dropout, self.training)
        parameters = self.curve(context)
        off = (cell - equilibrium).clamp(-4, 4)
        stiffness = torch.exp(parameters[..., :-1].clamp(-4, 4))
        steepness = 0.8 * torch.exp(0.3 * parameters[..., -1].clamp(-4, 4))
        # the first column is twice the logarithm of the volume ratio
        morse = (1 - torch.exp(-steepness * 0.5 * off[..., 0])).square() * stiffness[..., 0] * 8.0
        springs = (off[..., 1:].square() * stiffness[..., 1:]).sum(-1)
        lattice = descriptors.index_select(-1, self.lattice_columns)
        if lattice.shape[0] != off.shape[0]:
            lattice = lattice.expand(off.shape[0], -1, -1)
        seen = torch.cat([context, lattice, 3 * off.clamp(-1, 1), off.abs()], -1)
        inner = F.hardswish(self.scale_mid(F.hardswish(self.scale_in(seen))))
        scale = torch.exp(MAX_LOG_SCALE * torch.tanh(self.scale_out(inner)[..., 0] / MAX_LOG_SCALE))
        return Terms(relaxed, (morse + springs) * scale, equilibrium)


def equilibrium_loss(equilibrium: Tensor, inputs: Inputs) -> Tensor:
    """How far the expected cells (M, B, 7) are from those of real crystals: a Huber loss, volume counted most."""
    weights = torch.tensor([1.0, *[0.03] * (N_EQUILIBRIUM - 1)], device=equilibrium.device)
    cell = inputs.descriptors[..., list(EQUILIBRIUM)]
    loss = F.huber_loss(equilibrium, cell.expand_as(equilibrium), delta=0.02, reduction="none")
    return (loss * weights).sum(-1).mean() / 0.02
