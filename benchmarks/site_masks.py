"""Masks of spaces with sites per second, for the elements of the preset and for twelve of them.

    python benchmarks/site_masks.py --json results.jsonl

A crystal is one random walk: every letter of its pattern, then every element with its slot, and the next state after
each. Walks are drawn by uniform choices among allowed actions, in the space of few elements, so that both spaces answer
for the same states.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from _common import describe, measure, parser, report
from torch import Generator, Tensor

from crystalgfn.config import load_config
from crystalgfn.crystallography.wyckoff import MAX_LETTERS
from crystalgfn.runs.build import build_space
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.site_pattern_space import END, SitePatternSpace
from crystalgfn.spaces.site_states import slot_counts, slot_keys
from crystalgfn.spaces.slot_elements import SlotElementSpace, first_alike

FEW = "constraints.elements=[H, B, C, N, O, F, Mg, Si, P, S, Cl, Fe]"


@dataclass(frozen=True)
class Walks:
    """Random patterns with elements, as the space of few elements allows them.

    Attributes:
        space_group: ``(B,)``.
        actions: ``(B, O + 1)`` letters and the end of each pattern, -1 afterwards.
        slots, letters: ``(B, O)``, as in :class:`~crystalgfn.spaces.site_states.SiteStates`.
        counts, keys: ``(B, m)`` atoms of each slot, and numbers that tell slots apart.
        elements, filled: ``(B, m)`` atomic number and slot of each element, 0 afterwards.
    """

    space_group: Tensor
    actions: Tensor
    slots: Tensor
    letters: Tensor
    counts: Tensor
    keys: Tensor
    elements: Tensor
    filled: Tensor


def choice(mask: Tensor, generator: Generator) -> Tensor:
    """A uniform draw from each row ``(B,)``."""
    return torch.multinomial(mask.float(), 1, generator=generator).squeeze(1)


def random_walks(space: CrystalSpace, batch: int, generator: Generator) -> Walks:
    """Draw walks."""
    patterns, elements = space.of(SitePatternSpace), space.of(SlotElementSpace)
    groups = space.groups.allowed.nonzero().squeeze(1)
    group = groups[torch.randint(len(groups), (batch,), generator=generator)]
    orbits, m = patterns.max_orbits, elements.max_elements
    slots, letters = torch.zeros(batch, orbits, dtype=torch.int64), torch.full((batch, orbits), -1)
    actions = torch.full((batch, orbits + 1), -1)
    rows, state, slot = torch.arange(batch), patterns.start(group), torch.full((batch,), -1)
    for step in range(orbits + 1):
        action = choice(patterns.patterns.mask(state), generator)
        actions[rows, step] = action
        going = action != END
        rows, state, action = rows[going], state[going], action[going]
        if not len(rows):
            break
        slot[rows] += action >= MAX_LETTERS
        slots[rows, step], letters[rows, step] = slot[rows], action % MAX_LETTERS
        state = patterns.patterns.act(state, action)
    counts, keys = slot_counts(group, slots, letters, m), slot_keys(slots, letters, m)
    nothing = torch.zeros(batch, m, dtype=torch.int64)
    walks = Walks(group, actions, slots, letters, counts, keys, nothing, nothing.clone())

    def choose(rows: Tensor, step: int, element_mask: Tensor, slot_mask: Callable[[Tensor], Tensor]) -> None:
        column = choice(element_mask, generator)
        walks.elements[rows, step] = torch.tensor(space.elements)[column]
        walks.filled[rows, step] = choice(slot_mask(column), generator)

    fill(elements, walks, choose)
    return walks


def fill(
    elements: SlotElementSpace,
    walks: Walks,
    choose: Callable[[Tensor, int, Tensor, Callable[[Tensor], Tensor]], None] | None = None,
) -> None:
    """Compute the masks of every element and slot, and the next states; ``choose`` writes the walks first."""
    place = torch.zeros(120, dtype=torch.int64)
    place[list(elements.elements)] = torch.arange(len(elements.elements))
    rows, state, unfilled = (
        torch.arange(len(walks.counts)),
        elements.start_of(walks.space_group, walks.slots, walks.letters),
        walks.counts > 0,
    )
    for step in range(elements.max_elements):
        mask, open_ = elements.element_mask(state), first_alike(unfilled[rows], walks.keys[rows])
        slot_mask = partial(elements.slot_mask, state, open_slots=open_)
        if choose is not None:
            choose(rows, step, mask, slot_mask)
        column, slot = place[walks.elements[rows, step]], walks.filled[rows, step]
        if choose is None:
            slot_mask(column)
        unfilled[rows, slot] = False
        going = unfilled[rows].any(1)
        if not going.any():
            break
        state = elements.fill(state[going], column[going], slot[going])
        rows = rows[going]


def evaluate(space: CrystalSpace, walks: Walks) -> None:
    """Compute the masks of every step of the walks, and the next states."""
    patterns = space.of(SitePatternSpace)
    rows, state = torch.arange(len(walks.actions)), patterns.start(walks.space_group)
    for step in range(walks.actions.shape[1]):
        patterns.patterns.mask(state)
        going = walks.actions[rows, step] != END
        rows, state = rows[going], state[going]
        if not len(rows):
            break
        state = patterns.patterns.act(state, walks.actions[rows, step])
    fill(space.of(SlotElementSpace), walks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__, preset="default")
    options_parser.add_argument("--rules", default="none,per_element", help="rules of neutrality")
    options_parser.add_argument("--batch", type=int, default=1000)
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    results = []
    for rule in options.rules.split(","):
        walks, few_rate = None, 0.0
        for overrides in ([FEW], []):
            config = load_config(options.preset, [*overrides, *options.set, f"constraints.charge={rule}"])
            start = time.process_time()
            space = build_space(config.constraints)
            built = time.process_time() - start
            if walks is None:
                walks = random_walks(space, options.batch, Generator().manual_seed(options.seed))
            rate = measure(partial(evaluate, space, walks), options.batch, seconds=options.seconds)
            few_rate = few_rate or rate.units / rate.cpu_s
            results.append(
                {
                    "elements": len(space.elements),
                    "rule": rule,
                    "batch": options.batch,
                    "tables_cpu_s": round(built, 2),
                    **rate.as_dict(),
                    "times_few": round(few_rate * rate.cpu_s / rate.units, 2),
                }
            )
    configuration = describe(config, options.preset)
    report("site_masks", options, {key: configuration[key] for key in ("preset", "space groups")}, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
