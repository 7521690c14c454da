"""Draw docs/images/overview.png, the figure of the README, from samples with sites and real crystals.

    python scripts/docs/make_overview.py --samples default.parquet --real crystals.parquet --prior prior \
        --structures default=relaxed/structures.parquet --structures "without sites=old/structures.parquet"

The strip on top shows how one of the samples was built; below stand the samples beside the real crystals that the prior
knows, learned from or held out, and what became of samples after relaxing, where tables of ``crystalgfn structures``
are given. Needs matplotlib, which comes with pymatgen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from one_line_errors import one_line_errors
from plotting import PALE, REAL, SAMPLES, STYLE, UNTRAINED, prevalence
from prior_page import read_real

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, CRYSTAL_LATTICE_SYSTEMS, HM_SYMBOL
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.chemical_classes import class_shares, elements_of
from crystalgfn.runs.model import load
from crystalgfn.spaces.site_encoding import assignments_of
from crystalgfn.structures.candidates.table import CandidateTable

STABLE = 0.08
"""Energy above hull (eV/atom) that is marked."""

MOST_ELEMENTS = 44
"""Elements that are drawn, the most frequent ones among real crystals."""

NAMES = {"samples": "samples", "real": "real crystals"}
COLOURS = {"samples": SAMPLES, "real": REAL}

Tables = Mapping[str, Crystals]


def draw(tables: Tables, structures: Mapping[str, CandidateTable]) -> Figure:
    """Return the figure.

    Args:
        tables: ``samples``, and ``real`` where there are any.
        structures: tables of relaxed samples, by name.
    """
    with mpl.rc_context(STYLE):
        padding = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.07, hspace=0.04, wspace=0.03)
        figure = Figure(figsize=(10, 7), layout=padding, facecolor="white")
        grid = figure.add_gridspec(3, 2, height_ratios=(0.6, 1, 1))
        stages(figure.add_subplot(grid[0, :]), tables["samples"])
        elements(figure.add_subplot(grid[1, :]), tables)
        classes(figure.add_subplot(grid[2, 0]), tables)
        right = figure.add_subplot(grid[2, 1])
        if structures:
            above_hull(right, structures)
        else:
            systems(right, tables)
        return figure


def example(samples: Crystals) -> Crystals:
    """Return the first new crystal of a known pattern with three elements on at most four positions.

    Raises:
        DataError: samples without sites, or none such.
    """
    wanted = (samples.counts > 0).sum(1).numpy() == 3
    for name, value in (("known", 0), ("known_pattern", 1)):
        if name in samples.columns:
            wanted &= samples.columns[name] == value
    for row in np.flatnonzero(wanted):
        one = samples[np.array([row])]
        if len(assignments_of(one)[0].sites) <= 4:
            return one
    raise DataError("samples: none of three elements on at most four positions, allowed: 1 or more to show")


def stages(axes: Axes, samples: Crystals) -> None:
    """Draw the four stages and the target, with the values of one crystal."""
    crystal = example(samples)
    group = int(crystal.space_group[0])
    system = CRYSTAL_LATTICE_SYSTEMS[int(CRYSTAL_LATTICE_SYSTEM[group]) - 1]
    sites = assignments_of(crystal)[0]
    orbits = list(zip(sites.sites, sites.multiplicities, strict=True))
    slots = [[f"{many}{letter}" for (_, letter), many in own] for _, own in groupby(orbits, lambda orbit: orbit[0][0])]
    pattern = " | ".join(" ".join(slot) for slot in slots)
    held = [SYMBOLS[z] for z, _ in groupby(sites.sites, lambda site: site[0])]
    a, b, c, *angles = crystal.lattice[0].tolist()
    angle = ", ".join(f"{symbol} {x:.4g}°" for symbol, x in zip("αβγ", angles, strict=True))
    boxes = (
        ("1  Space group", f"{HM_SYMBOL[group]} ({group})", f"{system},\none of 230"),
        ("2  Pattern of sites", pattern, "Wyckoff positions, without\nelements; no dead ends"),
        ("3  Elements", " | ".join(held), "of 88; formulas, charges and\nall other rules hold"),
        ("4  Cell", f"{a:.2f} {b:.2f} {c:.2f} Å", f"{angle}\nin one draw"),
        ("Prior × reward", crystal.formulas[0], "like real crystals; stable;\nnew; and what you ask for"),
    )
    axes.set(xlim=(0, len(boxes)), ylim=(0, 1))
    axes.axis("off")
    width = 0.88
    for i, (title, content, note) in enumerate(boxes):
        left = i + (1 - width) / 2
        last = i == len(boxes) - 1
        face, edge = ("white", REAL) if last else (PALE, SAMPLES)
        shape = "round,pad=0,rounding_size=0.05"
        axes.add_patch(FancyBboxPatch((left, 0.06), width, 0.88, shape, mutation_aspect=3, fc=face, ec=edge, lw=1.2))
        centre = left + width / 2
        axes.text(centre, 0.80, title, ha="center", va="center", weight="bold", color=edge, size=9.5)
        size = min(11.0, 190 / max(len(content), 1))
        axes.text(centre, 0.56, content, ha="center", va="center", size=size)
        axes.text(centre, 0.26, note, ha="center", va="center", size=7.3, color="#444444", linespacing=1.3)
        if not last:
            start, end = (left + width, 0.5), (left + 1, 0.5)
            axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color="#555555", lw=1.2))


def elements(axes: Axes, tables: Tables) -> None:
    """Draw the share of crystals that hold each element, by atomic number."""
    shares = {name: prevalence(crystals) for name, crystals in tables.items()}
    last = shares[list(tables)[-1]]
    frequent = sorted(last, key=lambda z: -last[z])[:MOST_ELEMENTS]
    order = sorted(z for z in frequent if any(of.get(z) for of in shares.values()))
    x, width = np.arange(len(order)), 0.8 / len(tables)
    for i, (name, of_element) in enumerate(shares.items()):
        heights = [100 * of_element.get(z, 0.0) for z in order]
        groups = len(np.unique(tables[name].space_group.numpy()))
        held = int((tables[name].counts > 0).any(0).sum())
        label = f"{len(tables[name]):,} {NAMES[name]}: {held} elements, {groups} space groups"
        axes.bar(x + (i - (len(shares) - 1) / 2) * width, heights, width * 0.9, color=COLOURS[name], label=label)
    axes.set_xticks(x, [SYMBOLS[z] for z in order], fontsize=7.8)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.7, len(order) - 0.3)
    axes.set_ylabel("crystals that hold it (%)")
    axes.set_title(f"Elements, the {len(order)} most frequent")
    axes.legend(frameon=False, loc="upper right", handlelength=0.9)


def classes(axes: Axes, tables: Tables) -> None:
    """Shares of the chemical classes."""
    shares = {name: class_shares(elements_of(crystals)) for name, crystals in tables.items()}
    kinds = list(next(iter(shares.values())))
    y, height = np.arange(len(kinds)), 0.8 / len(tables)
    for i, (name, of) in enumerate(shares.items()):
        bars = [100 * of[kind] for kind in kinds]
        axes.barh(y + (i - (len(shares) - 1) / 2) * height, bars, height * 0.9, color=COLOURS[name], label=NAMES[name])
    axes.set_yticks(y, kinds)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel("share of crystals (%)")
    axes.set_title("Chemistry")
    axes.legend(frameon=False, loc="upper right", handlelength=0.9)


def systems(axes: Axes, tables: Tables) -> None:
    """Shares of the eight crystal-lattice systems."""
    y, height = np.arange(len(CRYSTAL_LATTICE_SYSTEMS)), 0.8 / len(tables)
    for i, (name, crystals) in enumerate(tables.items()):
        codes = CRYSTAL_LATTICE_SYSTEM[crystals.space_group.numpy()]
        shares = 100 * np.bincount(codes, minlength=9)[1:] / len(crystals)
        axes.barh(y + (i - (len(tables) - 1) / 2) * height, shares, height * 0.9, color=COLOURS[name])
    axes.set_yticks(y, [name.replace("-", "-\n") for name in CRYSTAL_LATTICE_SYSTEMS], linespacing=0.9, size=7.6)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel("share of crystals (%)")
    axes.set_title("Crystal-lattice systems")


def above_hull(axes: Axes, structures: Mapping[str, CandidateTable]) -> None:
    """Share of the samples up to an energy above the hull after relaxing."""
    for (name, table), colour in zip(structures.items(), (SAMPLES, UNTRAINED, REAL), strict=False):
        column = table.above_hull
        if column is None:
            raise DataError(f"{name}: no energies above hull, allowed: a table of crystalgfn structures with a hull")
        energies = np.array([row.energy(column) for row in table.rows])
        values = np.sort(energies[np.isfinite(energies)])
        shares = 100 * np.arange(1, len(values) + 1) / len(table)
        stable = 100 * float((values <= STABLE).mean()) * len(values) / len(table)
        label = f"{name}: {stable:.3g} % within {STABLE} eV/atom"
        axes.plot(values, shares, color=colour, lw=1.8, drawstyle="steps-post", label=label)
    axes.axvline(STABLE, color="#999999", lw=0.8, ls=(0, (4, 3)))
    axes.set(xlim=(-0.15, 0.6), ylim=(0, 100), xlabel="energy above hull at most (eV/atom)", ylabel="samples (%)")
    axes.set_title("After relaxing")
    axes.legend(frameon=False, loc="lower right", handlelength=1.4)


def named(text: str) -> tuple[str, Path]:
    """Return name and path of ``NAME=TABLE``."""
    name, equals, path = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed: NAME=TABLE")
    return name, Path(path)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script; 2 for an error that the user can mend."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=Path, required=True, metavar="TABLE", help="with a column wyckoff")
    parser.add_argument("--real", type=Path, metavar="TABLE", help="real crystals that the prior learned from")
    parser.add_argument("--prior", default="prior", metavar="MODEL", help="says which of them are shown")
    parser.add_argument("--structures", type=named, action="append", default=[], metavar="NAME=TABLE")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images/overview.png"), metavar="PNG")
    options = parser.parse_args(arguments)
    tables = {"samples": Crystals.from_file(options.samples)}
    if options.real:
        real = read_real(load(options.prior), options.real)
        tables["real"] = Crystals.concatenate([real.learned, real.held_out])
    figure = draw(tables, {name: CandidateTable.read(path) for name, path in options.structures})
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    sys.exit(main())
