"""Composition masks per second, for few and for many elements, under both rules of charge neutrality.

    python benchmarks/masks.py --json results.jsonl

A mask holds all that one trajectory needs for one addition: the allowed elements, the completions after every count of
the chosen element (none where the count is not allowed), and the next state. The states come from random walks through
the space.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial

import torch
from _common import describe, measure, parser, report

from crystalgfn.config import load_config
from crystalgfn.runs.build import build_space
from crystalgfn.spaces.composition import CompositionState
from crystalgfn.spaces.crystal import CrystalSpace

Step = tuple[CompositionState, torch.Tensor, torch.Tensor]
"""States before an addition, the elements added and their counts."""


def random_walks(space: CrystalSpace, batch: int, generator: torch.Generator) -> list[Step]:
    """Return the additions of ``batch`` walks with uniform choices among allowed actions."""
    groups = space.groups.allowed.nonzero().squeeze(1)
    chosen = groups[torch.randint(len(groups), (batch,), generator=generator)]
    state, steps = space.composition.start(chosen), []
    for _ in range(space.max_elements):
        mask = space.composition.element_mask(state)
        element = torch.multinomial(mask.float(), 1, generator=generator).squeeze(1)
        going = element < len(space.elements)
        state, element = state[going], element[going]
        if not len(element):
            break
        fitting = space.composition.completions_by_count(state, element).gt(0).float()
        count = 1 + torch.multinomial(fitting, 1, generator=generator).squeeze(1)
        steps.append((state, element, count))
        state = space.composition.add(state, element, count)
    return steps


def evaluate(space: CrystalSpace, steps: Sequence[Step]) -> None:
    """Compute the masks of every step and the next states."""
    for state, element, count in steps:
        space.composition.element_mask(state)
        space.composition.completions_by_count(state, element)
        space.composition.add(state, element, count)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("--presets", default="twelve-elements,periodic-table", help="spaces without sites")
    options_parser.add_argument("--rules", default="per_element,per_atom", help="rules of neutrality")
    options_parser.add_argument("--batch", type=int, default=1000)
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    results = []
    for preset in options.presets.split(","):
        for rule in options.rules.split(","):
            config = load_config(preset, [*options.set, f"constraints.charge={rule}"])
            start = time.process_time()
            space = build_space(config.constraints)
            built = time.process_time() - start
            steps = random_walks(space, options.batch, torch.Generator().manual_seed(options.seed))
            rate = measure(
                partial(evaluate, space, steps), sum(len(element) for _, element, _ in steps), seconds=options.seconds
            )
            what = {"preset": preset, "elements": len(space.elements), "rule": rule, "batch": options.batch}
            results.append({**what, "tables_cpu_s": round(built, 2), **rate.as_dict()})
    configuration = describe(config, options.presets)
    report("masks", options, {key: configuration[key] for key in ("preset", "space groups")}, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
