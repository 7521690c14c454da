"""Draw docs/images/overview.png, the figure of the README, from samples and real crystals.

    python scripts/docs/make_overview.py --samples default.parquet --untrained untrained.parquet --real crystals.parquet

The strip on top shows how the best crystal of the samples was built; below stand the samples beside an untrained
sampler and beside real crystals of the same elements. Needs matplotlib, which comes with pymatgen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray
from one_line_errors import one_line_errors

from crystalgfn.crystallography.elements import ATOMIC_VOLUME, FORMULA_ORDER, SYMBOLS
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS, HM_SYMBOL
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.properties.registry import resolve
from crystalgfn.report.summary import best, energy_column

# Okabe and Ito's colours, distinguishable with any colour vision
SAMPLES, REAL, UNTRAINED, INK, PALE = "#0072B2", "#D55E00", "#8C8C8C", "#222222", "#EEF3F7"
LARGEST_SVG = 200_000
BANDWIDTH = 0.5
"""eV/atom, times N^(-1/5): width of the Gaussian that smooths N energies."""

STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "svg.fonttype": "none",
    "svg.hashsalt": "crystalgfn",
}

Tables = Mapping[str, Crystals]
COLOURS = {"samples": SAMPLES, "untrained": UNTRAINED, "real": REAL}
NAMES = {"samples": "samples", "untrained": "untrained sampler", "real": "real crystals"}


def draw(tables: Tables, energy: str) -> Figure:
    """Return the figure.

    Args:
        tables: ``samples``, and ``untrained`` and ``real`` where there are any.
        energy: name of the proxy whose column (eV/atom) every table has.
    """
    with mpl.rc_context(STYLE):
        padding = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.07, hspace=0.04, wspace=0.03)
        figure = Figure(figsize=(10, 7), layout=padding, facecolor="white")
        grid = figure.add_gridspec(3, 2, height_ratios=(0.6, 1, 1))
        stages(figure.add_subplot(grid[0, :]), tables["samples"], energy)
        energies(figure.add_subplot(grid[1, 0]), tables, energy)
        systems(figure.add_subplot(grid[1, 1]), tables)
        elements(figure.add_subplot(grid[2, 0]), tables)
        volumes(figure.add_subplot(grid[2, 1]), tables)
        return figure


def stages(axes: Axes, samples: Crystals, energy: str) -> None:
    """Draw the three stages and the reward, with the values of the best crystal."""
    crystal = best(samples, 1, energy=energy)
    group = int(crystal.space_group[0])
    system = CRYSTAL_LATTICE_SYSTEMS[int(CRYSTAL_LATTICE_SYSTEM[group]) - 1]
    atoms = {z: int(n) for z, n in zip(crystal.elements, crystal.counts[0].tolist(), strict=True) if n}
    cell = " ".join(SYMBOLS[z] + (f"$_{{{atoms[z]}}}$" if atoms[z] > 1 else "") for z in FORMULA_ORDER if z in atoms)
    a, b, c, *angles = crystal.lattice[0].tolist()
    lengths = f"{a:.2f} × {b:.2f} × {c:.2f} Å"
    angle = ", ".join(f"{symbol} {x:.4g}°" for symbol, x in zip("αβγ", angles, strict=True))
    value = f"{float(crystal.column(energy)[0]):.2f}".replace("-", "−")
    boxes = (
        (
            "1  Space group",
            f"{HM_SYMBOL[group]} ({group})",
            f"{system}\nlattice system, point symmetry,\ngroup: set in any order",
        ),
        (
            "2  Composition",
            cell,
            "element by element; masks see\nto it that charges cancel and\nWyckoff positions hold the atoms",
        ),
        ("3  Lattice", lengths, f"{angle}\ncontinuous steps,\nonly cells that exist"),
        (
            "Property → reward",
            f"{value} eV/atom",
            "energy E predicted by a proxy;\ncrystals are drawn in\nproportion to exp(−β E)",
        ),
    )
    axes.set(xlim=(0, 4), ylim=(0, 1))
    axes.axis("off")
    width = 0.88
    for i, (title, content, note) in enumerate(boxes):
        left = i + (1 - width) / 2
        last = i == len(boxes) - 1
        face, edge = ("white", REAL) if last else (PALE, SAMPLES)
        shape = "round,pad=0,rounding_size=0.05"
        axes.add_patch(FancyBboxPatch((left, 0.02), width, 0.92, shape, mutation_aspect=3, fc=face, ec=edge, lw=1.2))
        centre = left + width / 2
        axes.text(centre, 0.82, title, ha="center", va="center", weight="bold", color=edge, size=10)
        axes.text(centre, 0.60, content, ha="center", va="center", size=11)
        axes.text(centre, 0.25, note, ha="center", va="center", size=7.8, color="#444444", linespacing=1.3)
        if not last:
            start, end = (left + width, 0.48), (left + 1, 0.48)
            axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color="#555555", lw=1.2))


def energies(axes: Axes, tables: Tables, energy: str) -> None:
    """Densities of the predicted energy."""
    values = {name: crystals.column(energy).astype(float) for name, crystals in tables.items()}
    low = min(v.min() for v in values.values()) - 0.3
    high = max(np.quantile(v, 0.98) for v in values.values())
    x = np.linspace(low, high, 400)
    top = 0.0
    for name, found in values.items():
        y = density(found, x)
        top = max(top, float(y.max()))
        axes.fill_between(x, y, color=COLOURS[name], alpha=0.18, lw=0)
        axes.plot(x, y, color=COLOURS[name], lw=1.6, label=f"{NAMES[name]}, median {np.median(found):.2f}")
    axes.set(xlim=(low, high), ylim=(0, 1.12 * top), yticks=[], ylabel="density")
    axes.set_xlabel("formation energy predicted by the same proxy (eV/atom)")
    axes.set_title("Energies move to where the reward is")
    legend = axes.legend(frameon=False, loc="upper right", handlelength=1.2)
    for text in legend.get_texts():
        text.set_text(text.get_text().replace("-", "−"))


def density(values: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Gaussian kernel density (atom/eV) of energies ``(N,)`` at points ``(M,)``, both eV/atom."""
    width = BANDWIDTH * len(values) ** -0.2
    edges = np.linspace(values.min() - 1, values.max() + 1, 4000)
    weights, _ = np.histogram(values, edges)
    centres = (edges[1:] + edges[:-1]) / 2
    kernel = np.exp(-0.5 * ((x[:, None] - centres) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    result: NDArray[np.float64] = kernel @ weights / len(values)
    return result


def systems(axes: Axes, tables: Tables) -> None:
    """Shares of the eight crystal-lattice systems."""
    height = 0.8 / len(tables)
    y = np.arange(len(CRYSTAL_LATTICE_SYSTEMS))
    for i, (name, crystals) in enumerate(tables.items()):
        codes = CRYSTAL_LATTICE_SYSTEM[crystals.space_group.numpy()]
        shares = 100 * np.bincount(codes, minlength=9)[1:] / len(crystals)
        groups = len(np.unique(crystals.space_group.numpy()))
        label = f"{NAMES[name]}, {groups} groups"
        axes.barh(y + (i - (len(tables) - 1) / 2) * height, shares, height * 0.9, color=COLOURS[name], label=label)
    axes.set_yticks(y, [name.replace("-", "-\n") for name in CRYSTAL_LATTICE_SYSTEMS], linespacing=0.9, size=7.6)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel("share of crystals (%)")
    axes.set_xlim(0, 1.35 * axes.get_xlim()[1])  # room for the legend
    axes.set_title("Crystal-lattice systems and space groups")
    axes.legend(frameon=False, loc="lower right", handlelength=0.9)


def elements(axes: Axes, tables: Tables) -> None:
    """Draw the share of crystals that hold each element; only the most frequent elements if there are many."""
    samples = tables["samples"]
    shares = {name: prevalence(crystals) for name, crystals in tables.items()}
    order = [z for z in FORMULA_ORDER if z in samples.elements]
    if len(order) > 24:
        frequent = sorted(order, key=lambda z: -shares["samples"].get(z, 0.0))[:24]
        order = [z for z in order if z in frequent]
    x, width = np.arange(len(order)), 0.8 / len(tables)
    for i, (name, of_element) in enumerate(shares.items()):
        heights = [100 * of_element.get(z, 0.0) for z in order]
        axes.bar(x + (i - (len(shares) - 1) / 2) * width, heights, width * 0.9, color=COLOURS[name])
    axes.set_xticks(x, [SYMBOLS[z] for z in order])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("crystals that hold it (%)")
    axes.set_xlabel("element, by rising electronegativity")
    axes.set_title("Elements")


def prevalence(crystals: Crystals) -> dict[int, float]:
    """Share of crystals that hold each element, by atomic number."""
    shares = (crystals.counts > 0).double().mean(0).tolist()
    return dict(zip(crystals.elements, shares, strict=True))


def volumes(axes: Axes, tables: Tables) -> None:
    """Volume per atom against the estimate from the composition, both A^3/atom."""
    order = [name for name in ("untrained", "samples", "real") if name in tables]
    points = {name: volume_and_estimate(tables[name]) for name in order}
    shown = np.concatenate([np.column_stack(points[name]) for name in order if name != "untrained"])
    limits = np.stack((np.quantile(shown, 0.001, axis=0) / 1.1, np.quantile(shown, 0.999, axis=0) * 1.1))
    for name in order:
        estimate, volume = points[name]
        some = np.random.default_rng(0).permutation(len(volume))[:1500]
        size, alpha = (9, 0.85) if name == "real" else (5, 0.35)
        axes.scatter(
            estimate[some], volume[some], size, color=COLOURS[name], alpha=alpha, lw=0, rasterized=True, zorder=2
        )
    axes.plot([1e-3, 1e5], [1e-3, 1e5], color=INK, lw=0.9, ls=(0, (4, 3)), zorder=3, label="volume = estimate")
    axes.legend(loc="lower right", frameon=False, handlelength=2)
    axes.set(xscale="log", yscale="log", xlim=limits[:, 0], ylim=limits[:, 1])
    for axis, (low, high) in zip((axes.xaxis, axes.yaxis), limits.T, strict=True):
        digits = (1, 1.5, 2, 3, 5, 7) if high < 30 * low else (1,)
        ticks = [t for power in range(-3, 5) for t in (d * 10.0**power for d in digits) if low <= t <= high]
        axis.set_ticks(ticks, [f"{t:g}" for t in ticks])
        axis.set_minor_locator(NullLocator())
    axes.set(xlabel="estimate from the composition (Å³/atom)", ylabel="volume (Å³/atom)")
    inside = 100 * np.mean((points["samples"][1] >= 5) & (points["samples"][1] <= 60))
    axes.set_title(f"Volumes: {inside:.4g} % of samples in 5–60 Å³/atom")


def volume_and_estimate(crystals: Crystals) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return estimated and real volumes per atom, ``(B,)`` each, A^3/atom."""
    counts = crystals.counts.numpy()
    estimate = counts @ ATOMIC_VOLUME[list(crystals.elements)] / counts.sum(1)
    return estimate, crystals.volume_per_atom.numpy()


def prepare(samples: Crystals, untrained: Crystals | None, real: Crystals | None) -> tuple[dict[str, Crystals], str]:
    """Return all tables with energies of the samples' own proxy; real crystals are limited to the same elements.

    Raises:
        DataError: samples without energies, or no real crystal with the same elements.
    """
    column = energy_column(samples)
    if column is None:
        raise DataError(f"samples: no column in eV/atom, found {', '.join(samples.columns) or 'none'}")
    proxy = column.split(" [")[0]
    tables = {"samples": samples}
    if untrained is not None:
        tables["untrained"] = _judged(untrained, proxy, column)
    if real is not None:
        foreign = [i for i, z in enumerate(real.elements) if z not in samples.elements]
        real = real[~(real.counts[:, foreign] > 0).any(1)]
        if not len(real):
            raise DataError("no real crystal has only elements of the samples")
        tables["real"] = _judged(real, proxy, column)
    return tables, column


def _judged(crystals: Crystals, proxy: str, column: str) -> Crystals:
    if column in crystals.columns:
        return crystals
    return crystals.with_columns(**{column: resolve(proxy)(crystals)})


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script; 2 for an error that the user can mend."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=Path, required=True, metavar="TABLE")
    parser.add_argument("--untrained", type=Path, metavar="TABLE")
    parser.add_argument("--real", type=Path, metavar="TABLE")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images/overview.png"), metavar="PNG")
    options = parser.parse_args(arguments)
    read = [Crystals.from_file(p) if p else None for p in (options.samples, options.untrained, options.real)]
    tables, energy = prepare(*read)  # type: ignore[arg-type]  # the first is required
    figure = draw(tables, energy)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=150, metadata={"Software": None})
    svg = options.output.with_suffix(".svg")
    figure.savefig(svg, dpi=150, metadata={"Date": None})
    if svg.stat().st_size > LARGEST_SVG:
        svg.unlink()


if __name__ == "__main__":
    sys.exit(main())
