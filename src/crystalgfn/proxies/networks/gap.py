"""The network of the band gap: is the crystal a metal, and if not, how wide is its gap.

    gap(x) = sigmoid(l(x)) g(x)

Three quarters of the training crystals have no gap at all, so one output would blur the edge. The logit l says which
side a crystal is on; the regression output g is taught by non-metals, and the product, the expected gap, by all.
Steeper edges than the sigmoid of l, up to a threshold at even odds, change the error on validation rows by less than
1.5 %.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.proxies.networks.base import NetworkConfig
from crystalgfn.proxies.networks.inputs import Inputs
from crystalgfn.proxies.networks.layers import MemberLinear
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.terms import Terms

METAL = 0.05
"""eV; crystals with a smaller gap count as metals."""

BEND = 6.0
"""Softplus that keeps the gap of non-metals above 0, per eV."""


class GapNetwork(SetNetwork):
    """Ensemble of M networks for the band gap, eV; see the module's docstring."""

    tells_metals = True

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.out = MemberLinear(config.members, config.hidden, 2, scale=0.3)

    def fit_scaling(self, inputs: Inputs, target: Tensor) -> None:
        """Set the scaling buffers from training inputs and their target (N,) in eV, of which the non-metals count."""
        super().fit_scaling(inputs, target)
        gaps = target[target > METAL]
        if len(gaps) > 1:
            self.target_mean.copy_(gaps.mean())
            self.target_std.copy_(gaps.std().clamp(min=1e-3))

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Gap (M, B) in eV with the logit of being no metal and the gap if it is none."""
        raw = self.out(self.trunk(inputs, self.normalised(inputs), tables))
        logit = raw[..., 0]
        gap = F.softplus(raw[..., 1] * self.target_std + self.target_mean, beta=BEND)
        return Terms(torch.sigmoid(logit) * gap, logit=logit, gap=gap)

    def loss(self, terms: Terms, target: Tensor, *, huber: float) -> Tensor:
        """Loss of predictions for labelled rows: :func:`gap_loss`."""
        return gap_loss(terms, target, huber=huber)


def gap_loss(terms: Terms, target: Tensor, *, huber: float) -> Tensor:
    """Cross-entropy of being no metal, plus Huber losses of the gap of non-metals and of the prediction.

    Args:
        terms: of M members for b rows each.
        target: (M, b) eV.
        huber: eV beyond which the loss is linear.
    """
    if terms.logit is None or terms.gap is None:
        raise TypeError("not the terms of a network of the band gap")
    non_metal = (target > METAL).to(target.dtype)
    sides = F.binary_cross_entropy_with_logits(terms.logit, non_metal)
    width = F.huber_loss(terms.gap, target, delta=huber, reduction="none") / huber
    both = F.huber_loss(terms.energy, target, delta=huber) / huber
    return sides + (width * non_metal).mean() + both
