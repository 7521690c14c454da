"""Crystals per second of a property model, for crystals of an untrained sampler.

python benchmarks/proxy.py --property formation_energy --property formation_energy_paper --json results.jsonl
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

import torch
from _common import batches, describe, measure, parser, report, setup

from crystalgfn.properties.registry import resolve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("--property", action="append", help="names of properties; may be given again")
    options_parser.add_argument("--batch", type=batches, default=[10, 100, 1000], metavar="N,N,...")
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    built = setup(options.preset, options.set, seed=options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    results = []
    for name in options.property or ("formation_energy", "formation_energy_paper"):
        model = resolve(name)
        for batch in options.batch:
            crystals = built.space.crystals(built.policy.sample(batch, built.space, generator=generator).states)
            rate = measure(partial(model, crystals), batch, seconds=options.seconds)
            results.append({"property": name, "batch": batch, **rate.as_dict()})
    configuration = describe(built.config, options.preset)
    report("proxy", options, {key: configuration[key] for key in ("preset", "elements")}, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
