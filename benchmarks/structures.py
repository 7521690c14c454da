"""Placing and relaxing of crystals whose sites are known: CPU seconds, converged, space group kept, P1, near the hull.

    python benchmarks/structures.py CRYSTALS.parquet -n 60 --hull hull_entries.parquet
    python benchmarks/structures.py CRYSTALS.parquet -n 40 --hull builtin --known STRUCTURES.parquet \
        --potentials chgnet 7net-0 7net-l3i5
    git worktree add ../before COMMIT
    python benchmarks/structures.py CRYSTALS.parquet -n 20 --checkouts ../before .

Real crystals near the hull, with at most 20 atoms in the primitive cell, whose coordinates are forgotten and whose
lattices are distorted at random within their lattice system: 5 % in volume, 10 % in axes. CRYSTALS.parquet has elements
(JSON counts), spacegroup, a, b, c, alpha, beta, gamma, wyckoff, n_atoms_primitive and e_above_hull (eV/atom). With
several checkouts or potentials each works on all crystals in a process of its own, with the current Python; ratios are
relative to the first. A checkout may know nothing of sites and then looks for them. With ``--known`` (material_id,
numbers, cell, fractional) the benchmark says how many crystals StructureMatcher finds again; with a hull, how far the
energies above it are from those of density functional theory.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import mean, median

import numpy as np
import pandas as pd
import torch
from _common import machine
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM
from crystalgfn.structures.candidates.sources import read_requests
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.workers import Tools

LATTICE = ["a", "b", "c", "alpha", "beta", "gamma"]
COLUMNS = ["elements", "spacegroup", *LATTICE, "wyckoff", "e_above_hull"]
VOLUME, AXES = 0.05, 0.10
"""Standard deviations of the distortions of log volume and log axes."""

NEAR = 0.08
"""Energy above hull (eV/atom) up to which a crystal counts as near the hull."""


def distorted(crystals: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Return ``n`` crystals drawn at random, with distorted lattices."""
    near = crystals[(crystals["n_atoms_primitive"] <= 20) & (crystals["e_above_hull"] <= 0.1)]
    columns = [*(["material_id"] if "material_id" in near else []), *COLUMNS]
    chosen = near.sample(n, random_state=seed)[columns].reset_index(drop=True)
    rng = np.random.default_rng(seed)
    for row, group in enumerate(chosen["spacegroup"]):
        system = int(CRYSTAL_LATTICE_SYSTEM[group])
        axes = rng.normal(scale=AXES, size=3)
        axes[1] = axes[0] if 4 <= system <= 7 else axes[1]
        axes = np.zeros(3) if system == 8 else axes - axes.mean()
        factors = np.exp(axes + rng.normal(scale=VOLUME) / 3)
        chosen.loc[row, ["a", "b", "c"]] *= factors
    return chosen


def worked(table: Path, potential: str, hull: str, known: Path | None, output: Path) -> None:
    """Place and relax the crystals of a table, and write a JSON line for each."""
    from crystalgfn.structures.candidates.requests import SearchSettings

    torch.set_num_threads(1)
    bench = Tools(potential, hull="" if hull == "none" else hull, library="").load(SearchSettings())
    crystals = pd.read_parquet(table)
    real = [None] * len(crystals) if known is None else structures_of(crystals["material_id"], known)
    matcher = StructureMatcher(0.2, 0.3, 5)
    with output.open("w") as stream:
        for request, structure, by_dft in zip(read_requests(table), real, crystals["e_above_hull"], strict=True):
            start = time.process_time()
            candidate = bench(request)
            spent = time.process_time() - start
            row = candidate.row
            above = row.energy(CandidateTable((row,)).above_hull)
            group = row.space_group if row.space_group is not None else 0
            found = {
                "cpu_s": spent,
                "converged": bool(row.converged),
                "kept": group == request.space_group,
                "P1": group == 1 != request.space_group,
                "near": bool(above <= NEAR),
                "steps": (row.steps_symmetric or 0) + (row.steps_free or 0),
                "error": abs(above - by_dft),
                "found": structure is not None and candidate.ok and matcher.fit(structure, candidate.structure),
            }
            stream.write(json.dumps(found) + "\n")
            stream.flush()


def structures_of(names: pd.Series, path: Path) -> list[Structure]:
    """Return the known structures of some names, in their order."""
    table = pd.read_parquet(path).set_index("material_id").loc[list(names)]
    columns = zip(table["cell"], table["numbers"], table["fractional"], strict=True)
    return [Structure(np.reshape(cell, (3, 3)), numbers, np.reshape(at, (-1, 3))) for cell, numbers, at in columns]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("-n", type=int, default=20, help="crystals, drawn at random")
    parser.add_argument("--hull", default="none", help="none, builtin, or a table of phases")
    parser.add_argument("--potentials", nargs="+", default=["chgnet"])
    parser.add_argument("--known", type=Path, help="the known structures of the crystals")
    parser.add_argument("--checkouts", type=Path, nargs="+", default=[Path(__file__).resolve().parents[1]])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        worked(options.table, *options.potentials, options.hull, options.known, options.worker)
        return 0
    print("structures: " + ", ".join(f"{key} {value}" for key, value in machine(1).items()))
    print(f"configuration: {options.n} crystals, seed {options.seed}, hull {options.hull}")
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        table, found = Path(folder) / "crystals.parquet", Path(folder) / "found.jsonl"
        distorted(pd.read_parquet(options.table), options.n, options.seed).to_parquet(table)
        for checkout, potential in product(options.checkouts, options.potentials):
            source = {**os.environ, "PYTHONPATH": str(checkout.resolve() / "src"), "OMP_NUM_THREADS": "1"}
            command = [sys.executable, str(Path(__file__).resolve()), str(table), "--hull", options.hull]
            command += ["--potentials", potential, *([] if options.known is None else ["--known", str(options.known)])]
            subprocess.run([*command, "--worker", str(found)], env=source, check=True)
            lines = [json.loads(line) for line in found.read_text().splitlines()]
            spent = mean(line["cpu_s"] for line in lines)
            first = first or spent
            shares = [f"{name} {mean(line[name] for line in lines):.1%}" for name in ("converged", "kept", "P1")]
            if options.hull != "none":
                shares.append(f"within {NEAR} eV/atom of the hull {mean(line['near'] for line in lines):.1%}")
                errors = [line["error"] for line in lines if not math.isnan(line["error"])]
                shares.append(f"energy above hull off by {mean(errors):.3f} eV/atom, median {median(errors):.3f}")
            if options.known is not None:
                shares.append(f"found again {mean(line['found'] for line in lines):.1%}")
            print(
                f"  {checkout.resolve().name}, {potential}: {spent:.2f} CPU seconds a crystal (median "
                f"{median(line['cpu_s'] for line in lines):.2f}), {spent / first:.2f} of the first; "
                f"{', '.join(shares)}; {mean(line['steps'] for line in lines):.1f} steps"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
