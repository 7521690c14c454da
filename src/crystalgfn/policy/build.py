"""From a space to its policy: one stage for each subspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.stages.cell import CellStage
from crystalgfn.policy.stages.composition import CompositionStage
from crystalgfn.policy.stages.lattice import LatticeStage
from crystalgfn.policy.stages.sites import SiteStage
from crystalgfn.policy.stages.slot_elements import SlotElementStage
from crystalgfn.policy.stages.space_group import SpaceGroupStage
from crystalgfn.policy.stages.space_group_at_once import SpaceGroupAtOnceStage
from crystalgfn.policy.stages.stage import Stage
from crystalgfn.spaces.crystal import CrystalSpace

STAGES: tuple[type[Stage[Any]], ...] = (SpaceGroupStage, CompositionStage, LatticeStage)
"""The stage of every subspace; a stage has the name of its subspace."""

SITE_STAGES: tuple[type[Stage[Any]], ...] = (SpaceGroupAtOnceStage, SiteStage, SlotElementStage, CellStage)
"""Stages of spaces with sites. Every state has one parent, so the probability of a crystal is that of its path."""


def policy_of(
    space: CrystalSpace, options: PolicyOptions | None = None, *, stages: Sequence[type[Stage[Any]]] | None = None
) -> CrystalPolicy:
    """The policies over a space with random weights.

    Args:
        space: at least as wide as any space that will be sampled.
        options: options of networks and stages; the defaults if None.
        stages: stages to choose from, one of each name; None for those of the package.

    Raises:
        LookupError: a subspace has no stage.
    """
    options = options or PolicyOptions()
    if stages is None:
        stages = SITE_STAGES if space.has_sites else STAGES
    by_name = {stage.name: stage for stage in stages}
    for subspace in space.subspaces:
        if subspace.name not in by_name:
            raise LookupError(f"subspace {subspace.name!r}: found no stage, allowed: {', '.join(by_name)}")
    return CrystalPolicy([by_name[subspace.name].build(space, options) for subspace in space.subspaces], options)
