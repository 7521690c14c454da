"""Masks of site patterns allow exactly those actions from which some pattern can be completed: brute force."""

import pytest
import torch

from crystalgfn.crystallography.wyckoff import MAX_LETTERS
from crystalgfn.spaces.one_pattern import OnePattern
from crystalgfn.spaces.reservations import SlotCounts
from crystalgfn.spaces.site_pattern_tables import Budget
from crystalgfn.spaces.site_patterns import PatternState, SitePatterns
from crystalgfn.spaces.structure_types import StructureType
from direct_sites import partitions, patterns_of, within

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
    space = SitePatterns({group: map(SlotCounts, accepted), 99: [SlotCounts((3, 1))]})
    wanted = patterns_of(group, accepted)
    assert bool(space.feasible[group]) == bool(wanted)
    assert_exact(space, group, wanted)


@pytest.mark.parametrize("bounds", [(2, None), (None, 0), (3, 1), (1, 2)])
@pytest.mark.parametrize(("group", "most"), [(1, 4), (123, 4), (166, 8), (216, 6)])
def test_masks_are_exact_within_a_budget(group, most, bounds):
    accepted = [c for c in partitions(most, 3) if c]
    space = SitePatterns({group: map(SlotCounts, accepted), 99: [SlotCounts((3, 1))]}, Budget(*bounds))
    wanted = [pattern for pattern in patterns_of(group, accepted) if within(pattern, group, *bounds)]
    assert bool(space.feasible[group]) == bool(wanted)
    assert len(wanted) < len(patterns_of(group, accepted))
    assert_exact(space, group, wanted)


@pytest.mark.parametrize("label", ["AB2C4_cF56_227_a_d_e", "ABC3_cP5_221_a_b_c", "A_hP2_194_c"])
def test_masks_of_one_pattern_lead_to_it_alone(label):
    pattern = StructureType.parse(label)
    assert_exact(OnePattern(pattern, allowed=True), pattern.space_group, [pattern.slots])
    assert not OnePattern(pattern, allowed=False).feasible.any()


def assert_exact(space, group, wanted):
    """Follow the masks everywhere, and compare each with the actions that begin some wanted pattern."""
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
