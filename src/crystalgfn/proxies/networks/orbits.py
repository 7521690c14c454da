"""The orbit network: energy above the hull, formation energy and cell of a relaxed crystal, from its Wyckoff sites.

A crystal is a set of orbits. The token of an orbit encodes its element, its Wyckoff position, and how many atoms stand
there; tokens receive the space group and twice the messages of the other tokens, and are pooled. A gated residual MLP
reads them beside the descriptors of the composition, as in :mod:`.sets`. The lattice is not an input: the network
predicts the crystal that relaxing would find.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.crystallography.chemical_classes import CHALCOGENS, HALOGENS, NEITHER, OXYGEN, PNICTOGENS
from crystalgfn.member_layers import MemberEmbedding, MemberLinear, look_up
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.cell import N_EQUILIBRIUM
from crystalgfn.proxies.networks.inputs import EQUILIBRIUM, Inputs
from crystalgfn.proxies.networks.orbit_inputs import MOST_ATOMS, N_KNOWN, N_ORBIT_AMOUNTS, OrbitFeaturiser, OrbitInputs
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.terms import Terms
from crystalgfn.spaces.site_states import POSITION

LIMITS = (-0.1, 0.6)
"""eV/atom; energies above the hull are clipped to these before they are learned: below them lie holes of the hull and
artefacts of the potential, above them the distance depends on the luck of the search."""

ABOVE_SCALE = 0.1
"""eV/atom, the spread of energies above the hull, so that weights start at the right size."""

N_KINDS = 5
N_PLAIN = 4 + N_KINDS + N_KNOWN
"""Plain numbers of a crystal that the correction sees."""


class OrbitNetwork(SetNetwork):
    """Ensemble of M orbit networks; see the module's docstring.

    Buffers: correction_weight (M, F) and correction_bias (M,), eV/atom, a linear correction of the energy above the
    hull, which :mod:`crystalgfn.proxies.correction` fits to relaxed samples; deviation_scale and deviation_floor
    (eV/atom), which turn the spread of the members into a standard deviation.
    """

    featuriser = OrbitFeaturiser
    targets = 2
    cell_columns: Tensor
    kinds: Tensor
    correction_weight: Tensor
    correction_bias: Tensor
    deviation_scale: Tensor
    deviation_floor: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        m, t = config.members, config.token_size
        self.register_buffer("cell_columns", torch.tensor(EQUILIBRIUM), persistent=False)
        self.register_buffer("kinds", _kinds(), persistent=False)
        self.register_buffer("correction_weight", torch.zeros(m, config.hidden + N_PLAIN))
        self.register_buffer("correction_bias", torch.zeros(m))
        self.register_buffer("deviation_scale", torch.ones(()))
        self.register_buffer("deviation_floor", torch.zeros(()))
        self.amounts_in = MemberLinear(m, N_ORBIT_AMOUNTS, t)
        self.position = MemberEmbedding(m, int(POSITION.max()) + 1, t, std=0.05)
        self.atoms = MemberEmbedding(m, MOST_ATOMS + 1, t, std=0.1)
        self.freedom = MemberEmbedding(m, 4, t, std=0.2)
        self.second_token = MemberLinear(m, t, 4 * t)
        self.between_wide = MemberLinear(m, t, 2 * t)
        self.between_narrow = MemberLinear(m, t, t, scale=0.3)
        self.out = MemberLinear(m, config.hidden, self.targets + N_EQUILIBRIUM, scale=0.3)

    def fit_scaling(self, inputs: Inputs, target: Tensor) -> None:
        """Set the scaling buffers from training inputs and target (N, 2); the scale is that of formation energies."""
        super().fit_scaling(inputs, target[:, 1])

    def tokens(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (M, O, B, T) of orbits, their fractions and atomic numbers (M, O, B)."""
        assert isinstance(inputs, OrbitInputs)
        element, group_token, _ = tables
        t = self.config.token_size
        names = ("atomic_numbers", "fractions", "positions", "atoms", "freedom")
        numbers, share, position, atoms, freedom = (getattr(inputs, n).transpose(1, 2).contiguous() for n in names)
        size, width = share.shape[-1], share.shape[-2]
        amounts = self.amounts_in(inputs.amounts.transpose(1, 2).flatten(1, 2))
        start = look_up(element, numbers) + amounts.view(self.config.members, width, size, t)
        start = start + look_up(self.position.weight, position) + look_up(self.atoms.weight, atoms)
        start = start + look_up(self.freedom.weight, freedom) + look_up(group_token, inputs.space_group)[:, None]
        tokens = F.hardswish(self._attend(self.token, F.hardswish(start), share))
        step, gate = self.between_wide(tokens.flatten(1, 2)).chunk(2, -1)
        step = self.between_narrow(F.dropout(F.hardswish(step) * gate, self.config.dropout, self.training))
        tokens = tokens + step.view_as(tokens)
        return F.hardswish(self._attend(self.second_token, tokens, share)), share, numbers

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Return energies above the hull and formation energies (M, B), and expected cells (M, B, 7)."""
        hidden = self.trunk(inputs, self.normalised(inputs), tables)
        return self.read_out(hidden, self.seen_by_correction(inputs, hidden))

    def read_out(self, hidden: Tensor, seen: Tensor) -> Terms:
        """Return the outputs of hidden vectors (M, B, H), corrected by what :meth:`seen_by_correction` gives."""
        raw = self.out(hidden)
        mean = self.descriptor_mean.index_select(0, self.cell_columns)
        formation = self.bounded(raw[..., 1])
        correction = torch.einsum("mbf,mf->mb", seen, self.correction_weight)
        above = raw[..., 0] * ABOVE_SCALE + correction + self.correction_bias[:, None]
        return Terms(above, mean + 0.3 * raw[..., self.targets :], formation=formation)

    def seen_by_correction(self, inputs: Inputs, hidden: Tensor) -> Tensor:
        """Return the hidden vectors (M, B, H) and plain numbers of each crystal, (M, B, H + N_PLAIN).

        The numbers: orbits, free coordinates, log of the atoms per primitive cell, elements, whether the crystal holds
        elements of each kind of :func:`_kinds`, and whether its site pattern and its formula are known: samples of
        unknown patterns and formulas end higher, on average, than others that look alike.
        """
        assert isinstance(inputs, OrbitInputs)
        there = inputs.atomic_numbers > 0
        numbers = inputs.atomic_numbers
        kinds = F.one_hot(self.kinds[numbers], N_KINDS + 1)[..., 1:].amax(-2)
        first = there & ~(numbers[..., :, None] == numbers[..., None, :]).tril(-1).any(-1)
        plain = [there.sum(-1), inputs.freedom.sum(-1), inputs.atoms.sum(-1).clamp(min=1).log(), first.sum(-1)]
        described = torch.cat([torch.stack([x.float() for x in plain], -1), kinds.float(), inputs.known], -1)
        return torch.cat([hidden, described.expand(len(hidden), -1, -1)], -1)

    def loss(self, terms: Terms, target: Tensor, *, huber: float) -> Tensor:
        """Return the loss of both energies, Huber losses; unknown labels (NaN) do not count.

        Energies above the hull vary by a tenth of what formation energies vary by, and weigh ten times as much.

        Args:
            terms: predictions of M members for b rows each.
            target: (M, b, 2) energy above the hull and formation energy, eV/atom.
            huber: error, in eV/atom, beyond which the loss is linear.
        """
        assert terms.formation is not None
        total = terms.energy.new_zeros(())
        outputs = ((terms.energy, 1 / ABOVE_SCALE), (terms.formation, 1.0))
        for (predicted, weight), true in zip(outputs, target.unbind(-1), strict=True):
            known = ~true.isnan()
            loss = F.huber_loss(predicted, true.nan_to_num(), delta=huber, reduction="none") / huber
            total = total + weight * (loss * known).sum() / known.sum().clamp(min=1)
        return total

    def deviation(self, terms: Terms) -> Tensor:
        """Return the standard deviation (B,) of the energy above the hull, calibrated on relaxed samples."""
        variance = terms.energy.var(0, correction=0)
        return (self.deviation_scale.square() * variance + self.deviation_floor.square()).sqrt()


def _kinds() -> Tensor:
    """Kind of each element, (119,): oxygen, halogens, chalcogens, pnictogens, and other elements that are no metals.

    Metals, boron, silicon and germanium are 0.
    """
    kinds = torch.zeros(119, dtype=torch.int64)
    for number, elements in enumerate((OXYGEN, HALOGENS, CHALCOGENS, PNICTOGENS, NEITHER), 1):
        kinds[sorted(elements)] = number
    return kinds
