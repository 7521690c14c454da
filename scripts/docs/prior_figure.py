"""The figure of docs/prior.md: distributions of samples with sites beside those of real crystals."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from plotting import REAL, STYLE, prevalence

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.chemical_classes import class_shares, elements_of

MODELS = ("#0072B2", "#56B4E9", "#009E73")
SYSTEMS = {
    "\ntriclinic": 2,
    "monoclinic": 15,
    "orthorhombic": 74,
    "tetragonal": 142,
    "trigonal": 167,
    "hexagonal": 194,
    "cubic": 230,
}
"""Last space group of each crystal system."""

DPI = 110
MOST_FREE = 20
"""More free coordinates than this share a bin."""

Numbers = NDArray[np.int64]


def draw(tables: Mapping[str, Crystals], sizes: Mapping[str, tuple[Numbers, Numbers]], path: Path) -> None:
    """Draw the figure into a file.

    Args:
        tables: samples of each model, and real crystals last.
        sizes: atoms in the primitive cell and free coordinates of the crystals of each table, ``(B,)`` each.
        path: PNG to write.
    """
    colour = dict(zip(tables, (*MODELS[: len(tables) - 1], REAL), strict=True))
    with mpl.rc_context(STYLE):
        padding = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
        figure = Figure(figsize=(10, 9.6), layout=padding, facecolor="white")
        grid = figure.add_gridspec(4, 2, height_ratios=(1.15, 1.15, 1, 1))
        elements(figure.add_subplot(grid[0, :]), tables, colour)
        space_groups(figure.add_subplot(grid[1, :]), tables, colour)
        for i, title in enumerate(("Atoms in the primitive cell", "Free coordinates of the atoms")):
            steps(figure.add_subplot(grid[2, i]), {name: own[i] for name, own in sizes.items()}, colour, title)
        bars(figure.add_subplot(grid[3, 0]), {n: class_shares(elements_of(c)) for n, c in tables.items()}, colour)
        numbers = {n: (c.counts > 0).sum(1).numpy() for n, c in tables.items()}
        shares = {n: {str(k): float((of == k).mean()) for k in range(1, 7)} for n, of in numbers.items()}
        bars(figure.add_subplot(grid[3, 1]), shares, colour, title="Elements in a crystal")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def elements(axes: Axes, tables: Mapping[str, Crystals], colour: Mapping[str, str]) -> None:
    """Share of crystals that hold each element, by atomic number; every second name stands lower."""
    present = sorted({z for crystals in tables.values() for z, share in prevalence(crystals).items() if share})
    x, width = np.arange(len(present)), 0.84 / len(tables)
    for i, (name, crystals) in enumerate(tables.items()):
        of = prevalence(crystals)
        axes.bar(
            x + (i - (len(tables) - 1) / 2) * width,
            [100 * of.get(z, 0.0) for z in present],
            width,
            color=colour[name],
            label=f"{name}, {len(crystals):,}",
        )
    axes.set_xticks(x, [SYMBOLS[z] if i % 2 == 0 else "\n" + SYMBOLS[z] for i, z in enumerate(present)], fontsize=6.5)
    axes.tick_params(axis="x", length=0, pad=1)
    axes.set_xlim(-0.8, len(present) - 0.2)
    axes.set(ylabel="crystals that hold it (%)")
    axes.set_title("Elements, by atomic number")
    axes.legend(frameon=False, loc="upper right", handlelength=0.9, ncols=len(tables))


def space_groups(axes: Axes, tables: Mapping[str, Crystals], colour: Mapping[str, str]) -> None:
    """Shares of the space groups: real crystals downward, samples upward, on a square-root scale."""
    numbers = np.arange(1, 231)
    *models, real = tables
    top = 0.0
    for i, name in enumerate((*models, real)):
        shares = 100 * np.bincount(tables[name].space_group.numpy(), minlength=231)[1:] / len(tables[name])
        heights = np.sqrt(shares) * (-1 if name == real else 1)
        top = max(top, float(np.abs(heights).max()))
        options: dict[str, Any] = {"width": 1.0, "color": colour[name]}
        if name != real and i:
            axes.step(numbers, heights, where="mid", color=colour[name], lw=0.9)
            continue
        axes.bar(numbers, heights, **options)
    ticks = [value for value in (0.5, 2, 5, 10, 20) if np.sqrt(value) <= top]
    places = [-np.sqrt(value) for value in reversed(ticks)] + [0.0] + [np.sqrt(value) for value in ticks]
    axes.set_yticks(places, [f"{value:g}" for value in (*reversed(ticks), 0, *ticks)])
    axes.axhline(0, color="#666666", lw=0.6)
    ends = [0, *SYSTEMS.values()]
    for last in ends[1:-1]:
        axes.axvline(last + 0.5, color="#BBBBBB", lw=0.7, zorder=0)
    axes.set_xticks([(a + b) / 2 + 0.5 for a, b in pairwise(ends)], list(SYSTEMS), fontsize=7.5)
    axes.tick_params(axis="x", length=0)
    axes.set(xlim=(0.5, 230.5), ylim=(-1.08 * top, 1.08 * top), ylabel="crystals (%)")
    axes.set_title("Space groups 1 to 230: samples upward, real crystals downward")


def steps(axes: Axes, values: Mapping[str, Numbers], colour: Mapping[str, str], title: str) -> None:
    """Shares of whole numbers, as steps."""
    edges = np.arange(-0.5, MOST_FREE + 1.5)
    for name, of in values.items():
        shares = 100 * np.histogram(of.clip(max=MOST_FREE), edges)[0] / len(of)
        axes.stairs(shares, edges, color=colour[name], lw=1.5, label=name)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, None), ylabel="crystals (%)")
    last = f"{MOST_FREE}+" if any((of > MOST_FREE).any() for of in values.values()) else str(MOST_FREE)
    axes.set_xticks(range(0, MOST_FREE + 1, 5), [*map(str, range(0, MOST_FREE, 5)), last])
    axes.set_title(title)


def bars(
    axes: Axes,
    shares: Mapping[str, Mapping[str, float]],
    colour: Mapping[str, str],
    *,
    title: str = "Chemical classes",
) -> None:
    """Shares of kinds, a bar for each table."""
    kinds = list(next(iter(shares.values())))
    x, width = np.arange(len(kinds)), 0.84 / len(shares)
    for i, (name, of) in enumerate(shares.items()):
        heights = [100 * of[kind] for kind in kinds]
        axes.bar(x + (i - (len(shares) - 1) / 2) * width, heights, width * 0.92, color=colour[name])
    axes.set_xticks(x, kinds, fontsize=7.5)
    axes.tick_params(axis="x", length=0)
    axes.set(ylabel="crystals (%)")
    axes.set_title(title)
