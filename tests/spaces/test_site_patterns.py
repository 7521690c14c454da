"""Masks of site patterns allow exactly those actions from which some pattern can be completed: brute force."""

import pytest
import torch

from crystalgfn.spaces.site_patterns import PatternState, SitePatterns
from crystalgfn.spaces.site_states import MAX_LETTERS
from direct_sites import partitions, patterns_of

END = 2 * MAX_LETTERS


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
    wanted = patterns_of(group, accepted)
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
