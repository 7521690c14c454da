"""The network of the band gap: is the crystal a metal, and if not, how wide is its gap.

    gap(x) = sigmoid(l(x)) g(x)

Three quarters of the training crystals have no gap at all, so a single output would blur the edge. The logit l says
which side a crystal is on; non-metals teach the regression output g, and all crystals the product, the expected gap.
Steeper edges than the sigmoid of l, up to a threshold at even odds, change the error on validation rows by less than
1.5 %.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.member_layers import MemberLinear
from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.inputs import Inputs
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.terms import Terms

METAL = 0.05
"""eV; crystals with a smaller gap count as metals."""

BEND = 6.0
"""Sharpness, per eV, of the softplus that keeps the gap of non-metals above 0."""


class GapNetwork(SetNetwork):
    """Ensemble of M networks for the band gap, eV; see the module's docstring."""

    tells_metals = True

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.out = MemberLinear(config.members, config.hidden, 2, scale=0.3)

    def fit_scaling(self, inputs: Inputs, target: Tensor) -> None:
        """Set the scaling buffers from training inputs and their target (N,) in eV, the latter from non-metals."""
        super().fit_scaling(inputs, target)
        gaps = target[target > METAL]
        if len(gaps) > 1:
            self.target_mean.copy_(gaps.mean())
            self.target_std.copy_(gaps.std().clamp(min=1e-3))

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Return the gap (M, B) in eV, the logit of a non-metal, and the gap of a non-metal."""
        raw = self.out(self.trunk(inputs, self.normalised(inputs), tables))
        logit = raw[..., 0]
        gap = F.softplus(raw[..., 1] * self.target_std + self.target_mean, beta=BEND)
        return Terms(torch.sigmoid(logit) * gap, logit=logit, gap=gap)

    def loss(self, terms: Terms, target: Tensor, *, huber: float) -> Tensor:
        """Return the loss of predictions for labelled rows: :func:`gap_loss`."""
        return gap_loss(terms, target, huber=huber)


def gap_loss(terms: Terms, target: Tensor, *, huber: float) -> Tensor:
    """Return the cross-entropy of metal or not, plus Huber losses of the gap of non-metals and of the prediction.

    Args:
        terms: predictions of M members for b rows each.
        target: (M, b) band gaps, eV.
        huber: error, in eV, beyond which the loss is linear.

    Raises:
        TypeError: the terms are not of a network of the band gap.
    """
    if terms.logit is None or terms.gap is None:
        raise TypeError("not the terms of a network of the band gap")
    non_metal = (target > METAL).to(target.dtype)
    sides = F.binary_cross_entropy_with_logits(terms.logit, non_metal)
    width = F.huber_loss(terms.gap, target, delta=huber, reduction="none") / huber
    both = F.huber_loss(terms.energy, target, delta=huber) / huber
    return sides + (width * non_metal).mean() + both
