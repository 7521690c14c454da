"""Draw many samples of every preset and count violations by independent checks: 0, or there is a bug.

    python benchmarks/validity.py -n 100000 --json results.jsonl

Trained weights are used where they ship. Elsewhere the policy is random, and its samples spread over the whole space.
The rates are for drawing and scoring with the property, and for checking.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import torch
from _common import parser, report

from crystalgfn.config import load_preset, preset_path, presets
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs.build import POLICY
from crystalgfn.runs.model import CHUNK, load, untrained

BATCH = 10 * CHUNK


def check_preset(name: str, n: int, seed: int, overrides: Sequence[str]) -> dict[str, object]:
    """Draw and check ``n`` samples of a preset."""
    trained = (preset_path(name) / POLICY).is_file() and not overrides
    model = load(name) if trained else untrained(load_preset(name, overrides))
    section = model.config.constraints.model_dump()
    violations: Counter[str] = Counter()
    invalid, groups, clock = 0, set(), {"draw": 0.0, "check": 0.0}
    for first in range(0, n, BATCH):
        start = time.perf_counter()
        last = min(first + BATCH, n)
        crystals = Crystals.concatenate(list(model.chunks(last, seed=seed, first=first // CHUNK)))
        drawn = time.perf_counter()
        validity = check_section(crystals, section)
        clock["draw"] += drawn - start
        clock["check"] += time.perf_counter() - drawn
        violations.update(validity.violations)
        invalid += int((~validity.valid).sum())
        groups |= set(crystals.space_group.tolist())
    return {
        "preset": name,
        "weights": "trained" if trained else "random",
        "samples": n,
        "invalid": invalid,
        "violations": {rule: count for rule, count in violations.items() if count} or "none",
        "space groups": len(groups),
        "drawn per second": round(n / clock["draw"]),
        "checked per second": round(n / clock["check"]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 if anything is wrong."""
    options_parser = parser(__doc__)
    options_parser.add_argument("-n", type=int, default=100_000, help="samples of each preset")
    options_parser.add_argument("--presets", default=",".join(presets()), help="names, separated by commas")
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    names = options.presets.split(",")
    results = [check_preset(name, options.n, options.seed, options.set) for name in names]
    report("validity", options, {"presets": options.presets, "samples": options.n, "seed": options.seed}, results)
    return int(any(result["invalid"] for result in results))


if __name__ == "__main__":
    raise SystemExit(main())
