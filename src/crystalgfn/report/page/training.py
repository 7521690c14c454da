"""Training curves of a run, from its metrics.csv: of a sampler that learns a reward, or of a prior, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from crystalgfn.report.page.figure import Figure, Floats, axis, marks, rounded

PRIOR_COLUMNS = ("epoch", "updates", "lr", "train", "validation", "best", "nonfinite")
"""Columns of the metrics of a prior before those of its stages, which hold the parts of ``validation``."""


class Curve(NamedTuple):
    """What a figure of training shows.

    Attributes:
        key: short name.
        title: heading, and label of the axis.
        columns: column of the metrics of each line, by its name in the legend.
        caption: see :class:`~crystalgfn.report.page.figure.Figure`.
        scale: ``"log"`` or ``"linear"``.
    """

    key: str
    title: str
    columns: dict[str, str]
    caption: str
    scale: str = "linear"


OF_SAMPLERS = (
    Curve("loss", "Loss", {"loss": "loss"}, "Training objective, on a logarithmic axis.", "log"),
    Curve(
        "log-z",
        "log Z and its lower bound",
        {"log_z": "log_z", "elbo": "elbo"},
        "The two meet when the sampler is perfect (nats).",
    ),
    Curve("ess", "Effective sample size", {"ess": "ess"}, "As a share of a batch."),
    Curve("reward", "log reward", {"log_reward": "log_reward"}, "Mean over a batch."),
    Curve(
        "kl", "KL to the prior", {"kl_to_prior": "kl_to_prior"}, "Mean of log P_F − log P_prior over a batch (nats)."
    ),
)
"""Figures of a run that learns a reward; those without numbers are left out."""


def figures(metrics: Mapping[str, Floats]) -> list[Figure]:
    """Return the training curves of a run; none before its second row.

    Args:
        metrics: columns of metrics.csv by name, (n,) each.
    """
    if "epoch" in metrics:
        return _of_prior(metrics)
    x = next((name for name in ("trajectories", "iteration") if name in metrics), None)
    return [] if x is None else _drawn(metrics, OF_SAMPLERS, x=x)


def _of_prior(metrics: Mapping[str, Floats]) -> list[Figure]:
    validation = metrics["validation"]
    best = None
    if np.isfinite(validation).any():
        best = float(metrics["epoch"][np.nanargmin(validation)])
    kept = "; the dotted line marks the epoch whose weights are kept" if best is not None else ""
    parts = {name.replace("_", " "): name for name in metrics if name not in PRIOR_COLUMNS}
    curves = (
        Curve(
            "nats",
            "Nats a crystal",
            {"learned from": "train", "held out": "validation"},
            "Mean −log-likelihood. Held out: crystals of other formulas, under the averaged weights, with what the "
            "policy remembers of the crystals that it learned from. Learned from: the training loss, with dropout, "
            f"and without that memory{kept}.",
        ),
        Curve(
            "parts",
            "Nats of a held-out crystal by part",
            parts,
            "What each decision adds to −log-likelihood of the held-out crystals; the part of a cell is a density in "
            "the unit cube, and may be negative.",
        ),
    )
    return _drawn(metrics, curves, x="epoch", line=best)


def _drawn(
    metrics: Mapping[str, Floats], curves: Sequence[Curve], *, x: str, line: float | None = None
) -> list[Figure]:
    """Return the figures of the curves that have numbers.

    Args:
        metrics: columns by name, (n,) each.
        curves: what to draw.
        x: column along the axis.
        line: where to draw an upright line.
    """
    along = metrics[x]
    if len(along) < 2:
        return []
    upright = [] if line is None else [(line, f"{x} {line:g}")]
    drawn = []
    for curve in curves:
        lines = {
            label: metrics[name]
            for label, name in curve.columns.items()
            if name in metrics and np.isfinite(metrics[name]).any()
        }
        if not lines:
            continue
        layout: dict[str, Any] = {
            "xaxis": axis(x),
            "yaxis": axis(curve.title, type=curve.scale),
            "showlegend": len(lines) > 1,
            **marks(upright, float(along[0]), float(along[-1])),
        }
        ends = "; ".join(f"{label} from {values[0]:.3g} to {values[-1]:.3g}" for label, values in lines.items())
        alt = f"{curve.title} during training: {ends}."
        traces = [_trace(label, along, values) for label, values in lines.items()]
        drawn.append(Figure(f"training-{curve.key}", curve.title, curve.caption, alt, traces, layout))
    return drawn


def _trace(label: str, x: Floats, y: Floats) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label,
        "x": rounded(x),
        "y": rounded(y, 4),
        "line": {"width": 2},
    }
