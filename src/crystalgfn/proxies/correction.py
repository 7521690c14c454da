"""Correction of an orbit network by relaxed samples: ridge regression of its errors on what it sees, in closed form.

The network is fitted to real crystals, which are stable nearly all. What relaxing a sampler's crystals finds is higher
by a tenth of an eV/atom on average, and differs from crystal to crystal. Some hundreds to thousands of relaxed samples
are too few to train all weights with: those know them by heart after some epochs, and foretell others no better. A
linear correction of the last hidden layer and of a few plain numbers keeps to what is common to many samples.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crystalgfn.errors import DataError
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.data.orbit_rows import learned_energy
from crystalgfn.proxies.networks.orbit_inputs import OrbitFeaturiser
from crystalgfn.proxies.networks.orbits import OrbitNetwork

RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Penalties on the squares of the weights of standardised features; the best is chosen by leaving out formulas."""

FOLDS = 5
FEWEST = 20
"""Fewest samples that a correction is fitted to."""

CHUNK = 512

Floats = npt.NDArray[np.float64]


def correct(network: OrbitNetwork, relaxed: LabelledCrystals, *, weights: Floats | None = None) -> float:
    """Fit the correction of every member to relaxed samples, in place of an earlier correction.

    Args:
        network: a fitted network.
        relaxed: N samples with their energies above the hull, none of them held back.
        weights: ``(N,)``, how much each sample counts; 1 for all by default.

    Returns:
        the penalty that was chosen: of several, the one with the least squared error on formulas left out.

    Raises:
        DataError: fewer than :data:`FEWEST` samples.
    """
    if len(relaxed.target) < FEWEST:
        raise DataError(f"{relaxed.name}: {len(relaxed.target)} relaxed samples, allowed: {FEWEST} or more")
    target = learned_energy(relaxed.target)
    counts = np.ones(len(target)) if weights is None else np.asarray(weights, dtype=float)
    network.correction_weight.zero_()
    network.correction_bias.zero_()
    features, energies = _features(network, relaxed)
    error = target - energies
    fold = np.array([zlib.crc32(f"fold {formula}".encode()) % FOLDS for formula in relaxed.crystals.formulas])
    losses = [_left_out(features, error, counts, fold, ridge) for ridge in RIDGES]
    ridge = RIDGES[int(np.argmin(losses))]
    for member, rows in enumerate(features):
        weight, bias = _fit(rows, error, counts, ridge)
        network.correction_weight[member] = torch.from_numpy(weight).float()
        network.correction_bias[member] = bias
    return ridge


def _features(network: OrbitNetwork, relaxed: LabelledCrystals) -> tuple[Floats, Floats]:
    """What the correction sees, (M, N, F), and the ensemble's uncorrected energies (N,)."""
    network.eval()
    featurise, tables = OrbitFeaturiser(network.properties, network.volumes), network.tables()
    seen, energies = list[Tensor](), list[Tensor]()
    with torch.no_grad():
        for rows in np.array_split(np.arange(len(relaxed.crystals)), -(-len(relaxed.crystals) // CHUNK)):
            inputs = featurise(relaxed.crystals[rows]).for_all_members()
            hidden = network.trunk(inputs, network.normalised(inputs), tables)
            seen.append(network.seen_by_correction(inputs, hidden))
            energies.append(network.terms(inputs, tables).energy.mean(0))
    return torch.cat(seen, 1).double().numpy(), torch.cat(energies).double().numpy()


def _left_out(features: Floats, error: Floats, counts: Floats, fold: npt.NDArray[np.int64], ridge: float) -> float:
    """Weighted mean square of what the members' mean correction leaves of the errors of formulas left out."""
    predicted = np.zeros_like(error)
    for number in range(FOLDS):
        out = fold == number
        for rows in features:
            weight, bias = _fit(rows[~out], error[~out], counts[~out], ridge)
            predicted[out] += (rows[out] @ weight + bias) / len(features)
    return float((counts * (error - predicted) ** 2).sum() / counts.sum())


def _fit(rows: Floats, error: Floats, counts: Floats, ridge: float) -> tuple[Floats, float]:
    """Weight (F,) and bias of the ridge regression of the errors (N,) on rows (N, F)."""
    share = counts / counts.sum()
    mean = share @ rows
    spread = np.sqrt(share @ (rows - mean) ** 2) + 1e-6
    standard, centre = (rows - mean) / spread, share @ error
    weighted = standard * counts[:, None]
    slope = (
        np.linalg.solve(weighted.T @ standard + ridge * np.eye(rows.shape[1]), weighted.T @ (error - centre)) / spread
    )
    return slope, float(centre - slope @ mean)


def without(relaxed: LabelledCrystals, left_out: Sequence[bool] | npt.NDArray[np.bool_]) -> LabelledCrystals:
    """Return the samples that are not marked (N,)."""
    kept = np.flatnonzero(~np.asarray(left_out, dtype=bool))
    return LabelledCrystals(relaxed.crystals[kept], relaxed.target[kept], relaxed.sha256, relaxed.name)
