"""Known crystals found again from space group, counts and lattice alone.

    python benchmarks/recover.py crystals.parquet structures.parquet -n 60 --library prototypes.parquet --volume given

Stable crystals (energy above hull 0) of at most 20 atoms in the primitive cell, drawn from all crystal-lattice systems
in turn; prototypes of their own formula are excluded. A crystal counts as recovered if the best candidate matches the
known structure (StructureMatcher(0.2, 0.3, 5)) or lies lower in energy than the known one relaxed with the same
potential. ``--volume 0.8`` replaces the lattice by one of the same shape with 0.8 times the volume estimated from the
composition. One JSON line for each finished crystal is appended to ``--json``; crystals that are already in the file
are skipped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from crystalgfn.crystallography.elements import ATOMIC_VOLUME, atomic_number
from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM
from crystalgfn.structures.candidates.candidate import Bench
from crystalgfn.structures.candidates.duplicates import Tolerances
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity
from crystalgfn.structures.candidates.search import PlacedRequest
from crystalgfn.structures.placing.placements import place
from crystalgfn.structures.placing.prototype_files import load_library
from crystalgfn.structures.relaxing.potentials.registry import load_potential
from crystalgfn.structures.relaxing.relax import LOWER_BY
from crystalgfn.structures.relaxing.relaxation import Schedule

LATTICE = ("a", "b", "c", "alpha", "beta", "gamma")


def choose(crystals: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Return ``n`` stable crystals, drawn at random from each crystal-lattice system in turn."""
    stable = crystals[(crystals["e_above_hull"] <= 0) & (crystals["n_atoms_primitive"] <= 20)]
    stable = stable[stable["elements"].map(lambda text: len(json.loads(text)) > 1)]
    stable = stable.sample(frac=1, random_state=seed).drop_duplicates("formula")
    system = stable["spacegroup"].map(lambda number: CRYSTAL_LATTICE_SYSTEM[number])
    turn = stable.groupby(system).cumcount()
    return stable.assign(turn=turn).sort_values("turn", kind="stable").head(n)


def scaled_to_estimate(lattice: list[float], counts: dict[int, int], factor: float) -> list[float]:
    """Return the lattice (6,) with ``factor`` times the volume estimated from the composition."""
    from pymatgen.core import Lattice

    estimate = sum(n * float(ATOMIC_VOLUME[z]) for z, n in counts.items())
    scale = (factor * estimate / Lattice.from_parameters(*lattice).volume) ** (1 / 3)
    return [x * scale for x in lattice[:3]] + lattice[3:]


def work(rows: pd.DataFrame, options: argparse.Namespace) -> Iterator[dict]:
    """Yield the result for each crystal."""
    from pymatgen.core import Structure

    potential = load_potential("chgnet")
    library = None
    if options.library != "none":
        library = load_library(options.library)
    matcher = Tolerances(0.2, 0.3, 5).matcher()
    settings = SearchSettings(
        placements=options.placements, tried=options.tried, relaxed=options.relaxed, seed=options.seed
    )
    for row in rows.itertuples():
        counts = {atomic_number(symbol): int(n) for symbol, n in json.loads(row.elements).items()}
        lattice = [float(getattr(row, name)) for name in LATTICE]
        known = Structure(np.reshape(row.cell, (3, 3)), list(row.numbers), np.reshape(row.fractional, (-1, 3)))
        truth = potential.relax([known], seed=0, schedule=Schedule(free_steps=0))[0]
        if options.volume != "given":
            lattice = scaled_to_estimate(lattice, counts, float(options.volume))
        start = time.process_time()
        placements = place(
            row.spacegroup,
            counts,
            lattice,
            placements=options.placements,
            seed=options.seed,
            library=library,
            exclude_formula=row.formula,
        )
        placed = time.process_time() - start
        request = Request(0, row.formula, row.spacegroup, counts, tuple(lattice))
        placed_request = PlacedRequest(request, tuple(placements), "" if placements else "no placement")
        candidate = Bench(settings, potential)(placed_request)
        seconds = time.process_time() - start
        energy = candidate.row.energy(PotentialColumn(Quantity.TOTAL, potential.name))
        matched = candidate.structure is not None and bool(matcher.fit(known, candidate.structure))
        yield {
            "material_id": row.material_id,
            "formula": row.formula,
            "space_group": row.spacegroup,
            "atoms": row.n_atoms_primitive,
            "source": candidate.row.source or "",
            "placements": len(placements),
            "matched": matched,
            "beaten": bool(energy < truth.energy - LOWER_BY),
            "gap": energy - truth.energy,
            "reason": candidate.row.reason,
            "placing_cpu_s": placed,
            "cpu_s": seconds,
        }


def main() -> None:
    """Parse the command line, work, print the summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("crystals", type=Path)
    parser.add_argument("structures", type=Path)
    parser.add_argument("-n", type=int, default=60)
    parser.add_argument("--library", default="builtin", help="builtin, none, or a file of prototypes")
    parser.add_argument("--volume", default="given", help="given, or times the estimate")
    parser.add_argument("--placements", "--starts", type=int, default=30)
    parser.add_argument("--tried", type=int, default=8)
    parser.add_argument("--relaxed", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = pd.read_parquet(options.crystals).merge(pd.read_parquet(options.structures), on="material_id")
    chosen = choose(table, options.n, options.seed)
    done = [json.loads(line) for line in options.json.read_text().splitlines()] if options.json.exists() else []
    left = chosen[~chosen["material_id"].isin([line["material_id"] for line in done])]
    with options.json.open("a") as stream:
        for line in work(left, options):
            done.append(line)
            stream.write(json.dumps(line) + "\n")
            stream.flush()
    frame = pd.DataFrame(done)
    recovered = frame["matched"] | frame["beaten"]
    print(
        f"{len(frame)} crystals, library {options.library}, volume {options.volume}: found {recovered.mean():.0%} "
        f"(matched {frame['matched'].mean():.0%}), median gap {frame['gap'].median():.4f} eV/atom, CPU seconds "
        f"{frame['cpu_s'].mean():.1f} mean, {frame['cpu_s'].median():.1f} median"
    )


if __name__ == "__main__":
    main()
