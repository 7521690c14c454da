"""Masks of site patterns allow exactly those actions from which some pattern can be completed: brute force."""

from collections import Counter

import pytest
import torch

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.spaces.site_patterns import MAX_LETTERS, PatternState, SitePatterns

END = 2 * MAX_LETTERS


def partitions(most: int, slots: int, largest: int | None = None):
    """Falling sequences of counts with a sum up to ``most``."""
    yield ()
    for n in range(1, min(most, largest or most) + 1):
        if slots:
            yield from ((n, *rest) for rest in partitions(most - n, slots - 1, n))


def slots_of(group: int, atoms: int):
    """All lists of letters, in order, with that many atoms per primitive cell."""
    cells = int(CENTERING_MULTIPLICITY[group])

    def grow(first: int, left: int):
        if left == 0:
            yield ()
        for letter in range(first, len(WYCKOFF[group])):
            position = WYCKOFF[group][letter]
            m = position.multiplicity // cells
            if m <= left:
                for rest in grow(letter + (position.degrees_of_freedom == 0), left - m):
                    yield (letter, *rest)

    return list(grow(0, atoms))


def patterns(group: int, accepted):
    """Every pattern, as a list of slots, by trying all combinations."""
    fixed = {i for i, p in enumerate(WYCKOFF[group]) if p.degrees_of_freedom == 0}
    found = []
    for counts in accepted:

        def grow(rest, slots):
            if not rest:
                found.append(tuple(slots))
                return
            for slot in slots_of(group, rest[0]):
                taken = Counter(x for s in (*slots, slot) for x in s if x in fixed)
                if all(n == 1 for n in taken.values()):
                    grow(rest[1:], [*slots, slot])

        grow(counts, [])
    return found


def words(pattern) -> list[int]:
    """The actions that write a pattern."""
    actions = [x + MAX_LETTERS * (i == 0) for slot in pattern for i, x in enumerate(slot)]
    return [*actions, END]


@pytest.mark.parametrize("group", [1, 2, 10, 14, 47, 62, 123, 166, 194, 221, 225, 227])
@pytest.mark.parametrize("accept", ["all", "few"])
def test_masks_are_exact(group, accept):
    most = 5 if group in (1, 2, 10, 47) else 8
    accepted = [c for c in partitions(most, 3) if c]
    if accept == "few":
        accepted = [c for c in accepted if len(c) >= 2 and (c[0] - c[-1]) % 3 == 1]
    space = SitePatterns({group: accepted, 99: [(3, 1)]})
    wanted = patterns(group, accepted)
    assert bool(space.feasible[group]) == bool(wanted)
    follows: dict[tuple[int, ...], set[int]] = {}
    for pattern in wanted:
        actions = words(pattern)
        for i, action in enumerate(actions):
            follows.setdefault(tuple(actions[:i]), set()).add(action)
    frontier = {(): space.start(torch.tensor([group]))} if wanted else {}
    seen = 0
    while frontier:
        written = list(frontier)
        batch = PatternState.concatenate([frontier[word] for word in written])
        masks = space.mask(batch)
        after = {}
        for row, word in enumerate(written):
            allowed = set(masks[row].nonzero().squeeze(1).tolist())
            assert allowed == follows[word]
            seen += 1
            for action in allowed - {END}:
                after[(*word, action)] = space.act(frontier[word], torch.tensor([action]))
        frontier = after
    assert seen == len(follows)
