"""Correction of an orbit network by relaxed samples: ridge regression of its errors on what it sees, in closed form.

The network is fitted to real crystals, which are stable nearly all. What relaxing a sampler's crystals finds is higher
by a tenth of an eV/atom on average, and differs from crystal to crystal. Some hundreds to thousands of relaxed samples
are too few to train all weights with: those know them by heart after some epochs, and foretell others no better. A
linear correction of the last hidden layer and of a few plain numbers keeps to what is common to many samples.

Real crystals are rehearsed beside the samples. A correction by samples alone teaches that whatever holds oxygen is bad,
since most oxides of a sampler are, and lifts the real ones by a tenth of an eV/atom too.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from crystalgfn.errors import DataError
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.data.orbit_rows import learned_energy
from crystalgfn.proxies.networks.orbit_inputs import OrbitFeaturiser
from crystalgfn.proxies.networks.orbits import OrbitNetwork

RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Penalties on the squares of the weights of standardised features; the best is chosen by leaving out formulas."""

REAL_WEIGHT = 1.0
"""Weight of all real crystals that are rehearsed over that of all relaxed samples."""

FOLDS = 5
FEWEST = 20
"""Fewest samples that a correction is fitted to."""

CHUNK = 512

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Seen:
    """What the correction of M members sees of N samples.

    Attributes:
        values: (M, N, F) the last hidden layer, and plain numbers.
        energy: (M, N) predicted energies above the hull, eV/atom.
        target: (N,) energies above the hull as they are learned, eV/atom.
    """

    values: Floats
    energy: Floats
    target: Floats

    @classmethod
    @torch.no_grad()
    def of(cls, network: OrbitNetwork, labels: LabelledCrystals) -> Seen:
        """Pass labelled samples through a network."""
        network.eval()
        featurise, tables = OrbitFeaturiser(network.properties, network.volumes), network.tables()
        values, energies = [], []
        for rows in np.array_split(np.arange(len(labels.crystals)), max(1, -(-len(labels.crystals) // CHUNK))):
            inputs = featurise(labels.crystals[rows]).for_all_members()
            hidden = network.trunk(inputs, network.normalised(inputs), tables)
            seen = network.seen_by_correction(inputs, hidden)
            values.append(seen)
            energies.append(network.read_out(hidden, seen).energy)
        whole, energy = (torch.cat(parts, 1).double().numpy() for parts in (values, energies))
        return cls(whole, energy, learned_energy(labels.target))

    def __getitem__(self, rows: Mask) -> Seen:
        """Return the samples that a mask (N,) marks."""
        return Seen(self.values[:, rows], self.energy[:, rows], self.target[rows])

    def __len__(self) -> int:
        return len(self.target)

    def joined(self, other: Seen) -> Seen:
        """Return these samples and others after them."""
        return Seen(
            np.concatenate([self.values, other.values], 1),
            np.concatenate([self.energy, other.energy], 1),
            np.concatenate([self.target, other.target]),
        )

    @property
    def error(self) -> Floats:
        """What is missing from the ensemble's mean, (N,) eV/atom."""
        return self.target - self.energy.mean(0)


@dataclass(frozen=True)
class Correction:
    """What is added to the energy of each member: slope . values + constant.

    Attributes:
        slope: (M, F) eV/atom.
        constant: (M,) eV/atom.
    """

    slope: Floats
    constant: Floats

    @classmethod
    def fit(cls, samples: Seen, counts: Floats, ridge: float, *, spread: Floats) -> Correction:
        """Fit to the errors of the ensemble's mean, by ridge regression whose constant is free.

        Args:
            samples: N samples.
            counts: (N,) how much each counts.
            ridge: penalty on the squares of the slopes of values over their spread.
            spread: (M, 1, F) spread of the values.
        """
        share = counts / counts.sum()
        mean, centre = np.einsum("n,mnf->mf", share, samples.values), share @ samples.error
        standard = (samples.values - mean[:, None]) / spread
        weighted = standard * counts[:, None]
        squares = weighted.transpose(0, 2, 1) @ standard + ridge * np.eye(standard.shape[2])
        right = np.einsum("mnf,n->mf", weighted, samples.error - centre)
        slope = np.linalg.solve(squares, right[..., None])[..., 0] / spread[:, 0]
        return cls(slope, centre - (slope * mean).sum(1))

    def energy(self, samples: Seen) -> Floats:
        """Return corrected energies (M, N), eV/atom."""
        added = np.einsum("mnf,mf->mn", samples.values, self.slope) + self.constant[:, None]
        return np.asarray(samples.energy + added)

    def add_to(self, network: OrbitNetwork) -> None:
        """Add it to the correction that a network has."""
        network.correction_weight += torch.from_numpy(self.slope).float()
        network.correction_bias += torch.from_numpy(self.constant).float()


def correct(
    network: OrbitNetwork,
    relaxed: LabelledCrystals,
    *,
    real: LabelledCrystals | None = None,
    weights: Floats | None = None,
) -> float:
    """Fit the correction of every member to relaxed samples, in place of an earlier correction.

    Args:
        network: a fitted network.
        relaxed: N samples with their energies above the hull, none of them held back.
        real: real crystals that the network was not fitted to, which are rehearsed; none if None.
        weights: ``(N,)``, how much each sample counts; 1 for all by default.

    Returns:
        the penalty that was chosen: of several, the one with the least squared error on formulas left out.

    Raises:
        DataError: fewer than :data:`FEWEST` samples.
    """
    if len(relaxed.target) < FEWEST:
        raise DataError(f"{relaxed.name}: {len(relaxed.target)} relaxed samples, allowed: {FEWEST} or more")
    counts = np.ones(len(relaxed.target)) if weights is None else np.asarray(weights, dtype=float)
    network.correction_weight.zero_()
    network.correction_bias.zero_()
    samples, formulas = Seen.of(network, relaxed), list(relaxed.crystals.formulas)
    if real is not None and len(real.target):
        share = REAL_WEIGHT * counts.sum() / len(real.target)
        counts = np.concatenate([counts, np.full(len(real.target), share)])
        samples, formulas = samples.joined(Seen.of(network, real)), formulas + list(real.crystals.formulas)
    fold = np.array([zlib.crc32(f"fold {formula}".encode()) % FOLDS for formula in formulas])
    losses = [_left_out(samples, counts, fold, ridge) for ridge in RIDGES]
    ridge = RIDGES[int(np.argmin(losses))]
    _weighted_fit(samples, counts, ridge).add_to(network)
    return ridge


def _left_out(samples: Seen, counts: Floats, fold: npt.NDArray[np.int64], ridge: float) -> float:
    """Weighted mean square of the errors of formulas left out that a correction leaves."""
    corrected = np.zeros_like(samples.target)
    for number in range(FOLDS):
        out = fold == number
        corrected[out] = _weighted_fit(samples[~out], counts[~out], ridge).energy(samples[out]).mean(0)
    return float((counts * (samples.target - corrected) ** 2).sum() / counts.sum())


def _weighted_fit(samples: Seen, counts: Floats, ridge: float) -> Correction:
    """The correction with values standardised as they are weighted."""
    share = counts / counts.sum()
    mean = np.einsum("n,mnf->mf", share, samples.values)[:, None]
    spread = np.sqrt(np.einsum("n,mnf->mf", share, (samples.values - mean) ** 2))[:, None] + 1e-6
    return Correction.fit(samples, counts, ridge, spread=spread)
