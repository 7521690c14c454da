"""Stages of spaces with sites: every crystal that the constraints allow has a probability, and they add up to 1."""

import pytest
import torch

from crystalgfn.crystallography.operations import affine_permutations, letter_permutations
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.sites.keys import log_writings, site_keys
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import formula_keys_of
from crystalgfn.errors import DataError
from crystalgfn.gflownet.target import CrystalTarget
from crystalgfn.policy.stages.sites import SiteSteps
from crystalgfn.rewards.reward import Reward
from crystalgfn.spaces.element_sites import ElementSites
from crystalgfn.spaces.slot_elements import SlotElementSpace
from crystalgfn.spaces.structure_types import StructureType
from crystalgfn.spaces.writings import canonical_writing, writings
from direct_sites import enumerate_sites
from policy_setup import mean_and_error, random_policy, site_space, stage_sums
from site_samples import states_of

FREE = {"charge": None, "n_elements": (1, 3)}
SPACES = {
    "fixed positions": ((221, 225, 227), (3, 8, 9), {**FREE, "n_atoms_primitive": (1, 7)}),
    "many letters": ((2, 47), (3, 8), {**FREE, "n_atoms_primitive": (1, 3)}),
    "free positions": ((1, 62, 166, 198), (3, 8, 26), {**FREE, "n_atoms_primitive": (1, 4)}),
    "neutral": ((123, 166, 225), (3, 8, 9, 26), {"n_elements": (2, 3), "n_atoms_primitive": (2, 5)}),
    "one state an element, cations first": (
        (166, 225, 227),
        (3, 8, 16, 26),
        {"charge": "per_element", "electronegativity": True, "n_elements": (2, 3), "n_atoms_primitive": (2, 7)},
    ),
    "required, forbidden, counts": (
        (99, 166, 225),
        (3, 8, 9, 26),
        {**FREE, "required": (8,), "forbidden": (9,), "n_atoms": (2, 20), "atoms_per_element": (2, 12)},
    ),
    "shares and choices": (
        (123, 225),
        (3, 8, 9, 26),
        {
            **FREE,
            "n_atoms_primitive": (1, 4),
            "shares": ((8, 0.4, 0.6),),
            "any_of": ((3, 26),),
            "at_most_one_of": (frozenset((9, 26)),),
        },
    ),
    "few orbits, few free coordinates": (
        (2, 123, 166),
        (3, 8),
        {**FREE, "n_atoms_primitive": (1, 4), "max_orbits": 3, "max_free_coordinates": 2, "chemsys": (3, 8)},
    ),
    "one structure type": (
        (221, 225),
        (3, 8, 9, 26, 56),
        {**FREE, "n_atoms_primitive": (1, 7), "structure_type": StructureType.parse("ABC3_cP5_221_a_b_c")},
    ),
    "sites of one element": (
        (123, 216, 225),
        (3, 8, 9),
        {**FREE, "n_atoms_primitive": (1, 5), "element_sites": (ElementSites(8, ("-43m", "mmm", "3m")),)},
    ),
    "sites of two elements, one required": (
        (123, 167, 225),
        (3, 8, 9),
        {
            **FREE,
            "n_atoms_primitive": (1, 6),
            "required": (3,),
            "element_sites": (ElementSites(8, (), (2, 12)), ElementSites(3, ("4/mmm", "32", "-3", "4mm", "m-3m"))),
        },
    ),
    "sites and charges": (
        (166, 225, 227),
        (3, 8, 16, 26),
        {
            "charge": "per_element",
            "electronegativity": True,
            "n_elements": (2, 3),
            "n_atoms_primitive": (2, 7),
            "max_orbits": 4,
            "element_sites": (ElementSites(26, ("-3m", "-43m")), ElementSites(8, (), (4, 16)), ElementSites(16)),
        },
    ),
    "sites and shares": (
        (99, 123, 225),
        (3, 8, 9, 26),
        {
            **FREE,
            "n_atoms_primitive": (1, 4),
            "shares": ((8, 0.3, 0.6),),
            "any_of": ((3, 26),),
            "max_free_coordinates": 2,
            "element_sites": (ElementSites(26, ("4mm", "4/mmm")), ElementSites(8, ("mm2", "mmm", "m-3m", "-43m"))),
        },
    ),
    "sites in one structure type": (
        (225,),
        (3, 8, 9, 12, 17, 26),
        {
            **FREE,
            "n_atoms_primitive": (1, 7),
            "structure_type": StructureType.parse("AB2_cF12_225_a_c"),
            "element_sites": (ElementSites(8, ("-43m",)), ElementSites(26, ("m-3m",))),
        },
    ),
}


def written(space, states) -> list:
    """Samples as the enumeration writes them."""
    crystals = []
    numbers = torch.tensor([0, *space.elements])
    for row in range(len(states)):
        orbits = states.letters[row] >= 0
        slots = [[] for _ in range(int(states.slots[row][orbits].max()) + 1)]
        for slot, letter in zip(states.slots[row][orbits].tolist(), states.letters[row][orbits].tolist(), strict=True):
            slots[slot].append(letter)
        taken = {
            slot: z
            for slot, z in zip(states.filled[row].tolist(), numbers[states.elements[row]].tolist(), strict=True)
            if z
        }
        crystals.append(
            (int(states.space_group[row]), tuple(map(tuple, slots)), tuple(taken[i] for i in range(len(slots))))
        )
    return crystals


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("remembers", [False, True])
def test_probabilities_of_all_crystals_add_up_to_one(name, remembers):
    groups, elements, limits = SPACES[name]
    space = site_space(groups, elements, **limits)
    wanted = sorted(enumerate_sites(space.elements, list(groups), space.composition.constraints))
    assert len(wanted) > 20
    options = dict.fromkeys(("recognised_crystals", "recognised_formulas"), 4_000) | {"remembered_patterns": 64}
    policy = random_policy(space, 1, **(options if remembers else {})).eval()
    states = states_of(space, wanted)
    if remembers:  # some patterns, and some that other constraints would allow
        policy.remember(states[torch.arange(0, len(states), 3)])
        with torch.no_grad():
            policy.stages["sites"].table.weight.add_(torch.randn(64, generator=torch.Generator().manual_seed(0)))
        some = states[torch.arange(0, len(states), 5)]
        policy.recognise(states[torch.arange(0, len(states), 2)], formula_keys_of(space.crystals(some)))
    with torch.no_grad():
        back = policy.sample_backward(states, space, generator=torch.Generator().manual_seed(0))
        scores = policy.score(back, space)
    discrete = sum(value for stage, value in stage_sums(scores).items() if stage != "lattice")
    assert torch.exp(-discrete).sum().item() == pytest.approx(1.0, abs=1e-5)
    assert not scores.log_pb.any()
    drawn = policy.sample(1_500, space, generator=torch.Generator().manual_seed(2))
    crystals = written(space, drawn.states)
    assert set(crystals) <= set(wanted)
    assert (
        policy.score(drawn, space).log_pf_sum
        - policy.score(
            policy.sample_backward(drawn.states, space, generator=torch.Generator().manual_seed(0)), space
        ).log_pf_sum
    ).abs().max() < 1e-5
    assert set(space.groups.allowed.nonzero().flatten().tolist()) == {g for g, *_ in wanted}
    place = {crystal: i % 40 for i, crystal in enumerate(wanted)}
    bins = torch.tensor([place[crystal] for crystal in wanted])
    expected = len(drawn) * torch.zeros(40, dtype=torch.float64).index_add(0, bins, torch.exp(-discrete))
    found = torch.bincount(torch.tensor([place[crystal] for crystal in crystals]), minlength=40)
    used = expected > 10
    assert ((found - expected)[used].square() / expected[used]).sum() < 1.9 * used.sum()  # chi square


def test_the_mean_weight_is_the_partition_function():
    groups, elements, limits = SPACES["neutral"]
    space = site_space(groups, elements, **limits)
    policy = random_policy(space, 3, scale=1.1).eval()
    drawn = policy.sample(20_000, space, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        sums = stage_sums(policy.score(drawn, space))
    log_r = 0.5 * (drawn.states.letters >= 0).sum(1) - 2.0 * (drawn.states.u - 0.4).square().sum(1)
    crystals = sorted(enumerate_sites(space.elements, list(groups), space.composition.constraints))
    x = torch.linspace(0, 1, 2001, dtype=torch.float64)
    line = torch.trapezoid(torch.exp(-2.0 * (x - 0.4).square()), x)
    empty = torch.exp(torch.tensor(-2.0 * 0.4**2, dtype=torch.float64))  # slots that are not free hold 0
    free = space.lattice.free(torch.tensor([g for g, *_ in crystals])).sum(1)
    orbits = torch.tensor([sum(map(len, slots)) for _, slots, _ in crystals])
    z = (torch.exp(0.5 * orbits) * line**free * empty ** (6 - free)).sum()
    mean, error = mean_and_error(torch.exp(sum(sums.values()) + log_r - z.log()))
    assert abs(mean - 1) < 4 * error < 0.2


def test_recognised_crystals_have_a_weight_of_their_own():
    groups, elements, limits = SPACES["fixed positions"]
    space = site_space(groups, elements, **{**limits, "n_atoms_primitive": (1, 6)})
    crystals = sorted(enumerate_sites(space.elements, list(groups), space.composition.constraints))
    states = states_of(space, crystals)
    keys = site_keys(states.space_group, space.crystals(states).sites.elements, states.letters)
    known = states[torch.arange(0, len(states), 7)]
    is_known = torch.isin(keys, keys[::7])
    policy = random_policy(space, 2, recognised_crystals=1_000).eval()
    stage, drawn = policy.stages["elements"], policy.sample_backward(states, space, generator=torch.Generator())
    with torch.no_grad():
        before = policy.score(drawn, space).log_pf_sum
        policy.recognise(known)
        stage.recognised_weight.weight.zero_()
        stage.recognised_weight.bias.fill_(-50.0)
        after = policy.score(drawn, space).log_pf_sum
    drops = after - before < -20
    last = states.elements.gather(1, (states.elements > 0).sum(1, keepdim=True) - 1)
    alone = torch.tensor(  # where every allowed last element is recognised, none loses
        [
            bool(mask.sum() == 1)
            for mask in drawn.steps[2].element_masks[torch.arange(len(last)), (states.elements > 0).sum(1) - 1]
        ]
    )
    assert (drops <= is_known).all()
    assert drops[is_known & ~alone].float().mean() > 0.9
    samples = policy.sample(2_000, space, generator=torch.Generator().manual_seed(0)).states
    of_samples = site_keys(samples.space_group, space.crystals(samples).sites.elements, samples.letters)
    assert torch.isin(of_samples, keys[::7]).float().mean() < 0.02 + is_known[alone].float().mean()


def test_recognised_formulas_have_a_weight_of_their_own():
    groups, elements, limits = SPACES["fixed positions"]
    space = site_space(groups, elements, **{**limits, "n_atoms_primitive": (1, 6)})
    states = states_of(space, sorted(enumerate_sites(space.elements, list(groups), space.composition.constraints)))
    keys = formula_keys_of(space.crystals(states))
    known = keys.unique()[::5]
    is_known = torch.isin(keys, known)
    policy = random_policy(space, 2, recognised_formulas=1_000).eval()
    stage, drawn = policy.stages["elements"], policy.sample_backward(states, space, generator=torch.Generator())
    last = (states.elements > 0).sum(1) - 1
    choices = drawn.steps[2].element_masks[torch.arange(len(last)), last]
    with torch.no_grad():
        before = policy.score(drawn, space).log_pf_sum
        policy.recognise(None, known)
        stage.recognised_formulas_weight.weight.zero_()
        stage.recognised_formulas_weight.bias.fill_(-50.0)
        after = policy.score(drawn, space).log_pf_sum
    drops = after - before < -20
    assert 0.05 < is_known.float().mean() < 0.6
    assert (drops <= is_known).all()  # whatever the cell: a formula is one with its multiples
    several = is_known & (choices.sum(1) > 1)  # where the known one is the only choice, it loses nothing
    assert several.sum() > 5
    assert drops[several].float().mean() > 0.9
    samples = policy.sample(2_000, space, generator=torch.Generator().manual_seed(0)).states
    found = torch.isin(formula_keys_of(space.crystals(samples)), known).float().mean()
    assert found < 0.02 + (is_known & ~drops).float().mean()


def test_writings_share_the_reward_of_their_crystal():
    groups, elements, limits = SPACES["fixed positions"]
    space = site_space(groups, elements, **{**limits, "n_atoms_primitive": (1, 5)})
    crystals = sorted(enumerate_sites(space.elements, list(groups), space.composition.constraints))
    states = states_of(space, crystals)
    keys = site_keys(states.space_group, space.crystals(states).sites.elements, states.letters)
    distinct, row, times = torch.unique(keys, return_inverse=True, return_counts=True)
    assert len(distinct) < len(crystals)
    reward = torch.exp(CrystalTarget(space, Reward([])).log_reward(states)).double()
    total = torch.zeros(len(distinct), dtype=torch.float64).index_add(0, row, reward)
    assert torch.allclose(total, torch.ones_like(total), atol=1e-6)  # whatever letters the normalizer exchanges
    assert torch.equal(torch.exp(CrystalTarget(space, Reward([]), whole=True).log_reward(states)), torch.ones(len(row)))
    assert (times > 1).any()


def test_a_narrower_space_keeps_the_weights_and_loses_nothing():
    groups, elements, limits = SPACES["fixed positions"]
    wide = site_space(groups, elements, **limits)
    policy = random_policy(wide, 4, remembered_patterns=64).eval()
    wanted = sorted(enumerate_sites(wide.elements, list(groups), wide.composition.constraints))
    policy.remember(states_of(wide, wanted[::2]))
    narrow = site_space(
        (225, 227), elements, **{**limits, "n_atoms_primitive": (2, 5), "n_elements": (2, 2), "required": (8,)}
    )
    crystals = sorted(enumerate_sites(narrow.elements, [225, 227], narrow.composition.constraints))
    states = states_of(narrow, crystals)
    with torch.no_grad():
        scores = policy.score(policy.sample_backward(states, narrow, generator=torch.Generator()), narrow)
    discrete = sum(value for stage, value in stage_sums(scores).items() if stage != "lattice")
    assert torch.exp(-discrete).sum().item() == pytest.approx(1.0, abs=1e-5)
    drawn = policy.sample(1_000, narrow, generator=torch.Generator().manual_seed(0))
    assert set(written(narrow, drawn.states)) <= set(crystals)


def test_decoded_samples_are_encoded_again():
    space = site_space((47, 62, 166, 225), (3, 8, 9, 26), **{**FREE, "n_atoms_primitive": (1, 6)})
    policy = random_policy(space, 5).eval()
    drawn = policy.sample(500, space, generator=torch.Generator().manual_seed(0)).states
    crystals = space.crystals(drawn)
    states, rows = space.states(crystals)
    assert len(rows) == 500
    again = space.crystals(states)
    assert torch.equal(again.counts, crystals.counts)
    assert torch.allclose(again.lattice, crystals.lattice)
    twice, _ = space.states(again)
    assert torch.equal(twice.letters, states.letters)
    assert torch.equal(twice.filled, states.filled)
    text = Crystals(
        crystals.elements,
        crystals.space_group,
        crystals.counts,
        crystals.lattice,
        {"wyckoff": crystals.sites.texts(crystals.space_group)},
    )
    read, rows = space.states(text)
    assert len(rows) == 500
    assert torch.equal(read.letters, states.letters)


def test_writings_of_a_crystal_have_one_canonical_form():
    rng = torch.Generator().manual_seed(0)
    for group in (2, 47, 62, 123, 166, 194, 221, 225, 227):
        letters = [p.letter for p in WYCKOFF[group] if p.multiplicity <= 16]
        for _ in range(5):
            pick = torch.randperm(len(letters), generator=rng)[:3].tolist()
            each = Assignment(group, tuple(zip((3, 8, 26), (letters[i] for i in pick), strict=False)))
            all_writings = writings(each)
            assert canonical_writing(each) in all_writings
            for image in affine_permutations(group)[:: 1 + len(affine_permutations(group)) // 12]:
                moved = Assignment(group, tuple((z, image[letter]) for z, letter in each.sites))
                whole = canonical_writing(each, same_cell=False)
                assert canonical_writing(moved, same_cell=False) == whole
                assert (canonical_writing(moved) == canonical_writing(each)) or image not in letter_permutations(group)
                assert sorted(writings(moved)) == sorted(all_writings)
            slots = [(slot, letter) for slot, letters in enumerate(all_writings[0][0]) for letter in letters]
            numbers = torch.tensor(slots).T.unsqueeze(1)
            count = torch.exp(log_writings(torch.tensor([group]), numbers[0], numbers[1]))
            assert round(count.item()) == len(all_writings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[["Li", "a", 4], ["F", "z", 4]]', "row 2: space group 225 has no Wyckoff position 'z'"),
        ('[["Li", "a", 4], ["F", "a", 4]]', "row 2: positions a have no free coordinates and are taken twice"),
        ('[["Li", "a", 4], ["F", "b", 8]]', "row 2: sites: F on 8b, but the multiplicity of b in space group 225 is 4"),
        ('[["Li", "a", 4], ["O", "b", 4]]', "row 2: sites hold 4 atoms of O in the conventional cell"),
        ("Li a F b", "row 2: sites: found 'Li a F b', allowed: a JSON list"),
        (None, "row 2: sites: found 'None', allowed: a JSON list"),
        ("[]", "row 2: sites: found an empty list"),
    ],
)
def test_impossible_sites_are_refused_with_their_row(text, message):
    space = site_space((225,), (3, 8, 9), **FREE)
    good = '[["Li", "a", 4], ["F", "b", 4]]'
    crystals = Crystals(
        (3, 9),
        torch.tensor([225, 225]),
        torch.tensor([[4, 4], [4, 4]]),
        torch.tensor([[4.03, 4.03, 4.03, 90.0, 90.0, 90.0]] * 2),
        {"wyckoff": [good, text]},
    )
    with pytest.raises(DataError) as error:
        space.states(crystals)
    assert message in str(error.value)
    without = Crystals(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice)
    with pytest.raises(DataError, match="no sites: found no column 'wyckoff'"):
        space.states(without)


def test_steps_record_every_letter():
    space = site_space((2, 62), (3, 8), **{**FREE, "n_atoms_primitive": (1, 5), "n_elements": (1, 2)})
    drawn = random_policy(space, 6).sample(50, space, generator=torch.Generator().manual_seed(0))
    steps = drawn.of(SiteSteps)
    owner, place = steps.decisions()
    assert steps.masks[owner, place].any(1).all()
    assert len(owner) == int((steps.length + 1).sum())
    assert isinstance(space.composition, SlotElementSpace)
