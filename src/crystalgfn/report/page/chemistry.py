"""Figures of composition: elements, their number in a crystal, and elements that occur together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from crystalgfn.crystallography.elements import GROUP, PERIOD, SYMBOLS
from crystalgfn.report.page.figure import SEQUENTIAL, Figure, Floats, Series, axis, histogram, rounded

TOGETHER = 24
"""Most elements in the figure of co-occurrence, the most frequent ones."""

ROWS, COLUMNS = 9, 18


def figures(series: Sequence[Series]) -> list[Figure]:
    """Return the figures of composition; figures of one series show the first."""
    first = series[0]
    drawn: list[Figure | None] = [
        periodic_table(first, by="presence"),
        periodic_table(first, by="atoms"),
        *(periodic_table(other, by="presence", key=f"presence-{i}") for i, other in enumerate(series[1:], 1)),
        together(first),
        number_of_elements(series),
    ]
    return [figure for figure in drawn if figure is not None]


def shares(series: Series) -> tuple[Floats, Floats]:
    """Return, for each element, the share of crystals that hold it and its mean share of the atoms, (119,) each."""
    counts = series.crystals.counts.cpu().numpy()
    presence, atoms = np.zeros(119), np.zeros(119)
    if len(counts):
        columns = list(series.crystals.elements)
        presence[columns] = (counts > 0).mean(0)
        atoms[columns] = (counts / np.maximum(counts.sum(1, keepdims=True), 1)).mean(0)
    return presence, atoms


def place(z: int) -> tuple[int, int]:
    """Return row 0..8 and column 0..17 of an element in the usual periodic table, with the f block below."""
    if 57 <= z <= 71:
        return 7, z - 57 + 2
    if 89 <= z <= 103:
        return 8, z - 89 + 2
    return int(PERIOD[z]) - 1, int(GROUP[z]) - 1


def periodic_table(series: Series, *, by: str, key: str = "") -> Figure:
    """Return a heat map over the periodic table.

    Args:
        series: crystals.
        by: ``"presence"``: share of crystals with the element; ``"atoms"``: mean share of the atoms.
        key: key of the figure.
    """
    presence, atoms = shares(series)
    values = 100 * (presence if by == "presence" else atoms)
    grid: list[list[float | None]] = [[None] * COLUMNS for _ in range(ROWS)]
    text = [[""] * COLUMNS for _ in range(ROWS)]
    empty: list[dict[str, Any]] = []
    for z in range(1, 119):
        row, column = place(z)
        text[row][column] = SYMBOLS[z]
        if presence[z]:
            grid[row][column] = float(f"{values[z]:.4g}")
        else:
            empty.append({"x": column, "y": row, "text": SYMBOLS[z], "showarrow": False, "opacity": 0.6})
    what = "Crystals with the element" if by == "presence" else "Share of the atoms"
    trace = {
        "type": "heatmap",
        "z": grid,
        "text": text,
        "texttemplate": "%{text}",
        "colorscale": SEQUENTIAL,
        "xgap": 2,
        "ygap": 2,
        "zmin": 0,
        "zmax": max(float(values.max()), 1e-3),
        "colorbar": {"title": {"text": "%"}, "thickness": 10, "len": 0.8},
        "hovertemplate": "%{text}: %{z} %<extra></extra>",
        "hoverongaps": False,
    }
    hidden = {"visible": False, "fixedrange": True}
    layout = {
        "xaxis": {**hidden, "range": [-0.6, 17.6]},
        "yaxis": {**hidden, "range": [8.6, -0.6]},
        "annotations": empty,
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
    }
    most = np.argsort(-values)[:6]
    words = ", ".join(f"{SYMBOLS[z]} {values[z]:.0f} %" for z in most if values[z] > 0)
    caption = (
        f"{series.name}: share of crystals that hold each element."
        if by == "presence"
        else f"{series.name}: mean share of each element among the atoms of a crystal."
    )
    title = f"{what}, {series.name}"
    return Figure(key or f"elements-{by}", title, caption, f"{what} by element. Most: {words}.", [trace], layout, True)


def together(series: Series) -> Figure | None:
    """Return the shares of crystals that hold two of the most frequent elements; None for a single element."""
    presence, _ = shares(series)
    chosen = [int(z) for z in np.argsort(-presence, kind="stable")[:TOGETHER] if presence[z] > 0]
    if len(chosen) < 2:
        return None
    columns = [series.crystals.elements.index(z) for z in chosen]
    present = (series.crystals.counts.cpu().numpy()[:, columns] > 0).astype(float)
    joint = present.T @ present / len(present)
    expected = np.outer(presence[chosen], presence[chosen])
    lift = joint / expected
    names = [SYMBOLS[z] for z in chosen]
    off = joint - np.diag(np.diag(joint))
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    trace = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": [rounded(100 * row, 3) for row in joint],
        "customdata": [rounded(row, 3) for row in lift],
        "colorscale": SEQUENTIAL,
        "xgap": 1,
        "ygap": 1,
        "zmin": 0,
        "zmax": max(float(100 * joint.max()), 1e-3),
        "colorbar": {"title": {"text": "%"}, "thickness": 10},
        "hovertemplate": "%{x} and %{y}: %{z} %<br>%{customdata} times as often as by chance<extra></extra>",
    }
    return Figure(
        "together",
        "Elements that occur together",
        f"{series.name}: share of crystals that hold both; on the diagonal, that hold the element.",
        f"Most frequent pair: {names[i]} and {names[j]}, in {100 * joint[i, j]:.0f} % of the crystals.",
        [trace],
        {"yaxis": {"autorange": "reversed", "type": "category"}, "xaxis": {"type": "category"}},
    )


def number_of_elements(series: Sequence[Series]) -> Figure | None:
    """Return the distribution of the number of distinct elements in a crystal."""
    values = [(s.name, (s.crystals.counts.cpu().numpy() > 0).sum(1).astype(float)) for s in series]
    figure = histogram(
        "n-elements",
        "Elements in a crystal",
        values,
        "distinct elements",
        caption="Number of distinct elements in a crystal.",
        integers=True,
    )
    if figure is None:
        return None
    bars = [{**_bar(trace), "type": "bar"} for trace in figure.data]
    layout = {**figure.layout, "barmode": "group", "xaxis": axis("distinct elements", dtick=1)}
    return Figure(figure.key, figure.title, figure.caption, figure.alt, bars, layout)


def _bar(trace: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in trace.items() if key in ("name", "x", "y", "hovertemplate")}
