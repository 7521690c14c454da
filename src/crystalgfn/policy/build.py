"""From a space to its policy: one stage for each subspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.stages.composition import CompositionStage
from crystalgfn.policy.stages.lattice import LatticeStage
from crystalgfn.policy.stages.space_group import SpaceGroupStage
from crystalgfn.policy.stages.stage import Stage
from crystalgfn.spaces.crystal import CrystalSpace

STAGES: tuple[type[Stage[Any]], ...] = (SpaceGroupStage, CompositionStage, LatticeStage)
"""The stage of every subspace; a stage has the name of its subspace."""


def policy_of(
    space: CrystalSpace, options: PolicyOptions | None = None, *, stages: Sequence[type[Stage[Any]]] = STAGES
) -> CrystalPolicy:
    """The policies over a space with random weights.

    Args:
        space: at least as wide as any space that will be sampled.
        options: options of networks and stages; the defaults if None.
        stages: stages to choose from, one of each name.

    Raises:
        LookupError: a subspace has no stage.
    """
    options = options or PolicyOptions()
    by_name = {stage.name: stage for stage in stages}
    for subspace in space.subspaces:
        if subspace.name not in by_name:
            raise LookupError(f"subspace {subspace.name!r}: found no stage, allowed: {', '.join(by_name)}")
    return CrystalPolicy([by_name[subspace.name].build(space, options) for subspace in space.subspaces], options)
