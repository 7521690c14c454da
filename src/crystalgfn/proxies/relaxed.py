"""How well a model of the energy above the hull foretells what relaxing samples finds, and how sure it may be."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from crystalgfn.crystallography.chemical_classes import CLASSES
from crystalgfn.crystals.chemical_classes import classes_of
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.correction import Floats, Seen
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.data.labels import FORMATION_ENERGY
from crystalgfn.proxies.data.orbit_rows import held_back, learned_energy
from crystalgfn.proxies.data.splits import Split
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.networks.orbits import OrbitNetwork

STABLE = 0.08
"""eV/atom; samples that end at most so far above the hull, or below it, count as stable."""

FEWEST = 10
"""Fewest samples that say how large errors are."""

ONE_SIGMA = 0.6827
"""Share of a normal distribution within one standard deviation."""


def calibrate(network: OrbitNetwork, relaxed: LabelledCrystals) -> None:
    """Set the scale of the network's deviation, so that two thirds of the errors lie within one deviation.

    It is set on every second held-back formula; :func:`evaluate_relaxed` reports the share on the others.
    """
    rows = held_back(relaxed.crystals.formulas) & ~_reported(relaxed.crystals)
    if rows.any():
        samples = Seen.of(network, relaxed[rows])
        set_deviation(network, samples.energy, samples.target)


def set_deviation(network: OrbitNetwork, energy: Floats, true: Floats) -> None:
    """Set the scale of the network's deviation, so that two thirds of the errors lie within one deviation.

    The deviation is at least half of what all errors together ask for: members that agree may be wrong together.

    Args:
        network: its buffers are set; left alone by fewer than :data:`FEWEST` samples.
        energy: (M, N) predictions of the members for samples that they were not fitted to, eV/atom.
        true: (N,) what relaxing found, eV/atom.
    """
    if len(true) < FEWEST:
        return
    error, spread = np.abs(energy.mean(0) - true), energy.std(0)
    floor = 0.5 * float(np.quantile(error, ONE_SIGMA))
    beyond = np.sqrt(np.maximum(error**2 - floor**2, 0)) / np.maximum(spread, 1e-6)
    network.deviation_floor.fill_(floor)
    network.deviation_scale.fill_(float(np.quantile(beyond, ONE_SIGMA)))


def evaluate_relaxed(model: ProxyProperty, relaxed: LabelledCrystals) -> dict[str, Any]:
    """Return how well the model foretells held-back samples, all and by chemical class.

    Each group has n, the mean absolute error and the bias (eV/atom), the rank correlation, the share that is stable,
    precision and recall of "predicted within :data:`STABLE`", and the area under the curve of true against false
    positives. ``within_deviation`` is the share of errors within one deviation, on formulas that did not set it.
    """
    rows = np.flatnonzero(held_back(relaxed.crystals.formulas))
    crystals, true = relaxed.crystals[rows], learned_energy(relaxed.target[rows])
    mean, deviation = (x.cpu().double().numpy() for x in model.with_deviation(crystals))
    classes = np.array(classes_of(crystals), dtype=object)
    groups = {"all": measures(mean, true)}
    groups |= {name: measures(mean[classes == name], true[classes == name]) for name in CLASSES}
    within = (np.abs(mean - true) <= deviation)[_reported(crystals)]
    return {
        "groups": {name: measures for name, measures in groups.items() if measures["n"]},
        "within_deviation": float(within.mean()) if len(within) else float("nan"),
        "n_within": len(within),
    }


def evaluate_formation(model: ProxyProperty, table: LabelledCrystals, split: Split | None) -> dict[str, float]:
    """Return n and the mean absolute error (eV/atom) of the formation energy of real crystals.

    Rows are the test rows of ``split``, or all rows where it is None.
    """
    if FORMATION_ENERGY.column not in table.crystals.columns:
        return {"n": 0}
    rows = np.flatnonzero(split.test) if split is not None else np.arange(len(table.target))
    crystals = table.crystals[rows]
    true = crystals.numbers(FORMATION_ENERGY.column)
    error = np.abs(model.formation_energy(crystals).cpu().double().numpy() - true)
    error = error[np.isfinite(error)]
    return {"n": len(error), "mae": float(error.mean()), "median": float(np.median(error))} if len(error) else {"n": 0}


def _reported(crystals: Crystals) -> npt.NDArray[np.bool_]:
    """Every second held-back formula, (N,) bool: the coverage of the deviation is reported on these."""
    return np.array([zlib.crc32(formula.encode()) // 5 % 2 == 1 for formula in crystals.formulas], dtype=bool)


def measures(predicted: Floats, true: Floats) -> dict[str, float]:
    """Return the numbers of a group that :func:`evaluate_relaxed` describes, from N predictions and N labels."""
    from scipy.stats import rankdata

    if not len(true):
        return {"n": 0}
    stable, called = true <= STABLE, predicted <= STABLE
    out = {
        "n": len(true),
        "mae": float(np.abs(predicted - true).mean()),
        "bias": float((predicted - true).mean()),
        "stable": float(stable.mean()),
        "precision": float(stable[called].mean()) if called.any() else float("nan"),
        "recall": float(called[stable].mean()) if stable.any() else float("nan"),
    }
    if len(true) > 2 and np.ptp(true) > 0 and np.ptp(predicted) > 0:
        out["rank_correlation"] = float(np.corrcoef(rankdata(predicted), rankdata(true))[0, 1])
    if stable.any() and not stable.all():
        out["auc"] = area_under_curve(predicted, ~stable)
    return out


def area_under_curve(score: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Return how often a positive has a higher score than a negative, (N,) each, ties counted half."""
    from scipy.stats import rankdata

    n = int(positive.sum())
    return float((rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))
