"""A floor under crystals whose energy nobody has computed: the convex hull of the training rows.

A sampler that hunts the lowest predictions leaves the training data at once. Knowledge there is one-sided: no structure
of a composition lies below the convex hull of formation energies, and the hull of the training rows is an upper
estimate of that hull. Random crystals enter the training with the hull energy of their composition, and predictions
more than a margin below that energy are penalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch

from crystalgfn.crystallography import space_groups
from crystalgfn.crystallography.elements import ATOMIC_VOLUME, SYMBOLS
from crystalgfn.crystallography.lattices import angle_factor
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.stability.hull import Hull

MAX_COUNT = 16
MAX_ELEMENTS = 5
VOLUME_RATIO = (0.6, 1.6)
AXIAL_FACTOR = 3.0


def random_crystals(real: Crystals, number: int, *, seed: int) -> Crystals:
    """Make crystals as an untrained sampler would: 2 to 5 elements, 1 to 16 atoms of each, a cell of the group.

    Elements are drawn in proportion to the number of ``real`` crystals (B, D) that hold them, space groups in
    proportion to the square root of that number; volume per atom is log-uniform in [0.6, 1.6] of the additive estimate,
    axial ratios are log-uniform in [1/3, 3], free angles uniform in [70, 110] degree (monoclinic beta in [90, 125]).
    """
    rng = np.random.default_rng(seed)
    weight = (real.counts > 0).sum(0).cpu().numpy().astype(float)
    groups = np.sqrt(np.bincount(real.space_group.cpu().numpy(), minlength=231).astype(float))
    counts = np.zeros((number, len(real.elements)), dtype=np.int64)
    # Gumbel keys: the n highest are a draw without replacement in proportion to the weights
    keys = np.log(np.maximum(weight, 1e-12)) + rng.gumbel(size=counts.shape)
    size = rng.integers(2, min(MAX_ELEMENTS, int((weight > 0).sum())) + 1, size=number)
    chosen = np.argsort(-keys, axis=1)[:, :MAX_ELEMENTS]
    drawn = rng.integers(1, MAX_COUNT + 1, size=chosen.shape) * (np.arange(chosen.shape[1]) < size[:, None])
    np.put_along_axis(counts, chosen, drawn, axis=1)
    space_group = rng.choice(231, size=number, p=groups / groups.sum())
    estimate = counts @ ATOMIC_VOLUME[list(real.elements)]
    volume = estimate * np.exp(rng.uniform(np.log(VOLUME_RATIO[0]), np.log(VOLUME_RATIO[1]), size=number))
    return Crystals(
        real.elements,
        torch.as_tensor(space_group),
        torch.as_tensor(counts),
        torch.as_tensor(random_cells(space_group, volume, rng)),
    )


def random_cells(
    space_group: npt.NDArray[np.int64], volume: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw conventional cells (B, 6) (A, degree) with the lattice systems of the groups and the volumes (A^3)."""
    number = len(space_group)
    system = space_groups.CRYSTAL_LATTICE_SYSTEM[space_group]
    limit = np.log(AXIAL_FACTOR)
    logs = rng.uniform(-limit, limit, size=(number, 3))
    logs[:, 1] = np.where(system >= 4, logs[:, 0], logs[:, 1])
    logs[:, 2] = np.where(system == 8, logs[:, 0], logs[:, 2])
    angles = np.full((number, 3), 90.0)
    angles[system == 1] = rng.uniform(70, 110, size=(int((system == 1).sum()), 3))
    angles[system == 2, 1] = rng.uniform(90, 125, size=int((system == 2).sum()))
    angles[(system >= 5) & (system <= 7), 2] = 120.0
    unit = angle_factor(torch.from_numpy(angles)).numpy()
    lengths = np.exp(logs) * (volume / (np.exp(logs.sum(1)) * unit))[:, None] ** (1 / 3)
    return np.concatenate([lengths, angles], axis=1)


def hull_energies(
    elements: Sequence[int],
    counts: npt.NDArray[np.int64],
    energy: npt.NDArray[np.float64],
    compositions: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return the energy (B,), eV/atom, of the hull of the entries at the given compositions; elements stand at 0.

    Args:
        elements: D atomic numbers.
        counts: (N, D) atoms of each entry.
        energy: (N,) formation energy, eV/atom.
        compositions: (B, D) atoms of each composition.
    """
    symbols = [SYMBOLS[z] for z in elements]
    entries = (
        (dict(zip(symbols, row, strict=True)), e) for row, e in zip(counts.tolist(), energy.tolist(), strict=True)
    )
    hull = Hull(chain((({symbol: 1}, 0.0) for symbol in symbols), entries), name="training rows")
    return np.minimum(hull.energies(elements, compositions), 0.0)
