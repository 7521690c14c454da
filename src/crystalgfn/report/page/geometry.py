"""Figures of cells: volumes, densities, lengths and angles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import ATOMIC_VOLUME
from crystalgfn.report.page.figure import Figure, Floats, Series, axis, histogram, rounded, spread, thinned


def figures(series: Sequence[Series]) -> list[Figure]:
    """Return the figures of cells."""
    lattices = {one.name: one.crystals.lattice.cpu().numpy() for one in series}
    ratios = [(name, lattice[:, :3].max(1) / lattice[:, :3].min(1)) for name, lattice in lattices.items()]
    panels = [
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
            "axis-ratio",
            "Longest over shortest length",
            ratios,
            "longest / shortest",
            caption="Of the conventional cell.",
            most=12.0,
        ),
        *_lengths(lattices),
        *_angles(lattices),
    ]
    return [figure for figure in panels if figure is not None]


def _lengths(lattices: Mapping[str, Floats]) -> list[Figure | None]:
    """A small figure for each of a, b and c, all on a common axis."""
    ends = _common([lattice[:, :3] for lattice in lattices.values()])
    return [
        histogram(
            f"length-{name}",
            f"Length {name}",
            [(one, lattice[:, column]) for one, lattice in lattices.items()],
            f"{name} (Å)",
            caption="Of the conventional cell.",
            limits=ends,
            small=True,
        )
        for column, name in enumerate("abc")
    ]


def _angles(lattices: Mapping[str, Floats]) -> list[Figure | None]:
    """A small figure for each angle, all on a common axis, without angles of 90 and 120 degree."""
    ends = _common([lattice[:, 3:][_free(lattice[:, 3:])] for lattice in lattices.values()])
    panels = []
    for column, (name, letter) in enumerate((("alpha", "α"), ("beta", "β"), ("gamma", "γ")), 3):
        values = {one: lattice[:, column] for one, lattice in lattices.items()}
        left_out = ", ".join(f"{one} {100 * (1 - _free(lattice).mean()):.0f} %" for one, lattice in values.items())
        panels.append(
            histogram(
                f"angle-{name}",
                f"Angle {letter}",
                [(one, lattice[_free(lattice)]) for one, lattice in values.items()],
                f"{letter} (°)",
                caption=f"90° and 120°, mostly fixed by symmetry, are left out: {left_out}.",
                limits=ends,
                small=True,
            )
        )
    return panels


def _free(angles: Floats) -> NDArray[np.bool_]:
    free: NDArray[np.bool_] = ~np.isclose(angles, 90) & ~np.isclose(angles, 120)
    return free


def _common(samples: Sequence[Floats]) -> tuple[float, float] | None:
    finite = [values[np.isfinite(values)] for values in samples]
    return spread(finite) if any(len(values) for values in finite) else None


def _volume(series: Series) -> Floats:
    values: Floats = series.crystals.volume_per_atom.cpu().numpy()
    return values


def _estimate(series: Series) -> Floats:
    counts = series.crystals.counts.cpu().numpy()
    values: Floats = counts @ ATOMIC_VOLUME[list(series.crystals.elements)] / np.maximum(counts.sum(1), 1)
    return values


def volume(series: Sequence[Series]) -> Figure:
    """Return the volume per atom against its estimate from the composition."""
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
