"""Exact -log-likelihoods of crystals with sites, by part: the probability of a crystal is the sum over its writings.

A crystal is its space group and the elements on its Wyckoff positions, whatever the normalizer makes of their letters,
with the cell as it stands. A policy samples one of its writings (:mod:`crystalgfn.spaces.writings`). Each part is the
surprise at one more thing, given all before it: the group; the pattern, as the set of its writings; the elements on
it; the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from crystalgfn.crystallography.sites.keys import log_writings
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError
from crystalgfn.evaluation.measured import measured
from crystalgfn.gflownet.likelihood import nats_by_stage
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.site_encoding import assignments_of, with_sites
from crystalgfn.spaces.site_pattern_space import SitePatternSpace
from crystalgfn.spaces.site_states import SiteStates
from crystalgfn.spaces.space_group import SpaceGroupSpace
from crystalgfn.spaces.writings import Writing, writings

MOST = 200
"""Most writings of a crystal that is scored."""

BATCH = 4_000
"""Number of writings that are scored at once."""


@dataclass(frozen=True)
class ExactNats:
    """Nats of N crystals by part.

    Attributes:
        parts: ``(N,)`` each, by the name of the stage; a cell's are in the measure of the unit cube, and may be
            negative.
        rows: ``(N,)`` row numbers of the crystals that were scored.
        writings: ``(N,)`` number of writings of each.
        outside: crystals that do not lie in the space.
        too_many: crystals left out because they have more writings than were allowed.
    """

    parts: dict[str, NDArray[np.float64]]
    rows: NDArray[np.int64]
    writings: NDArray[np.int64]
    outside: int
    too_many: int

    @property
    def total(self) -> NDArray[np.float64]:
        """-log p of each crystal, ``(N,)`` nats."""
        return np.sum(list(self.parts.values()), axis=0)


def exact_nats(policy: CrystalPolicy, space: CrystalSpace, crystals: Crystals, *, most: int = MOST) -> ExactNats:
    """Score every writing of crystals, and add the probabilities up.

    Args:
        policy: sampler of a space with sites, in evaluation mode.
        space: masks, tables and limits.
        crystals: with sites, or with a column ``wyckoff``.
        most: crystals with more writings are left out, and counted.

    Raises:
        ConfigError: the space has no sites.
        DataError: crystals without sites, or with impossible ones; names the row.
    """
    if not space.has_sites:
        raise ConfigError("exact nats: found a space without sites, allowed: constraints.sites: wyckoff")
    crystals = with_sites(crystals)
    states, rows = space.states(crystals)
    inside = crystals[rows.cpu().numpy()]
    assert inside.sites is not None
    assert isinstance(states, SiteStates)
    numbers = log_writings(inside.space_group, inside.sites.elements, inside.sites.letters).exp().round().long()
    few = (numbers <= most).nonzero().squeeze(1)
    states, numbers = states[few.to(space.device)], numbers[few]
    written = [writings(assignment) for assignment in assignments_of(inside[few.numpy()])]
    parts: dict[str, list[float]] = {name: [] for name in policy.stages}
    for first, last in _batches(numbers.tolist()):
        for name, nats in _score(policy, space, states[torch.arange(first, last)], written[first:last]).items():
            parts[name] += nats
    return ExactNats(
        {name: np.array(part) for name, part in parts.items()},
        rows.cpu()[few].numpy(),
        numbers.numpy(),
        len(crystals) - len(inside),
        len(inside) - len(few),
    )


def _batches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ranges of crystals with about ``BATCH`` writings together."""
    place = (np.cumsum(numbers) - 1) // BATCH
    edges = [0, *(np.flatnonzero(np.diff(place)) + 1).tolist(), len(numbers)]
    return [(a, b) for a, b in pairwise(edges) if a < b]


def _score(
    policy: CrystalPolicy, space: CrystalSpace, states: SiteStates, written: Sequence[Sequence[Writing]]
) -> dict[str, list[float]]:
    """Nats of B crystals by stage."""
    owner = [row for row, each in enumerate(written) for _ in each]
    every = _rewritten(states[torch.tensor(owner, device=space.device)], [w for each in written for w in each], space)
    drawn = policy.sample_backward(every, space, generator=Generator(device=space.device).manual_seed(0))
    log_p = {name: -part.cpu() for name, part in nats_by_stage(policy, drawn, space).items()}
    nats: dict[str, list[float]] = {name: [] for name in log_p}
    first = 0
    for each in written:
        own = slice(first, first + len(each))
        first += len(each)
        before, so_far = 0.0, torch.zeros(len(each), dtype=torch.float64)
        for name, of_stage in log_p.items():
            so_far = so_far + of_stage[own]
            log_sum = float(torch.logsumexp(so_far[_distinct(name, each)], 0))
            nats[name].append(before - log_sum)
            before = log_sum
    return nats


def _distinct(stage: str, written: Sequence[Writing]) -> list[int]:
    """Writings that differ in what was decided up to the end of a stage: the first of each kind."""
    if stage == SpaceGroupSpace.name:
        return [0]
    seen: dict[Any, int] = {}
    for place, (slots, numbers) in enumerate(written):
        seen.setdefault(slots if stage == SitePatternSpace.name else (slots, numbers), place)
    return list(seen.values())


def _rewritten(states: SiteStates, written: Sequence[Writing], space: CrystalSpace) -> SiteStates:
    """States of the same crystals in other writings, W each."""
    place = {z: d + 1 for d, z in enumerate(space.elements)}
    slots, letters, filled = torch.zeros_like(states.slots), torch.full_like(states.letters, -1), states.filled.clone()
    for row, (pattern, numbers) in enumerate(written):
        orbits = [(slot, letter) for slot, each in enumerate(pattern) for letter in each]
        slots[row, : len(orbits)], letters[row, : len(orbits)] = torch.tensor(orbits, device=slots.device).T
        order = [slot for _, slot in sorted((place[z], slot) for slot, z in enumerate(numbers))]
        filled[row, : len(order)] = torch.tensor(order, device=slots.device)
    return replace(states, slots=slots, letters=letters, filled=filled)


def exact_numbers(nats: ExactNats, what: str, key: str) -> dict[str, dict[str, Any]]:
    """Measure how well a prior fits crystals: mean exact nats, whole and by part.

    Args:
        nats: result of :func:`exact_nats`.
        what: description of the crystals in the methods.
        key: last part of the names of the numbers.

    Returns:
        numbers with their methods: ``exact_nats_*`` of whole crystals, with its standard error, and of each part.
    """
    total, n = nats.total, len(nats.rows)
    if not n:
        return {f"exact_nats_{key}": measured(None, f"not measured: none of {what} could be scored", 0)}
    method = (
        f"mean -log p over {what}, nats a crystal (measure of the cube for cells), exact: summed over all writings of "
        f"a crystal; left out: {nats.outside} outside the space, {nats.too_many} with too many writings"
    )
    numbers = {f"exact_nats_{key}": measured(float(total.mean()), method, n)}
    if n > 1:
        error = float(total.std(ddof=1) / np.sqrt(n))
        numbers[f"exact_nats_{key}_error"] = measured(error, "its standard error over the crystals", n)
    for name, part in nats.parts.items():
        about = f"the part of exact_nats_{key} of the {name} stage, given the parts before it"
        numbers[f"exact_nats_{name}_{key}"] = measured(float(part.mean()), about, n)
    return numbers
