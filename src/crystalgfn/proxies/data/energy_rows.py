"""Rows that teach the energy of relaxed crystals: real crystals, hull entries, and crystals nobody has computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.data.bounds import VOLUME_RATIO, hull_energies, random_crystals
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.data.rows import Rows, TrainingData, rows_of
from crystalgfn.proxies.data.splits import Split
from crystalgfn.proxies.hyperparameters import Hyperparameters
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.inputs import Inputs
from crystalgfn.stability.phases import read_phase_table

N_BOUNDED = 8_000
"""Number of random crystals that are kept above the hull."""


def energy_data(
    table: LabelledCrystals, split: Split, hyperparameters: Hyperparameters, *, hull: Path | None, seed: int
) -> TrainingData:
    """Make the training rows for the energy of real crystals, and of the compositions of hull entries.

    Args:
        table: real crystals.
        split: split of the rows of ``table``.
        hyperparameters: decide how many hull rows a step takes, and the weight of the floor.
        hull: table with columns elements (JSON counts), formation_energy_per_atom and optionally e_above_hull; its
            entries of validation and test formulas are left out.
        seed: seed of the random crystals above the hull.
    """
    train = rows_of(table, split.train, table.target)
    extra = bounded = borrowed = None
    if hull is not None and hyperparameters.extra_size > 0:
        crystals = table.crystals[split.train]
        hidden = set(np.asarray(table.crystals.formulas, dtype=object)[~split.train])
        counts, energy = read_hull_entries(hull, crystals.elements, hidden)
        extra = composition_rows(crystals.elements, counts, energy, train.inputs.descriptors.mean(0))
        if hyperparameters.borrowed_weight > 0:
            borrowed = borrowed_rows(extra, train.inputs, seed=seed)
        if hyperparameters.bound_weight > 0:
            random = random_crystals(crystals, N_BOUNDED, seed=seed)
            bound = hull_energies(
                crystals.elements,
                np.concatenate([counts, crystals.counts.cpu().numpy()]),
                np.concatenate([energy, table.target[split.train]]),
                random.counts.numpy(),
            )
            bounded = Rows(Featuriser()(random), torch.as_tensor(bound, dtype=torch.float32))
    return TrainingData(
        train, rows_of(table, split.validation, table.target), extra=extra, bounded=bounded, borrowed=borrowed
    )


def composition_rows(
    elements: Sequence[int], counts: npt.NDArray[np.int64], energy: npt.NDArray[np.float64], descriptors: torch.Tensor
) -> Rows:
    """Return rows of the compositions ``counts`` (B, D) without structure, each once, with the hull energy (B,).

    ``descriptors`` (N,) are the means of real crystals, which stand for the descriptors of the unknown cell.
    """
    crystals, target = distinct_compositions(elements, counts, energy)
    return Rows(Featuriser()(crystals).without_structure(descriptors), target)


def distinct_compositions(
    elements: Sequence[int], counts: npt.NDArray[np.int64], energy: npt.NDArray[np.float64]
) -> tuple[Crystals, torch.Tensor]:
    """Return the compositions ``counts`` (B, D) as crystals of a cell that means nothing, and their energies (B,).

    Each reduced formula occurs once, where it occurs first.
    """
    size = len(counts)
    cells = torch.tensor([[5.0, 5.0, 5.0, 90.0, 90.0, 90.0]], dtype=torch.float64).expand(size, 6)
    crystals = Crystals(tuple(elements), torch.ones(size, dtype=torch.int64), torch.as_tensor(counts), cells)
    _, first = np.unique(np.asarray(crystals.formulas, dtype=str), return_index=True)
    return crystals[first], torch.as_tensor(energy[first], dtype=torch.float32)


def borrowed_rows(compositions: Rows, crystals: Inputs, *, seed: int) -> Rows:
    """Give ``compositions`` the space group, size and cell of random ``crystals`` with the same fractions.

    Compositions whose fractions, by rising electronegativity, no crystal has are left out; the others occur
    twice. Their volume over the additive estimate is drawn from the range of random crystals, log-uniformly.
    """
    rng = np.random.default_rng(seed)
    lenders: dict[tuple[float, ...], list[int]] = {}
    for row, fractions in enumerate(crystals.fractions.numpy().round(3)):
        lenders.setdefault(tuple(fractions[fractions > 0].tolist()), []).append(row)
    pairs = [
        (row, candidates[rng.integers(len(candidates))])
        for row, fractions in enumerate(compositions.inputs.fractions.numpy().round(3))
        if (candidates := lenders.get(tuple(fractions[fractions > 0].tolist())))
        for _ in range(2)
    ]
    rows, lender = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).unbind(1)
    inputs = compositions.inputs[rows].with_structure(crystals[lender])
    low, high = np.log(VOLUME_RATIO).tolist()
    log_ratio = torch.as_tensor(rng.uniform(low, high, size=len(rows)), dtype=torch.float32)
    return Rows(inputs.with_volume(log_ratio), compositions.target[rows])


def read_hull_entries(
    path: Path, elements: Sequence[int], hidden: set[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Read counts (N, D) over ``elements`` and the hull energy (N,), eV/atom, at the composition of each entry.

    Entries with other elements, or with a reduced formula in ``hidden``, are left out. The hull energy is the entry's
    formation energy less its energy above the hull, where the table has it.

    Raises:
        DataError: see :func:`~crystalgfn.stability.phases.read_phase_table`.
    """
    table = read_phase_table(path)
    column = {z: i for i, z in enumerate(elements)}
    foreign = [i for i, z in enumerate(table.elements) if z not in column]
    usable = ~(table.counts[:, foreign] > 0).any(1)
    own = [(i, column[z]) for i, z in enumerate(table.elements) if z in column]
    counts = np.zeros((int(usable.sum()), len(elements)), dtype=np.int64)
    counts[:, [new for _, new in own]] = whole_counts(table.counts[usable][:, [old for old, _ in own]])
    energy = table.hull[usable]
    size = len(counts)
    formulas = Crystals(
        tuple(elements), torch.ones(size, dtype=torch.int64), torch.as_tensor(counts), torch.ones(size, 6)
    ).formulas
    visible = np.array([formula not in hidden for formula in formulas], dtype=bool)
    return counts[visible], energy[visible]


def whole_counts(amounts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return amounts (N, D) as whole numbers of atoms in the same ratios; fractions have denominators up to 1000."""
    whole = amounts == np.floor(amounts)
    counts = amounts.astype(np.int64)
    for row in np.flatnonzero(~whole.all(1)):
        shares = [Fraction(float(n)).limit_denominator(1000) for n in amounts[row]]
        multiple = math.lcm(*(share.denominator for share in shares))
        counts[row] = [int(share * multiple) for share in shares]
    return counts
