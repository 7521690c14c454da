"""Write the tables of docs/reproduction.md: the paper's numbers beside those of samples.

    python scripts/docs/reproduce.py --draw paper-fast --draw twelve-elements --untrained paper-fast \
        --real crystals.parquet --page docs/reproduction.md

Samples are drawn (``--draw``: presets with trained weights, or run folders) or read (``--samples NAME=TABLE``). Each
table is described with its own energies, the first column in eV/atom. Then every proxy behind such a column predicts
energies for all tables, real crystals included. Without ``--page`` the tables are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from one_line_errors import one_line_errors

from crystalgfn.config import load_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.metrics import summarise
from crystalgfn.properties.registry import resolve
from crystalgfn.report.pages import fill
from crystalgfn.report.summary import (
    DIVERSITY_ROWS,
    ENERGY_ROWS,
    GEOMETRY_ROWS,
    UNKNOWN,
    VALIDITY_ROWS,
    WEIGHT_ROWS,
    comparison_table,
    energy_column,
)
from crystalgfn.runs.model import load, untrained

PAPER: dict[str, Any] = {
    "n": 10_000,
    "energy": {"method": "its proxy", "median": -3.1, "below_minus_2": 0.95},
    "diversity": {"n_space_groups": 80, "n_elements": 12},
    "top": {"diversity": {"n_elements": 10, "n_crystal_lattice_systems": 5, "n_point_symmetries": 5}},
}
"""Section 4.2 of the paper (arXiv 2310.04925)."""

PUBLISHED: dict[str, Any] = {
    "n": 10_000,
    "energy": {"method": "the paper's proxy", "median": -3.095, "below_minus_2": 0.9595, "below_minus_3": 0.602},
    "diversity": {
        "n_space_groups": 80,
        "n_distinct": 9_981,
        "crystal_lattice_systems": {"trigonal-hexagonal": 0.587},
        "element_counts": {"5": 0.874},
        "n_atoms_median": 37.0,
    },
    "geometry": {
        "volume_per_atom": {"p5": 3.6, "p50": 65.0, "p95": 430.0},
        "volume_in_band": 0.40,
        "plausible": 0.37,
        "density": {"p5": 0.08, "p50": 0.52, "p95": 9.4},
        "length_ratio_median": 7.4,
    },
    "validity": {"cell": 0.998, "neutral_common": 0.12},
    "top": {
        "diversity": {"n_space_groups": 19, "crystal_lattice_systems": {"trigonal-hexagonal": 0.50}},
        "geometry": {
            "volume_per_atom": {"p5": 8.4, "p50": 105.0, "p95": 417.0},
            "density": {"p5": 0.08, "p50": 0.33, "p95": 4.3},
            "length_ratio_median": 11.2,
        },
    },
}
"""Measured on the 10,000 samples that the paper's authors published, with the energies in their file."""

MATBENCH: dict[str, Any] = {
    "n": 1_118,
    "energy": {"median": -1.534, "below_minus_2": 0.385},
    "diversity": {"n_space_groups": 113, "n_atoms_median": 32.5},
    "geometry": {
        "volume_per_atom": {"p5": 8.8, "p50": 12.3, "p95": 23.4},
        "volume_in_band": 0.998,
        "density": {"p5": 1.2, "p50": 2.4, "p95": 4.5},
        "length_ratio_median": 1.8,
    },
    "validity": {"neutral_common": 0.53},
}
"""Measured on the paper's validation crystals: crystals of MatBench with only the paper's 12 elements."""


def tables(samples: Mapping[str, Crystals], real: Crystals | None, dft: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Make the tables.

    Args:
        samples: tables by the name of their column; each with energies in eV/atom.
        real: real crystals, of which those with only elements of the first table are kept.
        dft: column of calculated formation energies of the real crystals, eV/atom.

    Returns:
        markdown by part of the page, and every summary by the heading of its column.

    Raises:
        DataError: there is no table, or a table has no energies or the name of a published column.
    """
    if not samples:
        raise DataError("no samples: found neither --samples nor --draw nor --untrained, allowed: 1 or more")
    if taken := {"the paper", "authors' samples", "MatBench", "real crystals"} & set(samples):
        raise DataError(f"samples named {', '.join(sorted(taken))}: the page has such a column already")
    energies = {name: _energy_column(name, crystals) for name, crystals in samples.items()}
    proxies = list(dict.fromkeys(column.split(" [")[0] for column in energies.values()))
    summaries = {
        name: _summary(crystals, energies[name], f"proxy `{energies[name].split(' [')[0]}`")
        for name, crystals in samples.items()
    }
    judged = dict(samples)
    known: dict[str, Any] = {}
    if real is not None:
        real = within(real, next(iter(samples.values())).elements)
        known["real crystals"] = _summary(real, dft, "DFT")
        for proxy in proxies:
            by_proxy = real.with_columns(**{proxy: resolve(proxy)(real)})
            known[f"real, by `{proxy}`"] = _summary(by_proxy, proxy, f"proxy `{proxy}`")
        judged["real crystals"] = real
    published = {"authors' samples": PUBLISHED, "MatBench": MATBENCH}
    shown = {**published, **summaries, **{name: known[name] for name in known if name == "real crystals"}}
    results = comparison_table({"the paper": PAPER, **shown}, rows=ENERGY_ROWS + DIVERSITY_ROWS)
    validity = comparison_table(shown, rows=GEOMETRY_ROWS + VALIDITY_ROWS + WEIGHT_ROWS)
    parts = {"results": results, "validity": validity, "judges": judges(judged, proxies, dft)}
    return parts, {**summaries, **known}


def within(crystals: Crystals, elements: Sequence[int]) -> Crystals:
    """Return the crystals that have only the given elements (atomic numbers).

    Raises:
        DataError: there are no such crystals.
    """
    foreign = [column for column, z in enumerate(crystals.elements) if z not in elements]
    kept = crystals[~(crystals.counts[:, foreign] > 0).any(1)]
    if not len(kept):
        raise DataError(f"none of {len(crystals)} real crystals lies within the elements of the samples")
    return kept


def judges(samples: Mapping[str, Crystals], proxies: Sequence[str], dft: str) -> str:
    """Return the median energy (eV/atom) and volume of each table by each proxy, as markdown.

    Args:
        samples: tables by name.
        proxies: names of properties in eV/atom.
        dft: column of calculated formation energies, where a table has it.
    """
    heading = ["median energy (eV/atom) by", *(f"`{proxy}`" for proxy in proxies), "DFT", "median volume (Å³/atom)"]
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)]]
    for name, crystals in samples.items():
        medians = [float(resolve(proxy)(crystals).median()) for proxy in proxies]
        calculated = float(np.nanmedian(crystals.column(dft))) if _has(crystals, dft) else None
        cells = [UNKNOWN if m is None else f"{m:.2f}".replace("-", "−") for m in (*medians, calculated)]
        lines.append([name, *cells, f"{float(crystals.volume_per_atom.nanmedian()):.1f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _has(crystals: Crystals, name: str) -> bool:
    return any(found.split(" [")[0] == name or found == name for found in crystals.columns)


def _summary(crystals: Crystals, energy: str, method: str) -> dict[str, Any]:
    summary = summarise(crystals, energy=energy)
    for part in (summary, summary["top"]):
        part["energy"]["method"] = method
    return summary


def _energy_column(name: str, crystals: Crystals) -> str:
    column = energy_column(crystals)
    if column is None:
        raise DataError(f"{name}: no column in eV/atom, found {', '.join(crystals.columns) or 'none'}")
    return column


def named(text: str) -> tuple[str, Path]:
    """Parse ``NAME=TABLE`` into a pair."""
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed: NAME=TABLE")
    return name, Path(path)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script; 2 for an error that the user can mend."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=named, action="append", default=[], metavar="NAME=TABLE")
    parser.add_argument(
        "--draw", action="append", default=[], metavar="MODEL", help="preset or run folder to draw from"
    )
    parser.add_argument("--untrained", metavar="PRESET", help="space in which an untrained sampler draws")
    parser.add_argument("-n", type=int, default=10_000, help="samples to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to write the samples that were drawn")
    parser.add_argument("--real", type=Path, metavar="TABLE", help="real crystals to compare with")
    parser.add_argument(
        "--real-energy", default="formation_energy_per_atom", metavar="COLUMN", help="their DFT energies"
    )
    parser.add_argument("--page", type=Path, metavar="MD", help="page whose parts are replaced")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write every number")
    options = parser.parse_args(arguments)
    samples = {name: Crystals.from_file(path) for name, path in options.samples}
    drawn = {Path(where).name: load(where) for where in options.draw}
    if options.untrained:
        drawn["untrained"] = untrained(load_config(options.untrained))
    for name, model in drawn.items():
        samples[name] = model.sample(options.n, seed=options.seed)
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            samples[name].to_parquet(options.keep / f"{name}.parquet")
    real = Crystals.from_file(options.real) if options.real else None
    parts, summaries = tables(samples, real, options.real_energy)
    if options.json:
        options.json.write_text(json.dumps(summaries, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        for name, body in parts.items():
            page = fill(page, name, body)
        options.page.write_text(page, encoding="utf-8")
    else:
        print(*(f"## {name}\n\n{body}\n" for name, body in parts.items()), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
