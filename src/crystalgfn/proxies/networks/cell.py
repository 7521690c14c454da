"""The network of the strain energy: the cost of a cell on top of the relaxed crystal.

The network starts from physics: a Morse curve in the logarithm of the volume and springs for axial ratios and angles,
about an equilibrium cell that the network predicts and real crystals teach directly. A small network scales the sum,
and a last one learns which shapes of cells no crystal has.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.member_layers import MemberLinear
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.inputs import EQUILIBRIUM, LATTICE_COLUMNS, SHAPE_COLUMNS, Inputs
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.terms import Terms

N_EQUILIBRIUM = len(EQUILIBRIUM)
CONTEXT = 80
SCALE_HIDDEN = 96
SHAPE_HIDDEN = 64
MAX_LOG_SCALE = 3.0
SHAPE_BEND, SHAPE_START = 8.0, -0.7
"""Sharpness of the softplus of the shape term, and its initial argument, which gives 0.0005 eV/atom."""


class CellNetwork(SetNetwork):
    """Ensemble of M networks for the strain energy; see the module's docstring."""

    cell_columns: Tensor
    lattice_columns: Tensor
    shape_columns: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        m, h = config.members, config.hidden
        # index tensors, because a list of positions would be copied into one at each call
        self.register_buffer("cell_columns", torch.tensor(EQUILIBRIUM), persistent=False)
        self.register_buffer("shape_columns", torch.tensor(SHAPE_COLUMNS), persistent=False)
        self.register_buffer("lattice_columns", torch.tensor(LATTICE_COLUMNS), persistent=False)
        del self.out
        self.context_in = MemberLinear(m, h + self.n_descriptors, CONTEXT)
        self.context = MemberLinear(m, CONTEXT, CONTEXT)
        self.cell = MemberLinear(m, h, N_EQUILIBRIUM, scale=0.2)
        self.curve = MemberLinear(m, CONTEXT, N_EQUILIBRIUM + 1, scale=0.2)
        self.scale_in = MemberLinear(m, CONTEXT + len(LATTICE_COLUMNS) + 2 * N_EQUILIBRIUM, SCALE_HIDDEN)
        self.scale_mid = MemberLinear(m, SCALE_HIDDEN, SCALE_HIDDEN)
        self.scale_out = MemberLinear(m, SCALE_HIDDEN, 1, scale=0.1)
        self.shape_in = MemberLinear(m, len(SHAPE_COLUMNS), SHAPE_HIDDEN)
        self.shape_mid = MemberLinear(m, SHAPE_HIDDEN, SHAPE_HIDDEN)
        self.shape_out = MemberLinear(m, SHAPE_HIDDEN, 1, scale=0.0)
        torch.nn.init.constant_(self.shape_out.bias, SHAPE_START)

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Return the strain energy (M, B) and the expected cell (M, B, 7) of M members for B crystals."""
        descriptors = self.normalised(inputs)
        composition = descriptors * self.seen
        hidden = self.trunk(inputs, composition, tables)
        members = hidden.shape[0]
        cell = inputs.descriptors.index_select(-1, self.cell_columns)
        mean = self.descriptor_mean.index_select(0, self.cell_columns)
        # 0.3: the spread of equilibrium values, so that weights start at the right size
        equilibrium = mean + 0.3 * self.cell(hidden)
        context = F.hardswish(self.context_in(torch.cat([hidden, composition.expand(members, -1, -1)], -1)))
        context = F.dropout(F.hardswish(self.context(context)), self.config.dropout, self.training)
        parameters = self.curve(context).clamp(-4, 4)
        deviation = (cell - equilibrium).clamp(-4, 4)
        stiffness = torch.exp(parameters[..., :-1])
        steepness = 0.8 * torch.exp(0.3 * parameters[..., -1])
        # the first column is twice the logarithm of the volume ratio
        morse = (1 - torch.exp(-steepness * 0.5 * deviation[..., 0])).square() * stiffness[..., 0] * 8.0
        springs = (deviation[..., 1:].square() * stiffness[..., 1:]).sum(-1)
        lattice = descriptors.index_select(-1, self.lattice_columns).expand(members, -1, -1)
        seen = torch.cat([context, lattice, 3 * deviation.clamp(-1, 1), deviation.abs()], -1)
        inner = F.hardswish(self.scale_mid(F.hardswish(self.scale_in(seen))))
        scale = torch.exp(MAX_LOG_SCALE * torch.tanh(self.scale_out(inner)[..., 0] / MAX_LOG_SCALE))
        # sees neither volume nor composition: isotropic strains and real crystals cannot pass for stretched cells
        shape = descriptors.index_select(-1, self.shape_columns).expand(members, -1, -1)
        inner = F.hardswish(self.shape_mid(F.hardswish(self.shape_in(shape))))
        stretch = F.softplus(self.shape_out(inner)[..., 0], beta=SHAPE_BEND)
        return Terms((morse + springs) * scale + stretch, equilibrium)


def equilibrium_loss(equilibrium: Tensor, inputs: Inputs) -> Tensor:
    """Return the Huber loss of the expected cells (M, B, 7) against real cells, in which the volume counts most."""
    weights = torch.tensor([1.0, *[0.03] * (N_EQUILIBRIUM - 1)], device=equilibrium.device)
    cell = inputs.descriptors[..., list(EQUILIBRIUM)]
    loss = F.huber_loss(equilibrium, cell.expand_as(equilibrium), delta=0.02, reduction="none")
    return (loss * weights).sum(-1).mean() / 0.02
