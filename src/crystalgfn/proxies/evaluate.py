"""Errors of a property model: by source, element and space group, on real, strained and unseen chemistry."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.data.labelled import BASE_ID, CHANGE, KIND, LabelledCrystals
from crystalgfn.proxies.data.splits import Split, grouped_split, unseen_systems
from crystalgfn.proxies.data.strain_rows import shape_change
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.networks.gap import METAL
from crystalgfn.proxies.relaxed import area_under_curve, evaluate_formation, evaluate_relaxed

Floats = npt.NDArray[np.float64]
Predict = Callable[[Crystals], Any]
SHAPE_LIMIT = 1.35
"""Shape strains that change axial ratios by more than this factor are reported as a group of their own."""

CAPS = (2.0, 5.0)
"""eV/atom: errors of strained copies are also reported with predicted and true change clipped to each cap."""


def errors(predicted: Floats, true: Floats) -> dict[str, float]:
    """Return n, mae, median and p95 of the absolute error, and the mean error ``bias``, in the unit of the property."""
    if len(true) == 0:
        return {"n": 0}
    error = np.abs(predicted - true)
    return {
        "n": len(true),
        "mae": float(error.mean()),
        "median": float(np.median(error)),
        "p95": float(np.quantile(error, 0.95)),
        "bias": float((predicted - true).mean()),
    }


def predict(model: Predict, crystals: Crystals) -> Floats:
    """Return predictions (N,) as float64."""
    return np.asarray(model(crystals).cpu(), dtype=float)


def split_of(table: LabelledCrystals, card: dict[str, Any]) -> Split | None:
    """Rebuild the split that the card's model was trained with; None where ``table`` is another file."""
    if card.get("data", {}).get("sha256") != table.sha256:
        return None
    return grouped_split(table.crystals.formulas, table.target, seed=int(card["split"]["seed"]))


def evaluate_model(
    model: ProxyProperty,
    table: LabelledCrystals,
    strained: LabelledCrystals | None,
    relaxed: LabelledCrystals | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model card: errors on real crystals, strained copies and relaxed samples, and of metals.

    Rows are the test rows of the model's split where ``table`` is the table it was trained on, and else all rows.
    """
    split = split_of(table, model.card)
    metrics = {"real": evaluate_real(model, table, split)}
    if model.network.tells_metals:
        metrics["real"]["metals"] = evaluate_metals(model.metal, table, split)
    if model.network.config.transformation == "classes":
        metrics["real"]["classes"] = evaluate_classes(model, table, split)
    if model.network.targets == 2:
        metrics["formation_energy"] = evaluate_formation(model, table, split)
    if relaxed is not None:
        metrics["relaxed"] = evaluate_relaxed(model, relaxed)
    if strained is not None:
        metrics["strained"] = evaluate_strained(model, strained, table, split)
    return metrics


def evaluate_real(model: Predict, table: LabelledCrystals, split: Split | None) -> dict[str, Any]:
    """Errors on the test rows of ``split``, or on all rows where it is None.

    Returns groups (all, each source, ``unseen chemical systems``, spread of the target under ``mean predictor``), and
    the tables ``elements`` and ``space_groups``: n and mae of the rows that hold each, sorted by n.
    """
    mask = split.test if split is not None else np.ones(len(table.target), dtype=bool)
    rows = np.flatnonzero(mask)
    crystals, true = table.crystals[rows], table.target[rows]
    predicted = predict(model, crystals)
    groups = {"all": errors(predicted, true)}
    for source in sorted(set(table.sources[rows])):
        of_source = table.sources[rows] == source
        groups[str(source)] = errors(predicted[of_source], true[of_source])
    if split is not None:
        unseen = unseen_systems(table.systems, split)[rows]
        groups["unseen chemical systems"] = errors(predicted[unseen], true[unseen])
    groups["mean predictor"] = errors(np.full_like(true, true.mean()), true)
    return {
        "rows": "test" if split is not None else "all",
        "groups": groups,
        "elements": _by_element(crystals, predicted, true),
        "space_groups": _by_space_group(crystals, predicted, true),
    }


def evaluate_metals(metal: Predict, table: LabelledCrystals, split: Split | None) -> dict[str, float]:
    """How well metals are told from others on the test rows of ``split``, or on all rows where it is None.

    Returns n, the share of rows that are metals, the share on the right side at even odds, and the area under the
    curve of true against false positives.

    Args:
        metal: returns the probability (N,) that a crystal is a metal.
    """
    quality = evaluate_classes(metal, table, split, true=table.target <= METAL)
    return {"metals" if key == "ones" else key: value for key, value in quality.items()}


def evaluate_classes(
    model: Predict, table: LabelledCrystals, split: Split | None, *, true: npt.NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """How well a probability tells two classes on the test rows of ``split``, or on all rows where it is None.

    Returns n, the share of ``ones``, the share on the right side at even odds, and, where there are rows of both
    classes, the area under the curve of true against false positives.

    Args:
        model: returns the probability (N,) of the class 1.
        table: labelled crystals.
        split: the split of their rows, or None.
        true: (N,) which rows are of class 1; by default those with the label 1.
    """
    rows = np.flatnonzero(split.test if split is not None else np.ones(len(table.target), dtype=bool))
    probability = predict(model, table.crystals[rows])
    ones = (table.target > 0.5 if true is None else true)[rows]
    quality = {"n": len(rows), "ones": float(ones.mean()), "accuracy": float(((probability > 0.5) == ones).mean())}
    if 0 < ones.sum() < len(ones):
        quality["auc"] = area_under_curve(probability, ones)
    return quality


def evaluate_strained(
    model: Predict, strained: LabelledCrystals, table: LabelledCrystals, split: Split | None
) -> dict[str, Any]:
    """Errors on strained copies of test formulas, for each kind of strain, against uncapped labels.

    ``change`` compares predicted and true change of energy (strained minus unstrained, eV/atom): mae and correlation;
    ``change_capped_2`` and ``change_capped_5`` compare both changes clipped to 2 and 5 eV/atom. ``within_sampler``
    restricts the rows to volume ratios of 0.6 to 1.6. Bins of the volume ratio give n, mae and mean true change.
    """
    position = {str(name): row for row, name in enumerate(table.crystals.columns[BASE_ID])}
    names = [str(name) for name in strained.crystals.columns[BASE_ID]]
    usable = np.array([name in position for name in names])
    if split is not None:
        sides = split.side_of(table.crystals.formulas, strained.crystals.formulas)
        usable &= np.array([side == "test" for side in sides])
    rows = np.flatnonzero(usable)
    base = table.crystals[[position[names[row]] for row in rows]]
    crystals = strained.crystals[rows]
    true_change = crystals.numbers(CHANGE)
    predicted = predict(model, crystals)
    change = predicted - predict(model, base)
    true = strained.target[rows]
    kinds = np.asarray(crystals.column(KIND), dtype=object).copy()
    kinds[(kinds == "shape") & (shape_change(strained, table)[0][rows] > SHAPE_LIMIT)] = "shape, large"
    ratio = (crystals.volume / base.volume).numpy()
    out: dict[str, Any] = {}
    for kind in sorted(set(kinds)):
        chosen = kinds == kind
        out[str(kind)] = {
            **_strained_errors(predicted[chosen], true[chosen], change[chosen], true_change[chosen]),
            "volume_ratio": _by_ratio(ratio[chosen], change[chosen], true_change[chosen]),
        }
        inside = chosen & (ratio >= 0.6) & (ratio <= 1.6)
        out[f"{kind}, within_sampler"] = _strained_errors(
            predicted[inside], true[inside], change[inside], true_change[inside]
        )
    return out


def _strained_errors(predicted: Floats, true: Floats, change: Floats, true_change: Floats) -> dict[str, Any]:
    out: dict[str, Any] = {"energy": errors(predicted, true), "change": _change(change, true_change)}
    for cap in CAPS:
        out[f"change_capped_{cap:g}"] = _change(np.minimum(change, cap), np.minimum(true_change, cap))
    return out


def _change(predicted: Floats, true: Floats) -> dict[str, float]:
    measures = errors(predicted, true)
    if len(true) > 2 and true.std() > 0 and predicted.std() > 0:
        measures["correlation"] = float(np.corrcoef(predicted, true)[0, 1])
    return measures


def _by_ratio(ratio: Floats, change: Floats, true: Floats) -> list[dict[str, float]]:
    edges = (0.4, 0.6, 0.8, 0.95, 1.05, 1.3, 1.6, 2.0, 2.6)
    out = []
    for low, high in pairwise(edges):
        chosen = (ratio >= low) & (ratio < high)
        if chosen.any():
            mae = float(np.abs(change - true)[chosen].mean())
            out.append(
                {"low": low, "high": high, "n": int(chosen.sum()), "mae": mae, "mean": float(true[chosen].mean())}
            )
    return out


def _by_element(crystals: Crystals, predicted: Floats, true: Floats) -> dict[str, dict[str, float]]:
    present = (crystals.counts > 0).cpu().numpy()
    rows = {SYMBOLS[z]: np.flatnonzero(present[:, column]) for column, z in enumerate(crystals.elements)}
    return _sorted_errors(rows, predicted, true)


def _by_space_group(crystals: Crystals, predicted: Floats, true: Floats) -> dict[str, dict[str, float]]:
    groups = crystals.space_group.cpu().numpy()
    return _sorted_errors({str(g): np.flatnonzero(groups == g) for g in np.unique(groups)}, predicted, true)


def _sorted_errors(
    rows: dict[str, npt.NDArray[np.int64]], predicted: Floats, true: Floats
) -> dict[str, dict[str, float]]:
    out = {}
    for name, index in sorted(rows.items(), key=lambda item: -len(item[1])):
        if len(index):
            out[name] = {"n": len(index), "mae": float(np.abs(predicted[index] - true[index]).mean())}
    return out
