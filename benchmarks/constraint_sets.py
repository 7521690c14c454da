"""Random sets of constraints on one model with sites, each checked independently: 0 violations, or there is a bug.

    python benchmarks/constraint_sets.py --sets 50 --samples 2000 --json results.jsonl

Weights are those that ship with the preset, if it has any, and random otherwise or with ``--random``. A set that leaves
no crystal is drawn again and counted as refused.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from _common import parser, report

from crystalgfn.config import load_config
from crystalgfn.errors import CheckpointError, ConfigError, ConstraintError
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs.build import weights_of
from crystalgfn.runs.model import Model, load, untrained

UNTRAINED = ["training.prior=null", "training.start=null", "training.objective=tb"]
TYPES = (
    "AB2C4_cF56_227_a_d_e",
    "ABC3_cP5_221_a_b_c",
    "AB_cF8_225_a_b",
    "AB2_hP3_164_a_d",
    "AB_hP4_194_a_c",
    "A_hP2_194_c",
)
SYMMETRIES = ("-43m", "m-3m", "-3m", "3m", "mm2", "m", "4/mmm", "mmm", "-6m2", "2", "1")
ANIONS = ("O", "S", "F", "Cl", "N", "P", "Se")
CATIONS = ("Li", "Na", "Mg", "Al", "Si", "K", "Ca", "Ti", "Fe", "Zn", "Sr", "Zr", "Ba", "La", "Ce")


def random_limits(rng: random.Random) -> dict[str, Any]:
    """Limits as ``Model.restricted`` takes them: one to four of them."""
    cations, anions = rng.sample(CATIONS, 3), rng.sample(ANIONS, 2)
    low = rng.randint(1, 4)
    choices: dict[str, Any] = {
        "chemsys": "-".join((*cations, *anions)),
        "required": [rng.choice(cations), rng.choice(anions)],
        "forbidden": rng.sample(CATIONS, 4),
        "any_of": [list(anions)],
        "n_elements": [low, min(6, low + rng.randint(0, 2))],
        "n_atoms_primitive": [rng.randint(1, 4), rng.randint(8, 20)],
        "n_atoms": [None, rng.randint(10, 40)],
        "stoichiometry": rng.choice(("AB", "AB2", "ABO3", "AB2C4", "ABC")),
        "crystal_system": rng.sample(("cubic", "hexagonal", "tetragonal", "orthorhombic", "monoclinic"), 2),
        "numbers": sorted(rng.sample(range(1, 231), 40)),
        "charge": rng.choice(("per_element", "per_atom")),
        "density": [None, 8.0] if rng.random() < 0.5 else [2.0, 10.0],
        "structure_type": rng.choice(TYPES),
        "max_orbits": rng.randint(2, 6),
        "max_free_coordinates": rng.randint(0, 4),
        "element_sites": {
            cations[0]: {"symmetry": rng.sample(SYMMETRIES, 3)},
            anions[0]: {"multiplicity": [rng.randint(1, 4), rng.randint(4, 24)]},
        },
    }
    return {name: choices[name] for name in sorted(rng.sample(sorted(choices), rng.randint(1, 4)))}


def judged(model: Model, limits: Mapping[str, Any], n: int, seed: int) -> dict[str, Any]:
    """Draw samples under limits, and count the violations."""
    start = time.process_time()
    narrow = model.restricted(**limits)
    built = time.process_time()
    crystals = narrow.sample(n, seed=seed)
    drawn = time.process_time()
    section = narrow.config.constraints.model_dump()
    again = len(narrow.space.states(crystals)[1])
    return {
        "limits": " ".join(f"{key}={value}" for key, value in limits.items()),
        "invalid": int((~check_section(crystals, section).valid).sum()),
        "not encoded again": n - again,
        "tables_cpu_s": round(built - start, 2),
        "sampling_cpu_s": round(drawn - built, 2),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 if a sample breaks a constraint."""
    options_parser = parser(__doc__, preset="default")
    options_parser.add_argument("--sets", type=int, default=50, help="sets of constraints that leave some crystal")
    options_parser.add_argument("--samples", type=int, default=2000, help="samples of each set")
    options_parser.add_argument("--random", action="store_true", help="random weights even where some ship")
    options = options_parser.parse_args(arguments)
    model = _model(options.preset, options.set, untrained_only=options.random)
    rng, results, refused = random.Random(options.seed), list[dict[str, Any]](), 0
    while len(results) < options.sets:
        limits = random_limits(rng)
        try:
            results.append(judged(model, limits, options.samples, len(results)))
        except (ConfigError, ConstraintError):
            refused += 1
    invalid = sum(result["invalid"] + result["not encoded again"] for result in results)
    totals = {"preset": options.preset, "weights": model.fingerprint[:16], "refused": refused, "invalid": invalid}
    report("constraint_sets", options, totals, results)
    return int(invalid > 0)


def _model(preset: str, overrides: Sequence[str], *, untrained_only: bool) -> Model:
    """The trained model of a preset, or one with random weights where none ship."""
    if not untrained_only and not overrides:
        try:
            weights_of(preset)
        except CheckpointError:
            pass
        else:
            return load(preset)
    return untrained(load_config(preset, [*UNTRAINED, *overrides]))


if __name__ == "__main__":
    sys.exit(main())
