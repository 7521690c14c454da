"""Figures as plain values, which plotly draws on the page and matplotlib into files."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystals.crystal import Crystals

Floats = NDArray[np.float64]

BINS = 60
"""Most bins of a histogram."""

FEWEST_BINS = 8

POINTS = 1_500
"""Most points in a scatter plot: more points hide each other, and a page should open at once."""

_KEY = re.compile(r"(?!figure-)[a-z0-9][a-z0-9-]{0,60}")
_TEMPLATES = ("hovertemplate", "texttemplate")

SEQUENTIAL, DIVERGING = "sequential", "diverging"
"""Colour scales, which the page takes from its theme."""


@dataclass(frozen=True)
class Series:
    """Crystals that have one name and colour in every figure.

    Attributes:
        name: name in legends.
        crystals: B crystals.
        methods: source of the numbers, by column of energies.
        doubts: (B,) why each crystal is doubtful, or empty text; nothing where none is.
    """

    name: str
    crystals: Crystals
    methods: Mapping[str, str] = field(default_factory=dict)
    doubts: Sequence[str] = ()

    def labels(self, rows: Iterable[int]) -> list[str]:
        """Return what stands beside the points of crystals: formula, space group, and doubts."""
        formulas, groups = self.crystals.formulas, self.crystals.space_group.tolist()
        doubts = self.doubts or [""] * len(self.crystals)
        return [f"{formulas[i]} ({groups[i]})" + (f", doubtful: {doubts[i]}" if doubts[i] else "") for i in rows]


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Attributes:
        key: short name, used for the element on the page and for files.
        title: heading.
        caption: content of the figure, with the method behind the numbers.
        alt: message of the figure in words, for readers who cannot see it.
        data: plotly traces: scatter, bar, heatmap or sunburst, without colours, which follow the theme.
        layout: plotly layout.
        wide: whether it takes the whole width.
        small: whether it takes a third of the width.
    """

    key: str
    title: str
    caption: str
    alt: str
    data: list[dict[str, Any]]
    layout: dict[str, Any] = field(default_factory=dict)
    wide: bool = False
    small: bool = False

    def spec(self) -> dict[str, Any]:
        """Return the figure as the page embeds it; plotly takes text for markup, so that names are escaped."""
        return {"key": self.key, "data": _escaped(self.data), "layout": _escaped(self.layout), "alt": self.alt}


def numbered(figures: Sequence[Figure]) -> list[Figure]:
    """Return figures whose keys can stand in names of files and in HTML: a number in place of any other key."""
    used: set[str] = set()
    found = []
    for number, figure in enumerate(figures, 1):
        good = _KEY.fullmatch(figure.key) and figure.key not in used
        found.append(figure if good else replace(figure, key=f"figure-{number}"))
        used.add(found[-1].key)
    return found


def _escaped(value: Any) -> Any:
    """Values in which no text is markup, but for templates, which hold no names."""
    if isinstance(value, Mapping):
        return {key: each if key in _TEMPLATES else _escaped(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(each) for each in value]
    return html.escape(value, quote=False) if isinstance(value, str) else value


def rounded(values: Any, digits: int = 5) -> list[float | None]:
    """Return numbers rounded to significant digits, and None for numbers that are not finite."""
    return [float(f"{x:.{digits}g}") if np.isfinite(x) else None for x in np.asarray(values, dtype=float).tolist()]


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return a plotly axis with a title."""
    return {"title": {"text": title}, **more}


def histogram(
    key: str,
    title: str,
    values: Sequence[tuple[str, Floats]],
    label: str,
    *,
    caption: str,
    lines: Sequence[tuple[float, str]] = (),
    limits: tuple[float, float] | None = None,
    most: float | None = None,
    integers: bool = False,
    small: bool = False,
) -> Figure | None:
    """Return distributions over common bins, each in per cent of its crystals; None without numbers.

    Args:
        key, title, caption: see :class:`Figure`.
        values: name and numbers (n,) of each distribution.
        label: label of the axis, with the unit.
        lines: upright lines, each with its label.
        limits: ends of the axis; by default 0.2 and 99.8 % of all values.
        most: largest end of the axis, so that a long tail does not hide the rest.
        integers: whether each integer has a bin of its own.
        small: see :class:`Figure`.
    """
    finite = [(name, numbers[np.isfinite(numbers)]) for name, numbers in values]
    finite = [(name, numbers) for name, numbers in finite if len(numbers)]
    if not finite:
        return None
    low, high = limits or spread([numbers for _, numbers in finite], most)
    if integers:
        edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.0)
    else:
        edges = np.linspace(low, high, bins(max(len(numbers) for _, numbers in finite)) + 1)
    centres = (edges[:-1] + edges[1:]) / 2
    traces, words, outside = [], [], 0.0
    for name, numbers in finite:
        counts, _ = np.histogram(numbers, edges)
        outside = max(outside, 1 - counts.sum() / len(numbers))
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": rounded(centres),
                "y": rounded(100 * counts / len(numbers), 4),
                "line": {"shape": "hvh", "width": 2},
                "fill": "tozeroy",
                "hovertemplate": "%{x}: %{y:.2f} %<extra>%{fullData.name}</extra>",
            }
        )
        p5, p50, p95 = np.percentile(numbers, (5, 50, 95))
        words.append(f"{name}: median {p50:.3g}, 5 % below {p5:.3g}, 5 % above {p95:.3g}")
    layout = {
        "xaxis": axis(label),
        "yaxis": axis("crystals (%)", rangemode="tozero"),
        "showlegend": len(traces) > 1,
        "hovermode": "x",
        "hoverdistance": -1,  # the nearest bin, however wide bins are
        **marks(lines, low, high),
    }
    beyond = f" Up to {100 * outside:.1f} % lie outside the axis." if outside > 0.0005 else ""
    alt = f"Distribution of {label}. {'; '.join(words)}."
    return Figure(key, title, caption + beyond, alt, traces, layout, small=small)


def bins(n: int) -> int:
    """Return the number of bins for n numbers: their square root, so that few numbers are no comb."""
    return int(np.clip(np.ceil(np.sqrt(n)), FEWEST_BINS, BINS))


def spread(samples: Sequence[Floats], most: float | None = None) -> tuple[float, float]:
    """Return the ends of an axis that shows 0.2 to 99.8 % of each of several sets of finite numbers, not all empty.

    Args:
        samples: sets of numbers, (n,) each.
        most: largest end of the axis.
    """
    ends = [np.percentile(values, (0.2, 99.8)) for values in samples if len(values)]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    high = high if most is None or low >= most else min(high, most)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    margin = 0.02 * (high - low)
    start = low - margin
    return max(start, 0.0) if low >= 0 else start, high + margin


def marks(lines: Sequence[tuple[float, str]], low: float, high: float) -> dict[str, Any]:
    """Return the part of a layout with upright lines and their labels, of the lines within the ends of an axis."""
    inside = [(x, label) for x, label in lines if low <= x <= high]
    return {
        "shapes": [
            {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": {"width": 1, "dash": "dot"}}
            for x, _ in inside
        ],
        "annotations": [
            {"x": x, "y": 1, "yref": "paper", "text": label, "showarrow": False, "xanchor": "left", "yanchor": "top"}
            for x, label in inside
        ],
    }


def thinned(n: int, *, most: int = POINTS) -> NDArray[np.int64]:
    """Return the positions of at most ``most`` of n points, drawn with a fixed seed."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))
