"""One small network in place of a large ensemble: crystals nobody has computed, with the ensemble's answer as label.

An ensemble is more accurate than each of its members and too slow for a training loop. Real crystals with elements
exchanged for similar ones stay near what the ensemble knows, and there are as many as one likes: a single network that
learns them beside the real rows keeps most of the ensemble's accuracy at a fraction of its cost (arXiv 1503.02531).
"""

from __future__ import annotations

import numpy as np
import torch

from crystalgfn.crystal import Crystals
from crystalgfn.crystallography.elements import ATOMIC_VOLUME
from crystalgfn.properties.bounds import random_crystals
from crystalgfn.properties.features import Featuriser, element_property_table
from crystalgfn.properties.proxy import ProxyNetwork
from crystalgfn.properties.training import Rows, predict_rows

SIMILARITY = 2.0
"""Width of the Gaussian, in standard deviations of the element properties (26 of them), that picks similar elements."""

VOLUME_JITTER = 0.03
RANDOM_SHARE = 0.1
"""Share of crystals that are not real ones with other elements, but what an untrained sampler makes."""


def relatives(known: Crystals, number: int, *, seed: int) -> Crystals:
    """Make crystals like ``known`` (B, D) with one or two elements exchanged, and a share of random ones.

    The cell keeps its shape and its volume relative to the additive estimate, up to a few per cent.
    """
    rng = np.random.default_rng(seed)
    n_random = round(number * RANDOM_SHARE)
    rows = rng.integers(0, len(known), size=number - n_random)
    counts = known.counts.cpu().numpy()[rows].copy()
    lattice = known.lattice.cpu().numpy()[rows].copy()
    elements = list(known.elements)
    table = element_property_table()[elements]
    distance = np.square(table[:, None] - table[None]).mean(-1)
    frequency = (known.counts > 0).sum(0).cpu().numpy()
    weight = np.exp(-0.5 * distance * SIMILARITY**2) * np.sqrt(frequency)[None] + 1e-12
    np.fill_diagonal(weight, 0)
    cumulative = np.cumsum(weight / weight.sum(1, keepdims=True), axis=1)
    before = counts @ ATOMIC_VOLUME[elements]
    index = np.arange(len(rows))
    for share in (1.0, 0.5):
        held = counts > 0
        old = np.argmax(np.where(held, rng.random(counts.shape), -1), axis=1)
        new = (cumulative[old] < rng.random(len(rows))[:, None]).sum(1).clip(max=len(elements) - 1)
        usable = (counts[index, new] == 0) & (rng.random(len(rows)) < share)
        moved = counts[index, old]
        counts[index[usable], new[usable]] = moved[usable]
        counts[index[usable], old[usable]] = 0
    growth = counts @ ATOMIC_VOLUME[elements] / before * np.exp(VOLUME_JITTER * rng.normal(size=len(rows)))
    lattice[:, :3] *= growth[:, None] ** (1 / 3)
    exchanged = Crystals(
        known.elements,
        known.space_group.cpu()[torch.as_tensor(rows)],
        torch.as_tensor(counts),
        torch.as_tensor(lattice),
    )
    return Crystals.concatenate([exchanged, random_crystals(known, n_random, seed=seed + 1)])


def taught(teachers: list[ProxyNetwork], crystals: Crystals) -> Rows:
    """Return the crystals with the mean prediction of the teachers (eV/atom) as target."""
    inputs = Featuriser()(crystals)
    return Rows(inputs, torch.stack([predict_rows(teacher, inputs) for teacher in teachers]).mean(0))
