"""What fine-tuning moved: samples of the prior, of default, and real crystals, as a figure for docs/prior.md.

python scripts/docs/finetuning_figure.py prior default --data crystals.parquet --figure docs/images/finetuning.png
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotting import REAL, STYLE, prevalence
from prior_figure import MODELS, bars

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.chemical_classes import class_shares, elements_of
from crystalgfn.properties.registry import resolve
from crystalgfn.runs.model import load

LEAST_SHARE = 0.005
"""Elements in fewer samples of the prior are left out: their changes are chance."""

SHOWN = 12
"""Number of elements that are shown at each end."""

EDGES = np.linspace(-0.1, 0.5, 61)
"""eV/atom."""


def main() -> None:
    """Draw samples, then the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("prior")
    parser.add_argument("posterior")
    parser.add_argument("--data", required=True)
    parser.add_argument("--figure", type=Path, required=True)
    parser.add_argument("-n", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tables = {name: load(name).sample(options.n, seed=options.seed) for name in (options.prior, options.posterior)}
    draw({**tables, "real crystals": Crystals.from_file(options.data)}, options.figure)


def draw(tables: Mapping[str, Crystals], path: Path) -> None:
    """Draw the figure into a file.

    Args:
        tables: samples of the prior, of the posterior, and real crystals, in this order.
        path: PNG to write.
    """
    colour = dict(zip(tables, (*MODELS[:2], REAL), strict=True))
    prior, posterior, _ = tables
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5.4), layout="constrained", facecolor="white")
        grid = figure.add_gridspec(2, 2)
        energies(figure.add_subplot(grid[0, 0]), {name: tables[name] for name in (prior, posterior)}, colour)
        classes = {name: class_shares(elements_of(crystals)) for name, crystals in tables.items()}
        bars(figure.add_subplot(grid[0, 1]), classes, colour)
        moved(figure.add_subplot(grid[1, :]), tables[prior], tables[posterior], colour[posterior])
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, metadata={"Software": None})


def energies(axes: Axes, tables: Mapping[str, Crystals], colour: Mapping[str, str]) -> None:
    """Histograms of the predicted energy above the hull."""
    predict = resolve("energy_above_hull")
    for name, crystals in tables.items():
        energy = predict(crystals).numpy()
        near = float((energy <= 0.08).mean())
        label = f"{name}: {near:.0%} within 0.08"
        axes.hist(
            energy.clip(EDGES[0], EDGES[-1]), EDGES, color=colour[name], histtype="stepfilled", alpha=0.55, label=label
        )
    axes.axvline(0.08, color="#444444", linewidth=0.8, linestyle=":")
    axes.set_title("Predicted energy above the hull, eV/atom")
    axes.set_yticks([])
    axes.legend(frameon=False)


def moved(axes: Axes, prior: Crystals, posterior: Crystals, colour: str) -> None:
    """The elements whose shares of crystals changed most, as factors."""
    before, after = prevalence(prior), prevalence(posterior)
    factors = {z: after.get(z, 0.0) / share for z, share in before.items() if share >= LEAST_SHARE}
    ranked = sorted(factors, key=lambda z: factors[z])
    shown = [*ranked[:SHOWN], *ranked[-SHOWN:]]
    heights = np.log2([max(factors[z], 2**-4) for z in shown])
    axes.bar(range(len(shown)), heights, color=colour, width=0.7)
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.set_xticks(range(len(shown)), [SYMBOLS[z] for z in shown])
    axes.set_yticks([-2, -1, 0, 1], ["÷ 4", "÷ 2", "same", "× 2"])
    axes.set_title("Elements whose share of the crystals changed most from the prior")


if __name__ == "__main__":
    main()
