"""Figures of energies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crystalgfn.crystals.energies import Energy, energies, find_energy, kind_of
from crystalgfn.crystals.tables import unit_of
from crystalgfn.report.page.figure import Figure, Series, axis, histogram, rounded, thinned
from crystalgfn.structures.candidates.schema import INPUT, UNIT
from crystalgfn.structures.candidates.tally import THRESHOLDS


def figures(series: Sequence[Series]) -> list[Figure]:
    """Return the figures of energies.

    Args:
        series: crystals to draw; of the first series every formation energy is drawn, if it has several.
    """
    drawn = [_formation(series), _hull_histogram(series), _hull_scatter(series[0]), _agreement(series[0])]
    drawn += [_other(series, name) for name in _others(series[0])]
    return [figure for figure in drawn if figure is not None]


def _formation(series: Sequence[Series]) -> Figure | None:
    values, notes = [], []
    for position, one in enumerate(series):
        names = [find_energy(one.crystals)]
        if position == 0:
            names += [name for name in one.crystals.columns if _is_formation(name) and name not in names]
        for name in filter(None, names):
            several = len(list(filter(None, names))) > 1
            label = f"{one.name}: {_short(name)}" if several else one.name
            values.append((label, energies(one.crystals, name)))
            notes.append(f"{label}: {one.methods.get(name, f'{_short(name)}, as given')}")
    return histogram(
        "energies",
        "Formation energy",
        values,
        "formation energy (eV/atom)",
        caption=f"Method: {'; '.join(dict.fromkeys(notes))}.",
    )


def _is_formation(name: str) -> bool:
    return kind_of(name.removeprefix(INPUT)) is Energy.FORMATION and unit_of(name) in ("", UNIT)


def _short(name: str) -> str:
    short = name.split(" [")[0].replace("_", " ").strip()
    return short.replace("e above hull", "energy above hull").replace("input formation energy", "predicted energy")


def hull_column(series: Series) -> str | None:
    """Return the name of the first column of energies above hull that holds a number, or None."""
    return next(
        (
            name
            for name, values in series.crystals.columns.items()
            if _is_above_hull(name) and values.dtype.kind in "fi" and np.isfinite(values).any()
        ),
        None,
    )


def _is_above_hull(name: str) -> bool:
    """Whether a column holds energies above hull, with or without the name of a potential."""
    return kind_of(name.removeprefix(INPUT)) is Energy.ABOVE_HULL and unit_of(name) in ("", UNIT)


def _hull_histogram(series: Sequence[Series]) -> Figure | None:
    if hull_column(series[0]) is None:
        return None
    named = [(one, column) for one in series if (column := hull_column(one)) is not None]
    return histogram(
        "above-hull",
        "Energy above hull",
        [(one.name, energies(one.crystals, column)) for one, column in named],
        "energy above hull (eV/atom)",
        caption=f"Method: {'; '.join(f'{one.name}: {_short(c)}' for one, c in named)}. A hull lacks phases: the true "
        "energy above hull is this or more.",
        lines=tuple(
            (threshold, f"{threshold:g}" if threshold else "") for threshold in THRESHOLDS if threshold != 0.08
        ),
    )


def _hull_scatter(series: Series) -> Figure | None:
    above, energy = hull_column(series), find_energy(series.crystals)
    if above is None or energy is None:
        return None
    return _scatter(
        "hull",
        "Formation energy and stability",
        series,
        (energy, "formation energy (eV/atom)"),
        (above, "energy above hull (eV/atom)"),
        caption=f"{series.name}: {_short(energy)} against {_short(above)}.",
        level=0.1,
    )


def _agreement(series: Series) -> Figure | None:
    before = next((n for n in series.crystals.columns if n.startswith(INPUT) and _is_formation(n)), None)
    after = find_energy(series.crystals)
    if before is None or after is None or after == before:
        return None
    figure = _scatter(
        "agreement",
        "What the property model said, and what came of it",
        series,
        (before, "predicted (eV/atom)"),
        (after, f"{_short(after)} (eV/atom)"),
        caption="The property model judged the cell it was given; the potential judged the relaxed structure.",
    )
    x, y = (energies(series.crystals, name) for name in (before, after))
    error = float(np.nanmean(np.abs(x - y)))
    low, high = float(np.nanmin([x, y])), float(np.nanmax([x, y]))
    line = {**_LINE, "x": [low, high], "y": [low, high]}
    alt = f"{figure.alt} Mean absolute difference {error:.2f} eV/atom."
    caption = f"{figure.caption} Mean absolute difference {error:.2f} eV/atom."
    return Figure(figure.key, figure.title, caption, alt, [*figure.data, line], figure.layout)


_LINE: dict[str, Any] = {
    "type": "scatter",
    "mode": "lines",
    "hoverinfo": "skip",
    "showlegend": False,
    "line": {"dash": "dot", "width": 1, "color": "muted"},
}


def _scatter(
    key: str,
    title: str,
    series: Series,
    x: tuple[str, str],
    y: tuple[str, str],
    *,
    caption: str,
    level: float | None = None,
) -> Figure:
    rows = thinned(len(series.crystals))
    chosen = series.crystals[rows]
    left, right = (energies(chosen, name) for name, _ in (x, y))
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": series.name,
        "x": rounded(left, 4),
        "y": rounded(right, 4),
        "text": series.labels(rows.tolist()),
        "marker": {"size": 6, "opacity": 0.7},
        "hovertemplate": "%{text}<br>%{x}, %{y} eV/atom<extra></extra>",
    }
    layout: dict[str, Any] = {"xaxis": axis(x[1]), "yaxis": axis(y[1]), "showlegend": False}
    if level is not None:
        line = {"width": 1, "dash": "dot"}
        layout["shapes"] = [{"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": level, "y1": level, "line": line}]
    alt = f"{title}: {y[1]} against {x[1]} of {len(series.crystals)} crystals."
    return Figure(key, title, caption, alt, [trace], layout)


def _others(series: Series) -> list[str]:
    """Further properties of samples: band gap, distance from the training data, log-weights."""
    skip = ("formation_energy", "e_above_hull", "energy")
    named = ("domain_distance", "log_weight", "log_reward")
    return [
        name
        for name, values in series.crystals.columns.items()
        if values.dtype.kind == "f"
        and not any(word in name for word in skip)
        and (unit_of(name) or name in named)
        and not name.startswith(("input", "log_p"))
    ][:6]


def _other(series: Sequence[Series], name: str) -> Figure | None:
    values = [(one.name, one.crystals.columns[name].astype(float)) for one in series if name in one.crystals.columns]
    title = _short(name).capitalize()
    notes = {
        "domain_distance": "Distance from the property model's training data; predictions above 1 deserve doubt.",
        "log_weight": "log w = log reward + log P_B − log P_F, with a prior log reward + log P_prior − log P_F; a "
        "perfect sampler has one value.",
        "log_reward": "Logarithm of what the sampler was trained to sample in proportion to.",
    }
    lines = ((1.0, "1"),) if name == "domain_distance" else ()
    unit = f" ({unit_of(name)})" if unit_of(name) else ""
    return histogram(
        name.split(" [")[0].replace("_", "-"),
        title,
        values,
        f"{_short(name)}{unit}",
        caption=notes.get(name, "As in the table."),
        lines=lines,
    )
