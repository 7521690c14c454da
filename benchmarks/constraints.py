"""Sample a trained model under random narrower constraints, and count samples that break them: 0, or there is a bug.

    python benchmarks/constraints.py --sets 200 -n 1000 --json results.jsonl

Each set has one to five limits on elements, numbers of atoms, stoichiometry, space groups and cells, within the
constraints of training. Violations are counted by checks that share nothing with the masks. Times are CPU seconds.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import Any

import torch
from _common import parser, report

from crystalgfn.config import ConstraintsConfig
from crystalgfn.crystallography.space_groups import CRYSTAL_SYSTEM, POINT_SYMMETRIES
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs.model import Model, load

FORMULAS = ("AB", "AB2", "A2B3", "ABC", "ABC2", "ABO3", "A2BO4", "AB2O4", "ABC3D", "LiXO2")
SYSTEMS = tuple(dict.fromkeys(CRYSTAL_SYSTEM[1:]))


def random_limits(rng: random.Random, space: ConstraintsConfig) -> dict[str, Any]:
    """Return one to five limits within a space, by the names that ``Model.restricted`` takes."""
    symbols = [s for s in space.elements.allowed if s not in space.elements.forbidden]

    def some(names: Sequence[Any], most: int) -> list[Any]:
        return rng.sample(list(names), rng.randint(1, min(most, len(names))))

    def inside(bounds: tuple[int, int], most: int) -> list[int]:
        return sorted(rng.randint(bounds[0], min(bounds[1], most)) for _ in range(2))

    def numbers(low: float, high: float, least_ratio: float) -> list[float]:
        first = low * (high / low / least_ratio) ** rng.random()
        return [round(first, 2), round(first * least_ratio * (high / first / least_ratio) ** rng.random(), 2)]

    draws: dict[str, Callable[[], Any]] = {
        "required": lambda: some(symbols, 2),
        "forbidden": lambda: some(symbols, 4),
        "any_of": lambda: [some(symbols, 4) for _ in range(rng.randint(1, 2))],
        "n_elements": lambda: inside(space.n_elements, 8),
        "n_atoms": lambda: inside(space.n_atoms, 80),
        "n_atoms_primitive": lambda: inside(space.n_atoms_primitive, 40),
        "atoms_per_element": lambda: inside(space.atoms_per_element, 40),
        "stoichiometry": lambda: rng.choice(FORMULAS),
        "space_groups": lambda: some(space.groups, 40),
        "crystal_system": lambda: some(SYSTEMS, 3),
        "point_symmetry": lambda: some(POINT_SYMMETRIES, 3),
        "electronegativity": lambda: "smact",
        "lengths": lambda: numbers(2.5, 25, 1.5),
        "angles": lambda: [rng.choice([60.0, 75.0, 85.0]), rng.choice([100.0, 120.5, 130.0])],
        "volume_per_atom": lambda: numbers(6, 40, 1.2),
        "density": lambda: numbers(0.8, 10, 1.3),
        "longest_over_shortest": lambda: round(rng.uniform(1.1, 5), 2),
    }
    if space.lattice.kind == "box":
        draws = {key: draw for key, draw in draws.items() if key not in ("volume_per_atom", "density")}
    return {key: draws[key]() for key in rng.sample(list(draws), rng.randint(1, 5))}


def check_model(model: Model, sets: int, n: int, seed: int) -> dict[str, object]:
    """Draw and check ``n`` samples under each of ``sets`` random sets of constraints."""
    rng = random.Random(seed)
    violations: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    clock: dict[str, list[float]] = {"build": [], "refuse": [], "draw": []}
    invalid = 0
    for index in range(sets):
        limits = random_limits(rng, model.config.constraints)
        start = time.process_time()
        try:
            narrow = model.restricted(**limits)
        except ConfigError:
            outcomes["contradict themselves"] += 1
            continue
        except ConstraintError:
            outcomes["refused"] += 1
            clock["refuse"].append(time.process_time() - start)
            continue
        built = time.process_time()
        crystals = narrow.sample(n, seed=seed + index)
        clock["draw"].append(time.process_time() - built)
        clock["build"].append(built - start)
        outcomes["feasible"] += 1
        validity = check_section(crystals, narrow.config.constraints.model_dump())
        if not validity.ok:
            print(f"{limits}: {validity}")
        violations.update(validity.violations)
        invalid += int((~validity.valid).sum())
    return {
        "sets": sets,
        **{name: outcomes[name] for name in ("feasible", "refused", "contradict themselves")},
        "samples": n * outcomes["feasible"],
        "invalid": invalid,
        "violations": {rule: count for rule, count in violations.items() if count} or "none",
        "CPU seconds": {what: f"mean {mean(t):.2f}, median {median(t):.2f}" for what, t in clock.items() if t},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 if anything is wrong."""
    options_parser = parser(__doc__)
    options_parser.add_argument("--sets", type=int, default=200, help="random sets of constraints")
    options_parser.add_argument("-n", type=int, default=1000, help="samples under each")
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    result = check_model(load(options.preset), options.sets, options.n, options.seed)
    configuration = {"preset": options.preset, "sets": options.sets, "samples": options.n, "seed": options.seed}
    report("constraints", options, configuration, [result])
    return int(bool(result["invalid"]))


if __name__ == "__main__":
    raise SystemExit(main())
