"""Sizes and choices of a policy, with their defaults; :class:`crystalgfn.config.PolicyConfig` documents each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LookAhead = Literal["counts", "elements", "learned"]


@dataclass(frozen=True, kw_only=True)
class PolicyOptions:
    """What networks and stages are built from.

    Attributes:
        width, layers: size of the trunk (paper: 3 layers of 256 units).
        shared: one network for both policies; False gives P_B its own (paper).
        components: Beta distributions in each mixture.
        beta_range: bounds of the parameters of these distributions.
        flow: whether to learn the flow of states, for SubTB.
        look_ahead: the completions that the choice of an element starts from, see
            :mod:`crystalgfn.policy.stages.composition`.
        dropout: None for plain hidden layers; otherwise the dropout of residual ones.
        remembered_patterns: most site patterns that the stage of sites remembers beside its network.
        recognised_crystals: most crystals that the stage of elements recognises before their last element.
        recognised_formulas: most formulas that the stage of elements recognises before their last element.
        conditions: numbers in [0, 1] that both policies are conditional on, such as weights of the reward's terms.
    """

    width: int = 256
    layers: int = 3
    shared: bool = True
    components: int = 5
    beta_range: tuple[float, float] = (1.0, 100.0)
    flow: bool = False
    look_ahead: LookAhead = "counts"
    dropout: float | None = None
    remembered_patterns: int = 0
    recognised_crystals: int = 0
    recognised_formulas: int = 0
    conditions: int = 0
