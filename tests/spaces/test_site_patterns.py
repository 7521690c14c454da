"""Masks of site patterns allow exactly those actions from which some pattern can be completed: brute force."""

from itertools import groupby, permutations

import pytest
import torch

from crystalgfn.crystallography.wyckoff import MAX_LETTERS
from crystalgfn.spaces.element_sites import ElementSites
from crystalgfn.spaces.one_pattern import OnePattern
from crystalgfn.spaces.reservations import SlotCounts, reservations
from crystalgfn.spaces.site_pattern_tables import Budget
from crystalgfn.spaces.site_patterns import PatternState, ReservedPatterns, SitePatterns
from crystalgfn.spaces.site_states import MULTIPLICITY
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


RULES = {
    "one element": (ElementSites(3, ("-43m", "m-3m", "4/mmm", "-3m", "4mm", "mm2")),),
    "multiplicity": (ElementSites(3, (), (2, 6)),),
    "two elements": (ElementSites(3, ("-43m", "-3m", "222", "3m", "mmm")), ElementSites(8, (), (2, 12))),
    "nowhere": (ElementSites(3, ("432",)), ElementSites(8, ("m-3m", "mm2", "-4", "2"))),
}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize(("group", "most"), [(124, 7), (192, 8), (216, 6), (225, 7)])
@pytest.mark.parametrize("budget", [Budget(), Budget(3, 2)])
def test_masks_are_exact_under_rules(group, most, rules, budget):
    """Whatever reservations are accepted: here every third one."""
    each = [slots for c in partitions(most, 3) if c for slots in reservations(c, len(RULES[rules]))]
    accepted = set(each[group % 3 :: 3])
    space = ReservedPatterns(SitePatterns({group: accepted, 99: each[:5]}, budget, RULES[rules]))
    wanted = []
    for pattern in patterns_of(group, [c for c in partitions(most, 3) if c]):
        counts = tuple(sum(MULTIPLICITY[group, letter].item() for letter in slot) for slot in pattern)
        if within(pattern, group, budget.orbits, budget.free) and any(
            reserved(pattern, counts, holders) in accepted
            for holders in permutations([*range(len(pattern)), None, None], len(RULES[rules]))
            if all(
                slot is None or all(rule.allows(group)[letter] for letter in pattern[slot])
                for slot, rule in zip(holders, RULES[rules], strict=True)
            )
        ):
            wanted.append(pattern)
    assert wanted
    assert bool(space.feasible[group]) == bool(wanted)
    assert_exact(space, group, wanted)


def reserved(pattern, counts, holders):
    """Slots of a pattern, where ``holders`` says which slot is for each element with a rule."""
    common = tuple(count for slot, count in enumerate(counts) if slot not in holders)
    return SlotCounts(common, tuple(0 if slot is None else counts[slot] for slot in holders))


@pytest.mark.parametrize("label", ["AB2C4_cF56_227_a_d_e", "ABC3_cP5_221_a_b_c", "A_hP2_194_c"])
def test_masks_of_one_pattern_lead_to_it_alone(label):
    pattern = StructureType.parse(label)
    assert_exact(OnePattern(pattern, allowed=True), pattern.space_group, [pattern.slots])
    assert not OnePattern(pattern, allowed=False).feasible.any()


def batches(states):
    """States joined as far as they follow equally many reservations, in order."""
    for _, each in groupby(states, key=lambda state: state.node.shape[1:]):
        yield PatternState.concatenate(list(each))


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
        masks = torch.cat([space.mask(batch) for batch in batches(list(frontier.values()))])
        after = {}
        for row, word in enumerate(written):
            allowed = set(masks[row].nonzero().squeeze(1).tolist())
            assert allowed == follows[word]
            seen += 1
            for action in allowed - {END}:
                after[(*word, action)] = space.act(frontier[word], torch.tensor([action]))
        frontier = after
    assert seen == len(follows)
