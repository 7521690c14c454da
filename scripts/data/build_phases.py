"""Make the phases of a hull that ships: crystals of our own sampler, relaxed with our own pipeline and a potential.

    python scripts/data/build_phases.py --work FOLDER --candidates RUN --phases TABLE --samples SAMPLES.parquet \
        --budget 2700 -o src/crystalgfn/stability/data/phases-chgnet.parquet
    python scripts/data/build_phases.py --work FOLDER --potential 7net-0 --relaxed 2 \
        --like src/crystalgfn/stability/data/phases-chgnet.parquet \
        -o src/crystalgfn/stability/data/phases-7net-0.parquet

Phases come from four sources:

- ``--candidates``: folders that ``crystalgfn structures`` wrote with this potential, of which converged crystals
  without flags count;
- ``--phases``: tables of phases by the same potential, such as the one that ships;
- elements: every elemental prototype of the shipped library, and what the preset ``prior`` gives for the element
  alone, ranked by energy at several volumes; the best are relaxed. With ``--like``, the prototypes that are lowest in a
  table of phases by a cheaper potential are relaxed instead. Formation energies are relative to fitted references, so
  the ground state of an element by the potential lies off 0 by up to 0.16 eV/atom: there the hull has to end;
- binary and ternary systems, those of the most crystals of SAMPLES.parquet (samples of ``default``) first: the formulas
  that the prior gives most often, each in the structure that it gives most often.

Each result is appended to FOLDER/results.jsonl as soon as it is known, with its total energy, so that references which
are fitted anew need no new relaxation; a second call with the same folder does what is missing. When ``--budget``, CPU
seconds of the process, is spent, the table is written from what there is.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, compress
from math import gcd, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from crystalgfn.crystallography.elements import ATOMIC_VOLUME, SYMBOLS, atomic_number
from crystalgfn.crystallography.sites.protostructures import protostructure_label
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets.standardise import conventional_cell
from crystalgfn.errors import CrystalGFNError
from crystalgfn.runs.model import LABEL, Model, load
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.phases import PHASES, ground_states, write_phases
from crystalgfn.stability.plausibility import BOUND_ELEMENT
from crystalgfn.structures.candidates.candidate import Bench, Candidate
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.requests import Request, SearchSettings, requests
from crystalgfn.structures.candidates.schema import Quantity
from crystalgfn.structures.candidates.search import PlacedRequest, place_request
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.placing.exchange import scaled_to
from crystalgfn.structures.placing.prototypes import PrototypeLibrary
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.volumes import scaled

KEPT = 0.1
"""Phases up to this far above the finished hull (eV/atom) are written: other phases change no value."""

SETTINGS = SearchSettings(placements=12, tried=2, relaxed=1, time_limit_s=200.0)
"""How each crystal is placed and relaxed."""

VOLUMES = (0.8, 1.0, 1.3, 1.7, 2.2)
"""Volumes, over the estimate, at which structures of an element are ranked; alkali metals and molecules are large."""

OFTEN, BEST_PLACEMENTS = 4, 2
"""Structures of an element that are taken from the prior; placements of each structure that are ranked."""

MAX_ATOMS, MAX_OWN_ATOMS = 12, 34
"""Most atoms in the primitive cell; most in a prototype of the element itself."""

ALONE = " alone "
"""What the names of crystals of one element hold, which tells them from others."""

DRAWN, MOST_DRAWN = {2: 20_000, 3: 10_000}, 5
"""Crystals drawn from the prior by number of elements; most formulas of a system."""


def main() -> None:
    """Parse the command line, relax until the budget is spent, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of the results so far")
    parser.add_argument("--potential", default="chgnet", help="relaxes, and gives the energies")
    parser.add_argument("--like", type=Path, help="table of phases whose lowest structures of each element are tried")
    parser.add_argument("--relaxed", type=int, default=4, help="structures of an element that are relaxed")
    parser.add_argument("--candidates", type=Path, nargs="*", default=[], help="folders of relaxed crystals")
    parser.add_argument("--phases", type=Path, help="table of phases by the same potential")
    parser.add_argument("--samples", type=Path, help="samples of default")
    parser.add_argument("--budget", type=float, default=2700.0, help="CPU seconds")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.work.mkdir(parents=True, exist_ok=True)
    results = Results(options.work / "results.jsonl")
    for folder in options.candidates:
        collect(folder, results)
    if options.budget > 0:
        from crystalgfn.structures.candidates.workers import Tools

        bench, prior = Tools(options.potential, hull="").load(SETTINGS), load("prior")
        like = [] if options.like is None else pq.read_table(options.like).to_pylist()
        for name, task in tasks(bench, prior, options.samples, results, like=like, relaxed=options.relaxed):
            if time.process_time() > options.budget:
                break
            results.add(name, bench(task))
    given = [] if options.phases is None else pq.read_table(options.phases).to_pylist()
    write(options.output, [*given, *results.phases(References.builtin(options.potential))], options.potential)


class Results:
    """The results so far, one line of JSON each; a last line that a kill cut short is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line.endswith("\n")]
        path.write_text("".join(line for line in lines if line.endswith("\n")))
        self.done = {row["name"] for row in self.rows}

    def add(self, name: str, candidate: Candidate) -> None:
        """Append what became of a crystal."""
        row = {"name": name, "seconds": round(candidate.row.seconds_cpu or 0.0, 2), **phase_of(candidate)}
        with self.path.open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        self.rows.append(row)
        self.done.add(name)

    def phases(self, references: References) -> list[dict[str, Any]]:
        """Those of the results that became phases, with formation energies relative to references."""
        found = []
        for row in self.rows:
            if "energy_per_atom" in row:
                counts = {atomic_number(symbol): n for symbol, n in json.loads(row["elements"]).items()}
                elements = sum(n * references.energies[z] for z, n in counts.items()) / sum(counts.values())
                energy = round(row["energy_per_atom"] - elements, 5)
                source = "element" if ALONE in row["name"] else "sample"
                found.append({**row, "formation_energy_per_atom": energy, "source": source})
        return found


def phase_of(candidate: Candidate) -> dict[str, Any]:
    """Return the cells of a relaxed crystal as a phase, or why it is none."""
    row, structure = candidate.row, candidate.structure
    energy = row.energy(CandidateTable((row,)).energy(Quantity.TOTAL))
    alone = len(row.counts or {}) == 1  # the range of volumes over the estimate is that of compounds
    if structure is None or not isfinite(energy) or not row.converged or (row.flags and not alone):
        return {"reason": row.reason or row.flags or "not converged"}
    try:
        cell = conventional_cell(structure)
        label = protostructure_label(cell.space_group, [(symbol, letter) for symbol, letter, _ in cell.wyckoff])
    except CrystalGFNError as error:
        return {"reason": str(error)}
    divisor = gcd(*cell.counts.values())
    counts = {SYMBOLS[z]: n // divisor for z, n in sorted(cell.counts.items())}
    return {
        "elements": json.dumps(counts),
        "energy_per_atom": round(energy, 5),
        "spacegroup": cell.space_group,
        "protostructure": label,
    }


def collect(folder: Path, results: Results) -> None:
    """Add the crystals of a folder that ``crystalgfn structures`` wrote."""
    parts = RunFolder(folder, json.loads((folder / "manifest.json").read_text()), resume=True)
    for number in sorted(parts.done()):
        name = f"{folder.name} {number}"
        if name not in results.done:
            results.add(name, parts.read(number))


def tasks(
    bench: Bench,
    prior: Model,
    samples: Path | None,
    results: Results,
    *,
    like: Sequence[dict[str, Any]],
    relaxed: int,
) -> Iterator[tuple[str, Request | PlacedRequest]]:
    """Yield what is to be relaxed, each with a name: elements, then systems; without what was done before.

    Args:
        bench: potential and prototypes.
        prior: the preset.
        samples: samples of ``default``, or None for elements alone.
        results: the results so far.
        like: phases whose lowest structures of each element are taken; empty to rank them anew.
        relaxed: structures of an element.
    """
    for z in prior.space.elements:
        if not any(name.startswith(SYMBOLS[z] + ALONE) for name in results.done):
            found = lowest_in(like, z, bench.library) if like else structures_of(z, bench, prior)
            for number, placed in enumerate(found[:relaxed]):
                yield f"{SYMBOLS[z]}{ALONE}{number}", placed
    if samples is None:
        return
    weights = occurrence(samples)
    queue = []
    for size, n in DRAWN.items():
        drawn = prior.restricted(n_elements=(size, size), n_atoms_primitive=(1, MAX_ATOMS)).sample(n, seed=0)
        for system, rows in by_system(drawn).items():
            queue += [(weights[system] / (rank + 1), drawn.columns[LABEL][row], drawn[[row]]) for rank, row in rows]
    for _, label, crystal in sorted(queue, key=lambda item: (-item[0], item[1])):
        if label not in results.done:
            yield label, next(requests(crystal))


def structures_of(z: int, bench: Bench, prior: Model) -> list[PlacedRequest]:
    """Return the structures of an element that are lowest in energy before relaxing, in one placement each."""
    drawn = prior.restricted(chemsys=SYMBOLS[z], n_atoms_primitive=(1, MAX_ATOMS // 2)).sample(100, seed=0)
    often = Counter(drawn.columns[LABEL].tolist()).most_common(OFTEN)
    own = [next(requests(drawn[[list(drawn.columns[LABEL]).index(label)]])) for label, _ in often]
    placed = [place_request(request, SETTINGS, bench.library) for request in [*elemental(z, bench.library), *own]]
    trials = [(one, placement) for one in placed for placement in one.placements[:BEST_PLACEMENTS]]
    potential = bench.potential
    structures = [scaled(placement.structure, factor) for _, placement in trials for factor in VOLUMES]
    energies = np.nan_to_num(potential.energies(structures), nan=np.inf).reshape(len(trials), -1).min(1)
    found: dict[float, PlacedRequest] = {}
    for i in np.argsort(energies, kind="stable"):
        found.setdefault(round(float(energies[i]), 3), replace(trials[i][0], placements=(trials[i][1],)))
    return list(found.values())


def lowest_in(phases: Sequence[dict[str, Any]], z: int, library: PrototypeLibrary) -> list[Request]:
    """Return the elemental prototypes that a table of phases has for an element, lowest first."""
    found: dict[str, Request] = {}
    for request in elemental(z, library):
        label = protostructure_label(request.space_group, [(SYMBOLS[z], letter) for _, letter in request.sites.sites])
        found.setdefault(label, request)
    alone = [row for row in phases if row["elements"] == json.dumps({SYMBOLS[z]: 1})]
    lowest = sorted(alone, key=lambda row: row["formation_energy_per_atom"])
    return [found[label] for label in dict.fromkeys(row["protostructure"] for row in lowest) if label in found]


def elemental(z: int, library: PrototypeLibrary) -> Iterator[Request]:
    """Yield the elemental prototypes as crystals of one element, at its estimated volume."""
    for prototype in library.prototypes:
        if len(prototype.assignment.counts) > 1:
            continue
        (old, atoms), number = next(iter(prototype.assignment.counts.items())), prototype.space_group
        own = old == z
        if atoms // CENTERING_MULTIPLICITY[number] > (MAX_OWN_ATOMS if own else MAX_ATOMS):
            continue
        side = float(atoms * ATOMIC_VOLUME[z]) ** (1 / 3)
        lattice = scaled_to(np.array(prototype.lattice), np.array([side, side, side, 90.0, 90.0, 90.0]))
        sites, _ = prototype.exchanged({old: z})
        yield Request(0, SYMBOLS[z], number, {z: atoms}, tuple(lattice.tolist()), sites)


def occurrence(path: Path) -> Counter[frozenset[str]]:
    """Count the crystals of a table that hold each pair and each triple of elements."""
    found: Counter[frozenset[str]] = Counter()
    for text in pq.read_table(path, columns=["elements"])["elements"].to_pylist():
        symbols = sorted(json.loads(text))
        found.update(frozenset(part) for size in DRAWN for part in combinations(symbols, size))
    return found


def by_system(crystals: Crystals) -> dict[frozenset[str], list[tuple[int, int]]]:
    """Return (rank, row) of the most frequent formulas of each system, in their most frequent structure."""
    formulas, labels = crystals.formulas, crystals.columns[LABEL].tolist()
    structures: dict[str, Counter[str]] = defaultdict(Counter)
    for formula, label in zip(formulas, labels, strict=True):
        structures[formula][label] += 1
    first = {label: row for row, label in reversed(list(enumerate(labels)))}
    found: dict[frozenset[str], list[tuple[int, int]]] = defaultdict(list)
    for formula in sorted(structures, key=lambda formula: (-structures[formula].total(), formula)):
        (label, _), *_ = structures[formula].most_common(1)
        rows = found[frozenset(label.partition(":")[2].split("-"))]
        if len(rows) < MOST_DRAWN:
            rows.append((len(rows), first[label]))
    return found


def write(path: Path, phases: Sequence[dict[str, Any]], potential: str) -> None:
    """Write the phases on a potential's hull and a little above it, of each structure the lowest, and all elements."""
    energies = [(json.loads(row["elements"]), row["formation_energy_per_atom"]) for row in phases]
    believed = [len(counts) > 1 or energy >= -BOUND_ELEMENT for counts, energy in energies]  # others are artefacts
    phases, energies = list(compress(phases, believed)), list(compress(energies, believed))
    grounds = ground_states(energies)
    hull = Hull(energies, elements=grounds)
    lowest: dict[str, dict[str, Any]] = {}
    for row, (counts, energy) in zip(phases, energies, strict=True):
        key = row["protostructure"] or f"{row['elements']} {row['source']}"
        near = hull.energy_above_hull(counts, energy).value <= KEPT
        if near and energy < lowest.get(key, {}).get("formation_energy_per_atom", np.inf):
            lowest[key] = {name: row[name] for name in PHASES.names}

    def order(row: dict[str, Any]) -> tuple[Any, ...]:
        symbols = json.loads(row["elements"])
        return len(symbols), sorted(map(atomic_number, symbols)), row["elements"], row["formation_energy_per_atom"]

    rows = sorted(lowest.values(), key=order)
    write_phases(path, rows, potential)
    print(f"{len(rows)} of {len(phases)} phases written, {len(grounds)} elements")


if __name__ == "__main__":
    main()
