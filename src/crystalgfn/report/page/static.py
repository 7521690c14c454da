"""The figures of a page as SVG and PNG files, drawn by matplotlib from the same values."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_atomically
from crystalgfn.report.page.figure import Figure, numbered

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#1f5fbf", "#c2570c", "#23805a", "#8a4bb0", "#a88400", "#b3385b", "#4f6d7a", "#6b6b00")

SIZE_IN = (3.5, 2.6)
"""Inches: a column of most journals."""

PNG_DPI = 300


def write_figures(figures: Sequence[Figure], folder: str | Path) -> list[Path]:
    """Write each figure as ``KEY.svg`` and ``KEY.png``; rings of space groups exist on pages only.

    Args:
        figures: figures of a page.
        folder: folder of the files, created if it is missing.

    Returns:
        the files written.

    Raises:
        DataError: matplotlib is not installed, or a file cannot be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise DataError("figures as files need matplotlib: pip install 'crystalgfn[report]'") from None
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    style = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "crystalgfn"}
    style["text.parse_math"] = False  # names are no formulas
    for figure in numbered(figures):
        if figure.data[0]["type"] == "sunburst":
            continue
        with rc_context(style):
            canvas = Canvas(figsize=(2 * SIZE_IN[0] if figure.wide else SIZE_IN[0], SIZE_IN[1]), layout="constrained")
            draw(figure, canvas.add_subplot())
            for kind in ("svg", "png"):
                stream = BytesIO()
                canvas.savefig(stream, format=kind, dpi=PNG_DPI, metadata={"Date": None} if kind == "svg" else None)
                path = folder / f"{figure.key}.{kind}"
                with write_atomically(path) as file:
                    file.write(stream.getvalue())
                paths.append(path)
    return paths


def draw(figure: Figure, axes: Axes) -> None:
    """Draw a figure of scatter, bar or heatmap traces."""
    if figure.data[0]["type"] == "heatmap":
        _heatmap(figure, axes)
        return
    bars = [trace for trace in figure.data if trace["type"] == "bar"]
    grouped = figure.layout.get("barmode") == "group"
    position = 0
    for trace in figure.data:
        muted = trace.get("line", {}).get("color") == "muted"
        colour = "0.5" if muted else COLOURS[position % len(COLOURS)]
        position += not muted
        name = trace.get("name") if trace.get("showlegend", True) else None
        if trace.get("orientation") == "h":
            _bars_across(axes, trace, figure.layout["yaxis"]["categoryarray"], colour)
        elif trace["type"] == "bar":
            _bars(axes, trace, bars.index(trace) if grouped else 0, len(bars) if grouped else 1, colour)
        elif trace["mode"] == "markers":
            x, y = _values(trace["x"]), _values(trace["y"])
            axes.scatter(x, y, s=4, alpha=0.6, linewidths=0, color=colour, label=name)
        elif trace.get("fill"):
            x, y = _values(trace["x"]), _values(trace["y"])
            axes.step(x, y, where="mid", linewidth=1, color=colour, label=name)
            axes.fill_between(x, y, step="mid", alpha=0.15, color=colour, linewidth=0)
        else:
            axes.plot(_values(trace["x"]), _values(trace["y"]), ":" if muted else "-", lw=1, color=colour, label=name)
    _axis(axes, figure, "x")
    _axis(axes, figure, "y")
    for shape in figure.layout.get("shapes", ()):
        line = axes.axvline if shape.get("yref") == "paper" else axes.axhline
        line(shape["x0"] if shape.get("yref") == "paper" else shape["y0"], color="0.5", lw=0.8, ls=":")
    if figure.layout.get("showlegend"):
        axes.legend(frameon=False, fontsize=7)


def _bars(axes: Axes, trace: dict[str, Any], place: int, of: int, colour: str) -> None:
    text = isinstance(trace["x"][0], str) if trace["x"] else False
    x = np.arange(len(trace["x"])) if text else _values(trace["x"])
    width = 0.8 / of
    opacity = trace.get("opacity", 1)
    axes.bar(
        x + (place - (of - 1) / 2) * width, _values(trace["y"]), width, color=colour, alpha=opacity, label=trace["name"]
    )
    if text:
        axes.set_xticks(x, trace["x"], rotation=35, ha="right")


def _bars_across(axes: Axes, trace: dict[str, Any], names: Sequence[str], colour: str) -> None:
    """Draw horizontal bars with their texts; ``names`` are the rows from the bottom up."""
    places, widths = [names.index(name) for name in trace["y"]], _values(trace["x"])
    drawn = axes.barh(places, widths, 0.75, color=colour)
    axes.bar_label(drawn, trace["text"], padding=2, fontsize=7)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)


def _heatmap(figure: Figure, axes: Axes) -> None:
    trace = figure.data[0]
    values = np.array([[np.nan if v is None else v for v in row] for row in trace["z"]], dtype=float)
    image = axes.imshow(values, cmap="Blues", vmin=0, aspect="auto" if "x" in trace else "equal")
    middle = np.nanmax(values) / 2 if np.isfinite(values).any() else 0.0
    if "x" in trace:
        axes.set_xticks(range(len(trace["x"])), trace["x"], fontsize=6)
        axes.set_yticks(range(len(trace["y"])), trace["y"], fontsize=6)
    else:
        axes.set_axis_off()
        for row, texts in enumerate(trace["text"]):
            for column, text in enumerate(texts):
                value = values[row, column]
                colour = "0.65" if not np.isfinite(value) else "white" if value > middle else "black"
                axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    axes.figure.colorbar(image, ax=axes, shrink=0.8, label="%")


def _axis(axes: Axes, figure: Figure, name: str) -> None:
    settings = figure.layout.get(f"{name}axis", {})
    getattr(axes, f"set_{name}label")(settings.get("title", {}).get("text", ""))
    logarithmic = settings.get("type") == "log"
    if logarithmic:
        getattr(axes, f"set_{name}scale")("log")
    if "range" in settings:  # plotly gives the exponents of a logarithmic axis
        getattr(axes, f"set_{name}lim")(*(10.0**end if logarithmic else end for end in settings["range"]))
    if name == "y" and settings.get("rangemode") == "tozero":
        axes.set_ylim(bottom=0)


def _values(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
