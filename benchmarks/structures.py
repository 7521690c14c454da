"""Placing and relaxing of crystals whose sites are known: CPU seconds, converged, space group kept, P1, near the hull.

    python benchmarks/structures.py CRYSTALS.parquet -n 60 --hull hull_entries.parquet
    python benchmarks/structures.py ABOVE.parquet -n 40 --off 20 --hull ABOVE.parquet builtin \
        --known STRUCTURES.parquet --potentials chgnet 7net-0 7net-l3i5 --work work/potentials
    git worktree add ../before COMMIT
    python benchmarks/structures.py CRYSTALS.parquet -n 20 --checkouts ../before .

Real crystals near the hull, with at most 20 atoms in the primitive cell, whose coordinates are forgotten and whose
lattices are distorted at random within their lattice system: 5 % in volume, 10 % in axes. CRYSTALS.parquet has elements
(JSON counts), spacegroup, a, b, c, alpha, beta, gamma, wyckoff, n_atoms_primitive and e_above_hull (eV/atom). With
several checkouts or potentials each works on all crystals in a process of its own, with the current Python; ratios are
relative to the first. A checkout may know nothing of sites and then looks for them.

``--off`` adds crystals off the hull, whose numbers stand in lines of their own (rows that have no energy above hull get
one from scripts/data/above_hull.py, whose table is a hull, too). With ``--known`` (material_id, numbers,
cell, fractional) the benchmark says how many crystals StructureMatcher finds again, how many end as low as the known
structure by the same potential (at most 0.005 eV/atom above it, not relaxed), and how far the formation energy of the
known structure is from that of density functional theory (column formation_energy_per_atom). With hulls, it says how
far the energies above each of them are from those of density functional theory. Each crystal is written to ``--work``
as soon as it is done; a second call with the same folder does what is missing.
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
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import machine
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM
from crystalgfn.stability.load import load_hull
from crystalgfn.structures.candidates.sources import read_requests
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.workers import Tools

LATTICE = ["a", "b", "c", "alpha", "beta", "gamma"]
COLUMNS = ["elements", "spacegroup", *LATTICE, "wyckoff", "e_above_hull"]
FURTHER = ["material_id", "formation_energy_per_atom"]
VOLUME, AXES = 0.05, 0.10
"""Standard deviations of the distortions of log volume and log axes."""

NEAR = 0.08
"""Energy above hull (eV/atom) up to which a crystal counts as near the hull."""

DRAWN, OFF = 0.1, 0.5
"""Energies above hull (eV/atom), by density functional theory: crystals near the hull are drawn from those up to the
first, crystals off the hull from those between the two."""

PARTS = {"near the hull": False, "off the hull": True}
"""The two parts that are measured apart, and whether their crystals are off the hull."""

AS_LOW = 0.005
"""Energy (eV/atom) up to which a structure above the known one counts as being as low."""


def distorted(crystals: pd.DataFrame, n: int, seed: int, off: int = 0) -> pd.DataFrame:
    """Return ``n`` crystals near the hull, then ``off`` off the hull, drawn at random, with distorted lattices."""
    small = crystals[crystals["n_atoms_primitive"] <= 20]
    above = small["e_above_hull"]
    columns = [*(name for name in FURTHER if name in small), *COLUMNS]
    parts = [small[above <= DRAWN].sample(n, random_state=seed)]
    if off:
        parts.append(small[(above > DRAWN) & (above <= OFF)].sample(off, random_state=seed))
    chosen = pd.concat(parts)[columns].reset_index(drop=True)
    rng = np.random.default_rng(seed)
    for row, group in enumerate(chosen["spacegroup"]):
        system = int(CRYSTAL_LATTICE_SYSTEM[group])
        axes = rng.normal(scale=AXES, size=3)
        axes[1] = axes[0] if 4 <= system <= 7 else axes[1]
        axes = np.zeros(3) if system == 8 else axes - axes.mean()
        factors = np.exp(axes + rng.normal(scale=VOLUME) / 3)
        chosen.loc[row, ["a", "b", "c"]] *= factors
    return chosen


def worked(table: Path, potential: str, hulls: Sequence[str], known: Path | None, output: Path) -> None:
    """Place and relax the crystals of a table that have no line yet, and write a JSON line for each."""
    from crystalgfn.structures.candidates.requests import SearchSettings

    torch.set_num_threads(1)
    bench = Tools(potential, hull="", library="").load(SearchSettings())
    loaded = {Path(name).name: load_hull(name, potential=potential) for name in hulls}
    crystals = pd.read_parquet(table)
    real = [None] * len(crystals) if known is None else structures_of(crystals["material_id"], known)
    matcher = StructureMatcher(0.2, 0.3, 5)
    done = len(lines_of(output))
    for number, request in enumerate(read_requests(table)):
        if number < done:
            continue
        start = time.process_time()
        candidate = bench(request)
        spent = time.process_time() - start
        row, structure, by_dft = candidate.row, real[number], crystals.iloc[number]
        found_formation = row.energy(CandidateTable((row,)).formation)
        group = row.space_group if row.space_group is not None else 0
        found: dict[str, Any] = {
            "off": bool(by_dft["e_above_hull"] > DRAWN),
            "cpu_s": spent,
            "converged": bool(row.converged),
            "kept": bool(group == request.space_group),
            "P1": bool(group == 1 != request.space_group),
            "steps": (row.steps_symmetric or 0) + (row.steps_free or 0),
        }
        for name, hull in loaded.items():
            above = hull.energy_above_hull(row.counts, found_formation).value
            found |= {f"near {name}": bool(above <= NEAR), f"error {name}": above - by_dft["e_above_hull"]}
        if structure is not None:
            energy = float(bench.potential.energies([structure])[0])
            formation = bench.potential.formation_energy(structure, energy).value
            found["found"] = candidate.ok and bool(matcher.fit(structure, candidate.structure))
            found["as low"] = bool(found_formation <= formation + AS_LOW)
            if "formation_energy_per_atom" in crystals:
                found["known"] = formation - by_dft["formation_energy_per_atom"]
        with output.open("a") as stream:
            stream.write(json.dumps(found) + "\n")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return what was found so far; a last line that a kill cut short is dropped, from the file too."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        path.write_text("".join(whole))
    return [json.loads(line) for line in whole]


def structures_of(names: pd.Series, path: Path) -> list[Structure]:
    """Return the known structures of some names, in their order."""
    table = pd.read_parquet(path).set_index("material_id").loc[list(names)]
    columns = zip(table["cell"], table["numbers"], table["fractional"], strict=True)
    return [Structure(np.reshape(cell, (3, 3)), numbers, np.reshape(at, (-1, 3))) for cell, numbers, at in columns]


def summary(lines: Sequence[dict[str, Any]], hulls: Sequence[str]) -> str:
    """Return what was found of some crystals, in words."""
    shares = [f"{name} {mean(line[name] for line in lines):.1%}" for name in ("converged", "kept", "P1")]
    for name in (Path(hull).name for hull in hulls):
        near = mean(line[f"near {name}"] for line in lines)
        shares.append(f"within {NEAR} eV/atom of the hull {name} {near:.1%}")
        shares.append(f"energy above it off by {off_by(lines, f'error {name}')}")
    if "found" in lines[0]:
        shares.append(f"found again {mean(line['found'] for line in lines):.1%}")
        shares.append(f"as low as the known structure {mean(line['as low'] for line in lines):.1%}")
    if "known" in lines[0]:
        shares.append(f"formation energy of the known structure off by {off_by(lines, 'known')}")
    return f"{', '.join(shares)}; {mean(line['steps'] for line in lines):.1f} steps"


def off_by(lines: Sequence[dict[str, Any]], name: str) -> str:
    """Return the mean and median absolute difference and the mean difference, eV/atom, where there is one."""
    errors = [line[name] for line in lines if not math.isnan(line[name])]
    if not errors:
        return "nothing that is known"
    sizes = [abs(error) for error in errors]
    return f"{mean(sizes):.3f} eV/atom, median {median(sizes):.3f}, on average {mean(errors):+.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("-n", type=int, default=20, help="crystals near the hull, drawn at random")
    parser.add_argument("--off", type=int, default=0, help="crystals off the hull, drawn at random")
    parser.add_argument("--hull", nargs="*", default=[], help="builtin, or tables of phases; none by default")
    parser.add_argument("--potentials", nargs="+", default=["chgnet"])
    parser.add_argument("--known", type=Path, help="the known structures of the crystals")
    parser.add_argument("--checkouts", type=Path, nargs="+", default=[Path(__file__).resolve().parents[1]])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder of what was found so far")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        worked(options.table, *options.potentials, options.hull, options.known, options.worker)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return compared(options, options.work or Path(folder))


def compared(options: argparse.Namespace, folder: Path) -> int:
    """Let each checkout and potential work on the same crystals, in a folder, and print what they found."""
    drawn = distorted(pd.read_parquet(options.table), options.n, options.seed, options.off)
    known = None if options.known is None else str(options.known)
    places = [str(checkout.resolve()) for checkout in options.checkouts]
    asked = json.dumps({"checkouts": places, "hull": options.hull, "known": known, "crystals": drawn.to_dict("list")})
    folder.mkdir(parents=True, exist_ok=True)
    record, table = folder / "asked.json", folder / "crystals.parquet"
    if record.exists() and record.read_text() != asked:
        print(f"{folder}: holds other crystals, hulls or checkouts, allowed: a new folder", file=sys.stderr)
        return 2
    record.write_text(asked)
    drawn.to_parquet(table)
    print("structures: " + ", ".join(f"{key} {value}" for key, value in machine(1).items()))
    hulls = ", ".join(options.hull) or "none"
    print(f"configuration: {options.n} crystals near the hull, {options.off} off it, seed {options.seed}, hull {hulls}")
    first: dict[bool, float] = {}
    all_lines = []
    for checkout, potential in product(options.checkouts, options.potentials):
        found = folder / f"{options.checkouts.index(checkout)}-{potential.replace(':', '-')}.jsonl"
        source = {**os.environ, "PYTHONPATH": str(checkout.resolve() / "src"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(Path(__file__).resolve()), str(table), "--potentials", potential]
        command += [*(["--hull", *options.hull] if options.hull else []), *(["--known", known] if known else [])]
        subprocess.run([*command, "--worker", str(found)], env=source, check=True)
        lines = lines_of(found)
        all_lines.append((f"{checkout.resolve().name}, {potential}", lines))
        for where, off in PARTS.items():
            part = [line for line in lines if line["off"] is off]
            if part:
                spent = [line["cpu_s"] for line in part]
                ratio = mean(spent) / first.setdefault(off, mean(spent))
                print(
                    f"  {checkout.resolve().name}, {potential}, {len(part)} {where}: {mean(spent):.2f} CPU seconds a "
                    f"crystal (median {median(spent):.2f}), {ratio:.2f} of the first; "
                    f"{summary(part, options.hull)}"
                )
    if known and options.hull and len(all_lines) > 1:
        found_by_all(all_lines, f"error {Path(options.hull[0]).name}")
    return 0


def found_by_all(each: Sequence[tuple[str, Sequence[dict[str, Any]]]], error: str) -> None:
    """Print the errors (eV/atom) of the crystals that all potentials and checkouts found again."""
    for where, off in PARTS.items():
        rows = [row for row in zip(*(lines for _, lines in each), strict=True) if row[0]["off"] is off]
        rows = [row for row in rows if all(line["found"] for line in row)]
        parts = [f"{name} {off_by([row[i] for row in rows], error)}" for i, (name, _) in enumerate(each)]
        print(f"  the {len(rows)} {where} that all found: {'; '.join(parts)}")


if __name__ == "__main__":
    sys.exit(main())
