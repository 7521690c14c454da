"""Relax prototypes with CHGNet over the elements of the preset twelve-elements: phases of the hull that ships.

    python scripts/data/relax_prototypes.py --work FOLDER -o prototypes.parquet --budget 1000

The table that it writes goes to ``scripts/data/build_phases.py --phases``.

Prototypes are the binary and ternary ones of pymatgen's AFLOW library (Mehl et al., Comput. Mater. Sci. 136, S1 (2017))
and those in EXTRA, which it lacks. Every formula that is neutral with common charges, and then binaries with Fe, C, Si,
P, N or S, is tried in all prototypes of its stoichiometry: energies at up to five volumes choose the best prototypes,
which are relaxed with their symmetry kept. Formation energies are relative to the potential's elemental references, so
that elements are at 0 by definition. Results are appended to FOLDER/phases.jsonl one by one, and a second call
continues with the formulas that are not in that file; after a change of prototypes, delete the affected lines. The
structures in that file make further prototypes: ``scripts/data/build_prototypes.py --phases FOLDER/phases.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from itertools import combinations, permutations, product
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Composition, Lattice, Structure

from crystalgfn.crystallography.elements import ATOMIC_VOLUME
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.phases import PHASES, write_phases
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.potentials.registry import load_potential
from crystalgfn.structures.relaxing.relaxation import Schedule
from crystalgfn.structures.relaxing.volumes import scaled
from crystalgfn.structures.sanity import MIN_DISTANCE_RATIO, check_distances, check_formation_energy, distance_ratio

ELEMENTS = ("H", "Li", "C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Fe")
CHARGES = {
    "H": (1, -1), "Li": (1,), "C": (4, -4), "N": (-3, 5), "O": (-2,), "F": (-1,), "Na": (1,), "Mg": (2,), "Al": (3,),
    "Si": (4, -4), "P": (5, -3), "S": (-2, 6), "Cl": (-1,), "Fe": (2, 3),
}  # fmt: skip
NOT_ONLY_IONIC = {"Fe", "C", "Si", "P", "N", "S"}
FIRST_VOLUMES = (0.75, 1.0)
"""Volumes, as multiples of the estimate, for all prototypes: dense prototypes such as rock salt need the smaller."""

VOLUMES = (0.85, 1.2, 1.5)
"""Further volumes, as multiples of the first, for the best prototypes."""

BEST = 5
"""Number of prototypes that are tried at further volumes."""

RELAXED = 3
ALWAYS = ("aflow AB_cF8_225_a_b",)
"""Prototypes that are relaxed: a number of the best, and rock salt, which coarse volumes rank too low."""

MAX_ATOMS = {2: 8, 3: 14}
LARGER = ("Pyrite", "Corundum", "Cristobalite", "quartz", "Cotunnite", "Baddeleyite", "Cementite")
"""Minerals whose prototypes are taken although their cells are larger."""

MARGIN = 0.3
"""A formula whose best screened energy is this far above the current hull (eV/atom) is not relaxed."""

SCHEDULE = Schedule(steps=60, free_steps=0, time_limit_s=20)
"""How each prototype is relaxed."""

KEPT = 0.1
"""Phases up to this far above the finished hull (eV/atom) are written: other phases change no value."""

EXTRA = (
    ("olivine", 62, (10.2, 5.98, 4.76, 90, 90, 90), (("Mg", 0, 0, 0), ("Mg", 0.277, 0.25, 0.99),
     ("Si", 0.094, 0.25, 0.427), ("O", 0.092, 0.25, 0.766), ("O", 0.447, 0.25, 0.221), ("O", 0.163, 0.033, 0.277))),
    ("heterosite", 62, (9.82, 5.79, 4.79, 90, 90, 90), (("Fe", 0.275, 0.25, 0.95), ("P", 0.094, 0.25, 0.396),
     ("O", 0.122, 0.25, 0.709), ("O", 0.439, 0.25, 0.159), ("O", 0.167, 0.045, 0.25))),
    ("brucite", 164, (3.15, 3.15, 4.77, 90, 90, 120), (("Mg", 0, 0, 0), ("O", 1 / 3, 2 / 3, 0.22),
     ("H", 1 / 3, 2 / 3, 0.43))),
    ("lithium hydroxide", 129, (3.55, 3.55, 4.33, 90, 90, 90), (("Li", 0.75, 0.25, 0), ("O", 0.25, 0.25, 0.194),
     ("H", 0.25, 0.25, 0.41))),
    ("dry ice", 205, (5.62, 5.62, 5.62, 90, 90, 90), (("C", 0, 0, 0), ("O", 0.119, 0.119, 0.119))),
    ("lithium carbonate", 15, (8.36, 4.97, 6.19, 90, 114.8, 90), (("Li", 0.196, 0.449, 0.834), ("C", 0, 0.066, 0.25),
     ("O", 0, 0.321, 0.25), ("O", 0.146, 0.934, 0.314))),
    ("lithium metasilicate", 36, (9.39, 5.40, 4.66, 90, 90, 90), (("Li", 0.174, 0.346, 0), ("Si", 0, 0.17, 0.491),
     ("O", 0.1446, 0.3077, 0.4108), ("O", 0, 0.1136, 0.8461))),
    ("lithium phosphate", 31, (6.12, 5.24, 4.86, 90, 90, 90), (("Li", 0.248, 0.328, 0.986), ("Li", 0.5, 0.843, 0.989),
     ("P", 0, 0.824, 0), ("O", 0.209, 0.686, 0.897), ("O", 0, 0.105, 0.899), ("O", 0.5, 0.187, 0.818))),
    ("hydrogen fluoride", 36, (3.3, 5.9, 4.3, 90, 90, 90), (("F", 0, 0.116, 0), ("H", 0, 0.02, 0.18))),
    ("beta silicon nitride", 176, (7.6, 7.6, 2.91, 90, 90, 120), (("Si", 0.174, 0.769, 0.25), ("N", 0.33, 0.031, 0.25),
     ("N", 1 / 3, 2 / 3, 0.25))),
    ("sulfur hexafluoride", 229, (5.9, 5.9, 5.9, 90, 90, 90), (("S", 0, 0, 0), ("F", 0.265, 0, 0))),
    ("trigonal bipyramids", 194, (5.6, 5.6, 7.6, 90, 90, 120), (("P", 1 / 3, 2 / 3, 0.25), ("F", 1 / 3, 2 / 3, 0.042),
     ("F", 0.49, 0.98, 0.25))),
    ("lithium hexafluorophosphate", 148, (4.93, 4.93, 12.66, 90, 90, 120), (("P", 0, 0, 0), ("Li", 0, 0, 0.5),
     ("F", 0.299, 0.08, 0.074))),
    ("chromium vanadate", 63, (5.57, 8.21, 5.98, 90, 90, 90), (("Mg", 0, 0, 0), ("S", 0, 0.355, 0.25),
     ("O", 0, 0.25, 0.045), ("O", 0.24, 0.46, 0.25))),
    ("ammonium chloride", 215, (3.87, 3.87, 3.87, 90, 90, 90), (("N", 0, 0, 0), ("H", 0.155, 0.155, 0.155),
     ("Cl", 0.5, 0.5, 0.5))),
    ("lithium nitride halide", 164, (3.65, 3.65, 3.87, 90, 90, 120), (("Li", 0, 0, 0), ("N", 0, 0, 0.5))),
)  # fmt: skip

Prototype = tuple[str, Structure]


def main() -> None:
    """Parse the command line, try formulas until the budget is spent, write the hull."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of the results so far")
    parser.add_argument(
        "--budget", type=float, default=1000.0, help="wall seconds; then the results so far are written"
    )
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.work.mkdir(parents=True, exist_ok=True)
    log = options.work / "phases.jsonl"
    results = read(log)
    done = {result["formula"] for result in results}
    library = by_stoichiometry()
    wanted = [formula for formula in formulas(library) if formula not in done]
    sys.stderr.write(f"{len(done)} formulas done, {len(wanted)} to do\n")
    potential, started, hull = load_potential("chgnet"), time.monotonic(), hull_of(results)
    for number, formula in enumerate(wanted):
        if time.monotonic() - started > options.budget:
            sys.stderr.write(f"budget spent, {len(wanted) - number} formulas left\n")
            break
        result = phase(formula, library, potential, hull)
        results.append(result)
        with log.open("a") as stream:
            stream.write(json.dumps(result) + "\n")
        if result["energy"] is not None:
            hull = hull_of(results)
        if number % 50 == 0:
            sys.stderr.write(f"{number}/{len(wanted)} {formula} {time.monotonic() - started:.0f} s\n")
    write(options.output, results)


def read(log: Path) -> list[dict[str, Any]]:
    """Return the results so far; a last line that a kill cut short is dropped."""
    out: list[dict[str, Any]] = []
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            out.append(json.loads(line))
        except ValueError:
            break
    if log.exists():
        log.write_text("".join(json.dumps(result) + "\n" for result in out))
    return out


def by_stoichiometry() -> dict[tuple[int, ...], list[Prototype]]:
    """Return the prototypes by sorted reduced counts."""
    from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

    found: dict[tuple[int, ...], list[Prototype]] = {}

    def add(name: str, structure: Structure, *, large: bool = True) -> None:
        composition = structure.composition
        if len(composition) in MAX_ATOMS and (large or len(structure) <= MAX_ATOMS[len(composition)]):
            counts = tuple(sorted(int(n) for n in composition.reduced_composition.values()))
            found.setdefault(counts, []).append((name, structure))

    for entry in AFLOW_PROTOTYPE_LIBRARY:
        tags = entry["tags"]
        large = any(mineral.lower() in str(tags["mineral"]).lower() for mineral in LARGER)
        add("aflow " + tags["aflow"], entry["snl"].structure, large=large)
    for name, group, cell, sites in EXTRA:
        symbols, positions = [site[0] for site in sites], [site[1:] for site in sites]
        structure = Structure.from_spacegroup(group, Lattice.from_parameters(*cell), symbols, positions)
        add(name, structure.get_primitive_structure(tolerance=0.01))
    return found


def formulas(library: dict[tuple[int, ...], list[Prototype]]) -> Iterator[str]:
    """Yield the formulas to try: few elements and atoms first, and neutral binaries before others."""
    ranked: list[tuple[int, int, str]] = []
    for size in (2, 3):
        stoichiometries = [counts for counts in library if len(counts) == size and sum(counts) <= 8]
        for chosen in combinations(ELEMENTS, size):
            for counts in stoichiometries:
                for order in sorted(set(permutations(counts))):
                    formula = Composition(dict(zip(chosen, order, strict=True))).reduced_formula
                    if neutral(chosen, order):
                        ranked.append((size, sum(order), formula))
                    elif size == 2 and set(chosen) & NOT_ONLY_IONIC and sum(order) <= 4:
                        ranked.append((2, 3 + sum(order), formula))
    yield from (formula for _, _, formula in sorted(ranked))


def neutral(elements: tuple[str, ...], counts: tuple[int, ...]) -> bool:
    """Whether common charges, one an element, sum to zero."""
    return any(
        sum(n * q for n, q in zip(counts, charges, strict=True)) == 0
        for charges in product(*(CHARGES[element] for element in elements))
    )


def phase(
    formula: str, library: dict[tuple[int, ...], list[Prototype]], potential: Potential, hull: Hull
) -> dict[str, Any]:
    """Return the best relaxed prototype of a formula, or why there is none."""
    composition = Composition(formula)
    counts = {str(e): int(n) for e, n in composition.get_el_amt_dict().items()}
    candidates = list(substituted(counts, library))
    row: dict[str, Any] = {"formula": formula, "counts": counts, "energy": None, "prototype": "", "reason": ""}
    first = screen(candidates, FIRST_VOLUMES, potential)
    trials = first + screen([candidate for _, candidate in first[:BEST]], VOLUMES, potential)
    if not trials:
        return row | {"reason": "no prototype fits, or none has an energy"}
    best: dict[str, tuple[float, Structure]] = {}
    for energy, (name, structure) in sorted(trials, key=lambda trial: trial[0]):
        best.setdefault(name, (energy, structure))
    energy, structure = next(iter(best.values()))
    screened = potential.formation_energy(structure, energy).value
    above = hull.energy_above_hull(counts, screened)
    # an empty hull knows no element: then every formula is relaxed
    if above.value > MARGIN or screened > MARGIN:
        return row | {"reason": f"screened at {screened:.3f} eV/atom"}
    # volumes are coarse, so the best screened prototype need not be the lowest: several are relaxed
    names = dict.fromkeys([*list(best)[:RELAXED], *(name for name in ALWAYS if name in best)])
    tries = [relaxed(row, name, best[name][1], potential) for name in names]
    return min(tries, key=lambda result: np.inf if result["energy"] is None else result["energy"])


def relaxed(row: dict[str, Any], name: str, structure: Structure, potential: Potential) -> dict[str, Any]:
    """Return the row of a formula with a prototype's relaxed energy, or why there is none."""
    result = potential.relax([structure], seed=0, schedule=SCHEDULE)[0]
    if not result.ok:
        return row | {"reason": result.failure}
    energy = potential.formation_energy(result.structure, result.energy).value
    for verdict in (check_distances(result.structure), check_formation_energy(energy)):
        if not verdict:
            return row | {"reason": verdict.reason}
    return row | {
        "energy": round(energy, 5),
        "prototype": name,
        "space_group": result.space_group,
        "volume_per_atom": round(result.structure.volume / len(result.structure), 4),
        "converged": result.converged,
        "structure": {
            "cell": np.round(result.structure.lattice.matrix, 5).ravel().tolist(),
            "numbers": [int(z) for z in result.structure.atomic_numbers],
            "fractional": np.round(result.structure.frac_coords, 5).ravel().tolist(),
        },
    }


def screen(
    candidates: list[Prototype], volumes: tuple[float, ...], potential: Potential
) -> list[tuple[float, Prototype]]:
    """Return energies (eV/atom) and structures at multiples ``volumes`` of their volumes, lowest energy first."""
    trials = [
        (name, scaled(structure, factor))
        for name, structure in candidates
        for factor in volumes
        if distance_ratio(structure) * factor ** (1 / 3) >= MIN_DISTANCE_RATIO
    ]
    energies = potential.energies([structure for _, structure in trials])
    pairs = [(float(e), trial) for e, trial in zip(energies, trials, strict=True) if np.isfinite(e)]
    return sorted(pairs, key=lambda pair: pair[0])


def substituted(counts: dict[str, int], library: dict[tuple[int, ...], list[Prototype]]) -> Iterator[Prototype]:
    """Yield the prototypes with their elements replaced in every way that gives the formula, at estimated volumes."""
    divisor = gcd(*counts.values())
    wanted = {element: n // divisor for element, n in counts.items()}
    for name, structure in library.get(tuple(sorted(wanted.values())), ()):
        old = structure.composition.reduced_composition.get_el_amt_dict()
        for order in permutations(wanted):
            if all(wanted[new] == round(n) for new, n in zip(order, old.values(), strict=True)):
                swapped = structure.copy()
                swapped.replace_species(dict(zip(old, order, strict=True)))
                estimate = float(ATOMIC_VOLUME[np.array(swapped.atomic_numbers)].sum())
                yield name, scaled(swapped, estimate / swapped.volume)


def hull_of(results: list[dict[str, Any]]) -> Hull:
    """Return the hull of the phases so far."""
    return Hull((result["counts"], result["energy"]) for result in results if result["energy"] is not None)


def write(path: Path, results: list[dict[str, Any]]) -> None:
    """Write the phases on the hull and a little above it, as a table."""
    hull = hull_of(results)
    rows = []
    for result in sorted(results, key=lambda result: result["formula"]):
        energy = result["energy"]
        if energy is not None and hull.energy_above_hull(result["counts"], energy).value <= KEPT:
            source = "prototype " + result["prototype"].removeprefix("aflow ")
            cells = (json.dumps(result["counts"]), energy, result["space_group"], None, source)
            rows.append(dict(zip(PHASES.names, cells, strict=True)))
    write_phases(path, rows)
    print(f"{len(rows)} phases of {len(results)} formulas written")


if __name__ == "__main__":
    main()
