"""The figures that make_figures.py writes, each drawn from tables of crystals by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter
from numpy.typing import NDArray
from plotting import INK, REAL, density, prevalence, volume_and_estimate

from crystalgfn.crystallography.elements import FORMULA_ORDER, SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.funnel import Funnel
from crystalgfn.proxies.evaluate import errors
from crystalgfn.report.page.constraints import percent_of

Floats = NDArray[np.float64]
Tables = Mapping[str, Crystals]

TRAINED = ("#0072B2", "#56B4E9", "#009E73", "#CC79A7")
UNTRAINED = ("#555555", "#A0A0A0")
REAL_NAME = "real crystals"
CRYSTAL_SYSTEMS = {
    "triclinic": 2,
    "monoclinic": 15,
    "orthorhombic": 74,
    "tetragonal": 142,
    "trigonal": 167,
    "hexagonal": 194,
    "cubic": 230,
}
"""Last space group of each crystal system."""


@dataclass(frozen=True)
class Predictions:
    """A proxy's predictions for crystals with labels.

    Attributes:
        predicted, true: ``(n,)`` energies of the held-out rows, eV/atom.
        fitted: ``(m,)`` labels of all other rows, eV/atom; empty where the held-out rows are unknown.
        within: ``(n,)`` bool, whether a row has only elements of the samples.
    """

    predicted: Floats
    true: Floats
    fitted: Floats
    within: NDArray[np.bool_]


def colours(trained: Sequence[str], untrained: Sequence[str]) -> dict[str, str]:
    """Return the colour of each table by name; colours repeat where there are many tables."""
    found = {name: TRAINED[i % len(TRAINED)] for i, name in enumerate(trained)}
    found |= {name: UNTRAINED[i % len(UNTRAINED)] for i, name in enumerate(untrained)}
    return found | {REAL_NAME: REAL}


def minus(number: float, digits: int = 2) -> str:
    """Return a number as text with a true minus sign."""
    return f"{number:.{digits}f}".replace("-", "−")


def energies(figure: Figure, judged: Mapping[str, Mapping[str, Floats]], colour: Mapping[str, str]) -> None:
    """Densities of predicted energies, a panel for each proxy: figure 2 of the paper.

    Args:
        figure: figure to draw into.
        judged: energies (eV/atom) by proxy and by name of the table.
        colour: colour of each table.
    """
    for axes, (proxy, values) in zip(_panels(figure, 1, len(judged)), judged.items(), strict=True):
        x = np.linspace(min(v.min() for v in values.values()) - 0.3, 3.0, 500)
        for name, found in values.items():
            y = density(found, x)
            axes.fill_between(x, y, color=colour[name], alpha=0.14, lw=0)
            axes.plot(x, y, color=colour[name], lw=1.6, label=f"{name}, median {minus(float(np.median(found)))}")
        axes.set(xlim=(x[0], x[-1]), yticks=[], ylabel="density", xlabel="predicted formation energy (eV/atom)")
        axes.set_ylim(0, None)
        axes.set_title(f"By the proxy {proxy}")
        axes.legend(frameon=False, loc="upper right", handlelength=1.2)


def parity(figure: Figure, proxies: Mapping[str, Predictions]) -> None:
    """Predicted against true energies of held-out crystals, and the labels of both sides: figure 4 of the paper."""
    panels = _panels(figure, 1, len(proxies) + 1)
    for axes, (name, found) in zip(panels, proxies.items(), strict=False):
        low = min(found.true.min(), found.predicted.min()) - 0.2
        high = float(np.quantile(np.concatenate((found.true, found.predicted)), 0.999)) + 0.2
        inside = (np.maximum(found.true, found.predicted) < high).mean()
        drawn = axes.hexbin(
            found.true, found.predicted, gridsize=70, extent=(low, high, low, high), norm=LogNorm(), cmap="Blues"
        )
        drawn.set_facecolor(drawn.get_cmap()(0.0))
        few = found.within
        axes.scatter(found.true[few], found.predicted[few], 11, color=REAL, lw=0, label="of the samples' elements")
        axes.plot([low, high], [low, high], color=INK, lw=0.8, ls=(0, (4, 3)))
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", xlabel="DFT (eV/atom)", ylabel="predicted")
        axes.set_title(f"{name}: MAE {errors(found.predicted, found.true)['mae']:.3f}")
        axes.text(0.97, 0.04, f"{len(found.true):,} crystals, {inside:.1%} shown", transform=axes.transAxes, ha="right")
        axes.legend(frameon=False, loc="upper left", handletextpad=0.1)
    axes, found = panels[-1], next(iter(proxies.values()))
    x = np.linspace(found.true.min() - 0.3, float(np.quantile(found.true, 0.999)), 400)
    for label, values, tint in (("fitted", found.fitted, TRAINED[0]), ("held out", found.true, REAL)):
        if len(values):
            axes.plot(x, density(values, x), color=tint, lw=1.6, label=f"{label}, {len(values):,}")
    axes.set(xlabel="DFT (eV/atom)", ylabel="density", yticks=[], ylim=(0, None), xlim=(x[0], x[-1]))
    axes.set_title("Labels of both sides")
    axes.legend(frameon=False, loc="upper left", handlelength=1.2)


def error_by_energy(figure: Figure, proxies: Mapping[str, Predictions]) -> None:
    """Errors of held-out crystals by their energy, with quartiles: figure 5 of the paper."""
    for axes, (name, found) in zip(_panels(figure, 1, len(proxies)), proxies.items(), strict=True):
        low, high = np.floor(found.true.min() * 2) / 2, float(np.quantile(found.true, 0.999))
        edges = np.arange(low, high + 0.25, 0.25)
        error, place = np.abs(found.predicted - found.true), np.digitize(found.true, edges)
        behind = axes.twinx()
        behind.hist(found.true, edges, color="#D8D8D8")
        behind.set(ylabel="crystals (grey)", yscale="log", ylim=(0.7, None))
        axes.set_zorder(behind.get_zorder() + 1)
        axes.patch.set_visible(False)
        enough = [i for i in range(1, len(edges)) if (place == i).sum() >= 10]
        middle = edges[enough] - 0.125
        parts = [np.quantile(error[place == i], (0.25, 0.5, 0.75)) for i in enough]
        lower, median, upper = np.array(parts).T
        axes.fill_between(middle, lower, upper, color=TRAINED[0], alpha=0.3, lw=0, label="25 to 75 %")
        axes.plot(middle, median, color=TRAINED[0], lw=1.6, label="median")
        mean = [error[place == i].mean() for i in enough]
        axes.plot(middle, mean, color=REAL, lw=1.4, ls=(0, (4, 2)), label="mean")
        axes.set(xlabel="DFT formation energy (eV/atom)", ylabel="absolute error (eV/atom)", ylim=(0, None))
        axes.set_title(name)
        axes.legend(frameon=False, loc="upper left", handlelength=1.4)


def elements(figure: Figure, tables: Tables, colour: Mapping[str, str]) -> None:
    """Prevalence of elements by atoms and by presence: figures 6 and 7 of the paper."""
    present = {z for crystals in tables.values() for z, found in prevalence(crystals).items() if found}
    order = [z for z in FORMULA_ORDER if z in present]
    by_atoms = {name: _atom_shares(crystals) for name, crystals in tables.items()}
    by_presence = {name: prevalence(crystals) for name, crystals in tables.items()}
    titles = ("By atoms: share of all atoms (%)", "By presence: share of crystals that hold it (%)")
    x, width = np.arange(len(order)), 0.84 / len(tables)
    for axes, title, shares in zip(_panels(figure, 2, 1), titles, (by_atoms, by_presence), strict=True):
        for i, (name, of_element) in enumerate(shares.items()):
            heights = [100 * of_element.get(z, 0.0) for z in order]
            axes.bar(x + (i - (len(shares) - 1) / 2) * width, heights, width * 0.9, color=colour[name], label=name)
        axes.set_xticks(x, [SYMBOLS[z] for z in order])
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.6, len(order) - 0.4)
        axes.set_title(title)
    figure.axes[0].legend(frameon=False, loc="upper left", handlelength=0.9)
    figure.axes[-1].set_xlabel("element, by rising electronegativity")


def _atom_shares(crystals: Crystals) -> dict[int, float]:
    totals = crystals.counts.double().sum(0)
    return dict(zip(crystals.elements, (totals / totals.sum()).tolist(), strict=True))


def co_occurrence(figure: Figure, tables: Tables) -> None:
    """Share of crystals that hold both of two elements: figure 8 of the paper."""
    present = {z for crystals in tables.values() for z, found in prevalence(crystals).items() if found}
    order = [z for z in FORMULA_ORDER if z in present]
    shares = {name: _pairs(crystals, order) for name, crystals in tables.items()}
    most = max(float(np.nanmax(found)) for found in shares.values())
    panels = _panels(figure, 1, len(tables))
    image = None
    for axes, (name, found) in zip(panels, shares.items(), strict=True):
        image = axes.imshow(found, cmap="viridis", norm=PowerNorm(0.5, 0, most))
        labels = [SYMBOLS[z] for z in order]
        axes.set_xticks(range(len(order)), labels, fontsize=7)
        axes.set_yticks(range(len(order)), labels, fontsize=7)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(f"{name}, {len(tables[name]):,}")
    if image is not None:
        figure.colorbar(image, ax=list(panels), shrink=0.8, pad=0.01).set_label("crystals that hold both (%)")


def _pairs(crystals: Crystals, wanted: Sequence[int]) -> Floats:
    """Return shares ``(n, n)`` in per cent, NaN on the diagonal."""
    present = np.zeros((len(crystals), len(wanted)))
    for column, z in enumerate(crystals.elements):
        if z in wanted:
            present[:, wanted.index(z)] = (crystals.counts[:, column] > 0).numpy()
    shares: Floats = 100 * present.T @ present / len(crystals)
    np.fill_diagonal(shares, np.nan)
    return shares


def space_groups(figure: Figure, tables: Tables, colour: Mapping[str, str]) -> None:
    """Shares of the 230 space groups: figure 9 of the paper."""
    panels = _panels(figure, len(tables), 1, sharex=True)
    for axes, (name, crystals) in zip(panels, tables.items(), strict=True):
        shares = 100 * np.bincount(crystals.space_group.numpy(), minlength=231)[1:] / len(crystals)
        axes.bar(np.arange(1, 231), shares, 1.0, color=colour[name])
        axes.set(xlim=(0.5, 230.5), ylabel="crystals (%)")
        axes.set_title(f"{name}: {np.count_nonzero(shares)} of 230 groups among {len(crystals):,} crystals")
        axes.tick_params(axis="x", length=0)
        for last in list(CRYSTAL_SYSTEMS.values())[:-1]:
            axes.axvline(last + 0.5, color="#BBBBBB", lw=0.7, zorder=0)
    ends = [0, *CRYSTAL_SYSTEMS.values()]
    middles = [(a + b) / 2 + 0.5 for a, b in pairwise(ends)]
    names = ["\ntriclinic" if name == "triclinic" else name for name in CRYSTAL_SYSTEMS]
    panels[-1].set_xticks(middles, names, fontsize=8)
    panels[-1].set_xlabel("space groups 1 to 230, by crystal system")


def lattice(figure: Figure, tables: Tables, colour: Mapping[str, str]) -> None:
    """Lengths and angles of the conventional cells: figure 10 of the paper."""
    panels = _panels(figure, 2, 3)
    titles = ("a (Å)", "b (Å)", "c (Å)", "α (°)", "β (°)", "γ (°)")
    for column, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        length = column < 3
        edges = np.geomspace(0.9, 100, 49) if length else np.arange(47.5, 153, 5.0)
        for name, crystals in tables.items():
            found = crystals.lattice[:, column].numpy()
            shares = 100 * np.histogram(found, edges)[0] / len(found)
            axes.stairs(shares, edges, color=colour[name], lw=1.4, label=name)
        axes.set_xlabel(title)
        if length:
            axes.set_xscale("log")
            axes.set_xticks([1, 2, 5, 10, 20, 50, 100])
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.set(yscale="log", ylim=(0.05, 150), xticks=[60, 90, 120, 150])
            axes.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
    for row in (0, 3):
        panels[row].set_ylabel("crystals in a bin (%)")
    panels[0].set_title("Lengths, bins of 10 %")
    panels[3].set_title("Angles, bins of 5°")
    panels[0].legend(frameon=False, loc="upper right", handlelength=1.2)


def volumes(figure: Figure, tables: Tables, colour: Mapping[str, str]) -> None:
    """Volume per atom against the composition's estimate, and the distribution of their ratio."""
    left, right = _panels(figure, 1, 2)
    rng = np.random.default_rng(0)
    edges = np.geomspace(0.1, 5e3, 120)
    for name, crystals in tables.items():
        estimate, volume = volume_and_estimate(crystals)
        some = rng.permutation(len(volume))[:1500]
        size = 9 if name == REAL_NAME else 4
        left.scatter(estimate[some], volume[some], size, color=colour[name], alpha=0.45, lw=0, label=name)
        ratio = volume / estimate
        shares = 100 * np.histogram(ratio, edges)[0] / len(ratio)
        label = f"{name}, median {np.median(ratio):.3g}"
        right.stairs(shares, edges, color=colour[name], lw=1.4, label=label)
    left.plot([1, 1e5], [1, 1e5], color=INK, lw=0.9, ls=(0, (4, 3)))
    left.set(xscale="log", yscale="log", xlim=(4, 40), ylim=(1, 1e5))
    left.set_xticks([5, 10, 20, 40], ["5", "10", "20", "40"])
    left.xaxis.set_minor_locator(NullLocator())
    left.set(xlabel="estimate from the composition (Å³/atom)", ylabel="volume (Å³/atom)")
    right.axvline(1, color=INK, lw=0.9, ls=(0, (4, 3)))
    right.set(xscale="log", xlabel="volume / estimate", ylabel="crystals in a bin of 10 % (%)", ylim=(0, None))
    right.legend(frameon=False, loc="upper right", handlelength=1.2)


def above_hull(figure: Figure, found: Mapping[str, Mapping[str, Any]], colour: Mapping[str, str]) -> None:
    """Energy above hull after relaxation, and the relaxed against the predicted formation energy.

    Args:
        figure: figure to draw into.
        found: by table, arrays ``(n,)`` in eV/atom: ``above``, ``relaxed`` and ``predicted``, NaN where unknown; and
            ``method``, the potential, and ``n``, the number of crystals tried.
        colour: colour of each table.
    """
    left, right = _panels(figure, 1, 2)
    for name, values in found.items():
        above = np.sort(values["above"][np.isfinite(values["above"])])
        shares = 100 * np.arange(1, len(above) + 1) / values["n"]
        label = f"{name}, {values['n']} tried, by {values['method']}"
        left.plot(above, shares, color=colour[name], lw=1.6, drawstyle="steps-post", label=label)
        right.scatter(values["predicted"], values["relaxed"], 9, color=colour[name], alpha=0.7, lw=0, label=name)
    for threshold in (0.0, 0.1):
        left.axvline(threshold, color="#999999", lw=0.8, ls=(0, (4, 3)))
    left.set(xlim=(-0.2, 1.0), ylim=(0, 100), xlabel="energy above hull at most (eV/atom)", ylabel="samples (%)")
    left.set_title("Energy above hull after relaxation")
    left.legend(frameon=False, loc="lower right", handlelength=1.2)
    ends = right.get_xlim()
    right.axline((ends[0], ends[0]), slope=1, color=INK, lw=0.8, ls=(0, (4, 3)))
    right.set(xlabel="formation energy predicted (eV/atom)", ylabel="relaxed (eV/atom)")
    right.set_title("Predicted and relaxed formation energy")


def funnel(figure: Figure, found: Mapping[str, Funnel], colour: Mapping[str, str]) -> None:
    """Shares of proposals without look-ahead that each constraint leaves, and of samples that obey all constraints."""
    least = min(share for one in found.values() for share in one.shares.values() if share)
    for axes, (name, one) in zip(_panels(figure, 1, len(found)), found.items(), strict=True):
        counts = {"proposals": (one.n, one.n), **{step: (left, one.n) for step, left in one.left.items()}}
        if one.samples:
            counts[f"samples of {name}"] = one.valid, one.samples
        rows = range(len(counts), 0, -1)
        shares = [100 * left / n for left, n in counts.values()]
        tints = [colour.get(name, TRAINED[0]) if step.startswith("samples of") else UNTRAINED[1] for step in counts]
        axes.barh(rows, shares, 0.72, color=tints)
        for row, share, (left, n) in zip(rows, shares, counts.values(), strict=True):
            axes.text(max(share, 100 * least / 3) * 1.15, row, percent_of(left, n), va="center", fontsize=8)
        axes.set(xscale="log", xlim=(100 * least / 3, 500), xlabel="still valid (%)")
        ticks = [10.0**k for k in range(int(np.ceil(np.log10(100 * least / 3))), 3)]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_yticks(rows, list(counts))
        axes.tick_params(axis="y", length=0)
        axes.set_title(f"{name}: {one.n:,} proposals")


def _panels(figure: Figure, rows: int, columns: int, **options: Any) -> list[Axes]:
    return list(figure.subplots(rows, columns, squeeze=False, **options).ravel())
