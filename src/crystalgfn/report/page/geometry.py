"""Figures of cells: volumes, densities, lengths and angles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crystalgfn.crystallography.elements import ATOMIC_VOLUME

from .figure import Figure, Floats, Series, axis, histogram, rounded, thinned


def figures(series: Sequence[Series]) -> list[Figure]:
    """Return the figures of cells."""
    lattices = {one.name: one.crystals.lattice.cpu().numpy() for one in series}
    angles = {name: lattice[:, 3:].ravel() for name, lattice in lattices.items()}
    free = [(name, held[~np.isclose(held, 90) & ~np.isclose(held, 120)]) for name, held in angles.items()]
    exact = ", ".join(f"{name} {100 * (1 - len(rest) / max(len(angles[name]), 1)):.0f} %" for name, rest in free)
    ratios = [(name, held[:, :3].max(1) / held[:, :3].min(1)) for name, held in lattices.items()]
    found = [
        volume(series),
        histogram(
            "volume-ratio",
            "Volume over its estimate",
            [(one.name, _volume(one) / _estimate(one)) for one in series],
            "volume / estimate",
            caption="Estimate: a volume for each element, fitted to real crystals; 99.5 % of these lie in 0.6 to 1.6.",
            lines=((1.0, ""),),
            most=4.0,
        ),
        histogram(
            "density",
            "Density",
            [(one.name, one.crystals.density.cpu().numpy()) for one in series],
            "density (g/cm³)",
            caption="Mass of the conventional cell over its volume.",
            most=25.0,
        ),
        histogram(
            "lengths",
            "Cell lengths",
            [(name, held[:, :3].ravel()) for name, held in lattices.items()],
            "a, b, c (Å)",
            caption="All three lengths of the conventional cell.",
        ),
        histogram(
            "axis-ratio",
            "Longest over shortest length",
            ratios,
            "longest / shortest",
            caption="Of the conventional cell.",
            most=12.0,
        ),
        histogram(
            "angles",
            "Cell angles other than 90° and 120°",
            free,
            "α, β, γ (°)",
            caption=f"Angles of 90° and 120°, mostly fixed by symmetry, are left out: {exact}.",
        ),
    ]
    return [figure for figure in found if figure is not None]


def _volume(series: Series) -> Floats:
    values: Floats = series.crystals.volume_per_atom.cpu().numpy()
    return values


def _estimate(series: Series) -> Floats:
    counts = series.crystals.counts.cpu().numpy()
    values: Floats = counts @ ATOMIC_VOLUME[list(series.crystals.elements)] / np.maximum(counts.sum(1), 1)
    return values


def volume(series: Sequence[Series]) -> Figure:
    """Return volume per atom against the estimate from the composition."""
    traces, words = [], []
    top = max(float(np.nanpercentile(np.append(_estimate(one), 1.0), 99.5)) for one in series) * 1.15
    for one in series:
        estimate, values = _estimate(one), _volume(one)
        rows = thinned(len(values))
        chosen = one.crystals[rows]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": one.name,
                "x": rounded(estimate[rows], 4),
                "y": rounded(values[rows], 4),
                "text": [f"{f} ({g})" for f, g in zip(chosen.formulas, chosen.space_group.tolist(), strict=True)],
                "marker": {"size": 4, "opacity": 0.55},
                "hovertemplate": "%{text}<br>%{y} Å³/atom, estimate %{x}<extra></extra>",
            }
        )
        within = float(np.mean(np.abs(np.log(values / estimate)) < np.log(1.6))) if len(values) else 0.0
        above = float(np.mean(values > 2 * top)) if len(values) else 0.0
        words.append(f"{one.name}: {100 * within:.0f} % within a factor of 1.6, {100 * above:.0f} % above the axis")
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "equal",
        "x": [0, top],
        "y": [0, top],
        "hoverinfo": "skip",
        "showlegend": False,
        "line": {"dash": "dot", "width": 1, "color": "muted"},
    }
    layout = {
        "xaxis": axis("estimate from the composition (Å³/atom)", range=[0, top]),
        "yaxis": axis("volume (Å³/atom)", range=[0, 2 * top]),
        "showlegend": len(series) > 1,
    }
    caption = "Each crystal against the sum of its elements' usual volumes; at most 1,500 of each are drawn. "
    caption += f"{'; '.join(words)}."
    alt = f"Volume per atom against its estimate. {'; '.join(words)}."
    return Figure("volume", "Volume per atom", caption, alt, [*traces, line], layout)
