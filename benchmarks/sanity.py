"""Share of real crystals that pass the sanity checks of structures: a check that rejects real crystals is wrong.

    python benchmarks/sanity.py STRUCTURES.parquet --table CRYSTALS.parquet --json results.jsonl

STRUCTURES.parquet has numbers, cell (9 numbers, A) and fractional coordinates; CRYSTALS.parquet, if given, has
formation_energy_per_atom (eV/atom), volume (A^3) and elements (JSON counts).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _common import parser, report
from pymatgen.core import Structure

from crystalgfn.crystallography.elements import ATOMIC_VOLUME, atomic_number
from crystalgfn.structures import sanity

THRESHOLDS = (0.4, 0.5, 0.55, 0.6, 0.65, 0.7)
QUANTILES = (0, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.5, 0.99, 0.995, 0.9975, 0.999, 1)


def distances(path: Path, n: int | None) -> list[dict[str, object]]:
    """Return results for distance ratios of up to ``n`` structures, and for other validity rules of the first 2,000."""
    table = pd.read_parquet(path).sample(frac=1, random_state=0)[:n]
    structures = [
        Structure(np.reshape(cell, (3, 3)), numbers, np.reshape(fractional, (-1, 3)))
        for numbers, cell, fractional in zip(table["numbers"], table["cell"], table["fractional"], strict=True)
    ]
    start = time.process_time()
    ratios = np.array([sanity.distance_ratio(structure) for structure in structures])
    spent = time.process_time() - start
    others = structures[:2000]
    return [
        {
            "check": "distance ratio",
            "crystals": len(ratios),
            "per CPU second": round(len(ratios) / spent),
            **{f"share >= {t}": float((ratios >= t).mean()) for t in THRESHOLDS},
            **quantiles(ratios),
        },
        *(
            {
                "check": f"{rule.__name__}",
                "crystals": len(others),
                "share valid": float(np.mean([bool(rule(structure)) for structure in others])),
            }
            for rule in (sanity.cdvae_valid, sanity.lemat_valid)
        ),
    ]


def ranges(path: Path) -> list[dict[str, object]]:
    """Return results for formation energies and volumes over the additive estimate."""
    table = pd.read_parquet(path)
    energies = table["formation_energy_per_atom"].dropna().to_numpy(float)
    estimate = [
        sum(n * ATOMIC_VOLUME[atomic_number(e)] for e, n in json.loads(text).items()) for text in table["elements"]
    ]
    volumes = table["volume"].to_numpy(float) / np.array(estimate)
    return [
        {
            "check": name,
            "crystals": len(values),
            "allowed": f"{low:g} to {high:g}",
            "share": float(((values >= low) & (values <= high)).mean()),
            **quantiles(values),
        }
        for name, values, (low, high) in (
            ("formation energy, eV/atom", energies, sanity.FORMATION_ENERGY_RANGE),
            ("volume over estimate", volumes, sanity.VOLUME_RATIO_RANGE),
        )
    ]


def quantiles(values: np.ndarray) -> dict[str, float]:
    """Return quantiles by name."""
    return {f"q{q:g}": round(float(np.quantile(values, q)), 3) for q in QUANTILES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("structures", type=Path)
    options_parser.add_argument("--table", type=Path)
    options_parser.add_argument("-n", type=int, help="crystals, drawn at random; all by default")
    options = options_parser.parse_args(arguments)
    results = distances(options.structures, options.n) + (ranges(options.table) if options.table else [])
    report("sanity", options, {"structures": options.structures.name, "crystals": options.n or "all"}, results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
