"""The network of any number that is no energy: no floor, and the scale and transformation of its labels.

Numbers are learned as they are, by their logarithms (positive numbers over decades), or as the probability of 1 where
labels are 0 and 1. Errors count in standard deviations of the labels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from crystalgfn.proxies.networks.inputs import Inputs
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.terms import Terms

MOST_LOG = 80.0
"""Largest size of the logarithm of a prediction, so that it stays finite and above 0 in single precision."""


class ScalarNetwork(SetNetwork):
    """Ensemble of M networks for a number of any unit; see the module's docstring."""

    def fit_scaling(self, inputs: Inputs, target: Tensor) -> None:
        """Set the scaling buffers from training inputs and their labels (N,)."""
        super().fit_scaling(inputs, target.log() if self.config.transformation == "log" else target)
        if self.config.transformation == "classes":
            self.target_mean.zero_()
            self.target_std.fill_(1.0)

    def terms(self, inputs: Inputs, tables: tuple[Tensor, ...]) -> Terms:
        """Return the number (M, B) in the unit of the labels, and the log odds of 1 where they are classes."""
        number = self.raw(inputs, tables) * self.target_std + self.target_mean
        if self.config.transformation == "log":
            return Terms(number.clamp(-MOST_LOG, MOST_LOG).exp())
        if self.config.transformation == "classes":
            return Terms(torch.sigmoid(number), logit=number)
        return Terms(number)

    def loss(self, terms: Terms, target: Tensor, *, huber: float) -> Tensor:
        """Return the Huber loss in standard deviations of the labels (M, b), or the cross-entropy of classes."""
        if terms.logit is not None:
            return F.binary_cross_entropy_with_logits(terms.logit, target)
        number = terms.energy
        if self.config.transformation == "log":
            number, target = number.log(), target.log()
        return F.huber_loss(number / self.target_std, target / self.target_std, delta=huber) / huber
