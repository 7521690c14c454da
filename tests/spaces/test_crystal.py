"""The stack of the three spaces: decoding and encoding agree, and impossible constraints name their culprit."""

from __future__ import annotations

import pytest
import torch

from composition_constraints import composition_constraints
from crystalgfn.crystallography.elements import ATOMIC_VOLUME, FORMULA_ORDER
from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY, RHOMBOHEDRAL
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConstraintError
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.spaces.constraints.registry import with_values
from crystalgfn.spaces.crystal import CrystalSpace, formula_order
from crystalgfn.spaces.lattice import CellContents
from crystalgfn.spaces.lattice_box import BoxLattice
from crystalgfn.spaces.lattice_volume import VolumeLattice
from crystalgfn.spaces.states import CrystalStates

LIMITS = composition_constraints(
    n_elements=(2, 3), n_atoms=(1, 400), n_atoms_primitive=(1, 12), atoms_per_element=(1, 64)
)
ELEMENTS = [26, 8, 3, 12]
LATTICES = {"volume": VolumeLattice(), "box": BoxLattice((2.0, 30.0))}


def space_of(lattice="volume", lebesgue=False, elements=ELEMENTS, groups=range(1, 231), limits=LIMITS):
    return CrystalSpace(elements, groups, constraints=limits, lattice=LATTICES[lattice], lebesgue=lebesgue)


def draw(space, number, seed=0):
    torch.manual_seed(seed)
    policy = policy_of(space, PolicyOptions(width=32, layers=2))
    return policy.sample(number, space, generator=torch.Generator().manual_seed(seed)).states


@pytest.mark.parametrize("lattice", LATTICES)
def test_states_and_crystals_are_two_views_of_the_same(lattice):
    space = space_of(lattice)
    states = draw(space, 3000)
    crystals = space.crystals(states)
    back, rows = space.states(crystals)
    assert torch.equal(rows, torch.arange(3000))
    assert torch.equal(back.space_group, states.space_group)
    assert torch.equal(back.elements, states.elements)
    assert torch.equal(back.counts, states.counts)
    assert torch.allclose(back.u, states.u, atol=1e-9)


def test_elements_of_crystals_may_stand_in_any_order_and_include_others():
    space = space_of()
    states = draw(space, 200)
    crystals = space.crystals(states)
    shuffled = crystals.with_elements((17, 8, 26, 12, 1, 3))
    back, rows = space.states(shuffled)
    assert len(rows) == 200
    assert torch.equal(back.counts, states.counts)
    counts = shuffled.counts.clone()
    counts[::2, 0] = 4  # chlorine is not in the space
    foreign = Crystals(shuffled.elements, shuffled.space_group, counts, shuffled.lattice)
    assert space.states(foreign)[1].tolist() == list(range(1, 200, 2))


def test_crystals_outside_the_space_are_left_out_by_number():
    space = space_of(groups=range(2, 231))
    good = space.crystals(draw(space, 6))
    changed = {
        "space_group": good.space_group.clone(),
        "counts": good.counts.clone(),
        "lattice": good.lattice.clone(),
    }
    changed["space_group"][0] = 1
    changed["counts"][1] *= 40
    changed["counts"][2] = 0
    changed["lattice"][3, :3] *= 3
    changed["lattice"][4] = torch.nan
    crystals = Crystals(good.elements, **changed)
    assert space.states(crystals)[1].tolist() == [5]


def test_no_crystal_inside_gives_no_states():
    space = space_of()
    crystals = Crystals(
        (92,), torch.tensor([1, 225]), torch.tensor([[3], [4]]), torch.tensor([[5.0] * 3 + [90.0] * 3] * 2)
    )
    states, rows = space.states(crystals)
    assert len(states) == len(rows) == 0
    # elements and counts are allowed, but the positions of the group are not multiples
    counts = torch.tensor([[1, 1]])
    crystals = Crystals((12, 8), torch.tensor([230]), counts, torch.tensor([[5.0] * 3 + [90.0] * 3]))
    assert len(space.states(crystals)[0]) == 0


def test_counts_are_those_of_the_conventional_cell():
    space = space_of()
    states = draw(space, 500)
    crystals = space.crystals(states)
    cells = torch.tensor(CENTERING_MULTIPLICITY)[states.space_group]
    assert torch.equal(crystals.n_atoms, states.counts.sum(1) * cells)
    estimate = crystals.counts.double() @ torch.tensor([ATOMIC_VOLUME[z] for z in space.elements])
    ratio = crystals.volume / estimate
    assert torch.allclose(ratio, 0.55 * (1.6 / 0.55) ** states.u[:, 0], rtol=1e-9)
    assert torch.isin(states.space_group, torch.tensor(RHOMBOHEDRAL)).any()


def test_elements_grow_in_formula_order():
    space = space_of()
    assert space.elements == formula_order(ELEMENTS) == tuple(z for z in FORMULA_ORDER if z in ELEMENTS)
    states = draw(space, 500)
    filled = (states.elements > 0).sum(1)
    for t in range(1, space.max_elements):
        grows = states.elements[:, t] > states.elements[:, t - 1]
        assert (grows | (filled <= t)).all()


def test_measure_joins_the_log_reward_only_when_asked():
    space, wide = space_of("box"), space_of("box", lebesgue=True)
    states = draw(space, 300)
    assert not space.log_measure(states).any()
    system, n_atoms = space.lattice.system(states.space_group), space.crystals(states).n_atoms
    contents = CellContents(n_atoms, n_atoms * 1.0, n_atoms * 1.0)
    expected = wide.lattice.decoder.log_volume_element(states.u, system, contents)
    assert torch.allclose(wide.log_measure(states), expected.float())
    assert expected.std() > 1


def test_joining_and_slicing_states():
    states = draw(space_of(), 20)
    joined = CrystalStates.concatenate((states[:5], states[torch.arange(5, 20)]))
    for name in ("space_group", "elements", "counts", "u"):
        assert torch.equal(getattr(joined, name), getattr(states, name))
    assert len(states[:5]) == 5


# what is changed in LIMITS, elements, groups, and the words the message must and must not hold
IMPOSSIBLE = {
    "neutrality": ({"n_elements": (2, 3)}, [3, 12], [1], "neutrality per_element", "wyckoff"),
    "n_elements": (
        {"n_elements": (3, 3), "atoms_per_element": (1, 12)},
        [3, 8],
        [1],
        "n_elements [3, 3]",
        "neutrality",
    ),
    "n_atoms": ({"n_atoms": (1, 2)}, [12, 8], [225], "n_atoms [1, 2]", "neutrality"),
    "n_atoms_primitive": ({"n_atoms_primitive": (1, 1)}, [12, 8], [2], "n_atoms_primitive [1, 1]", "neutrality"),
    "atoms_per_element": ({"atoms_per_element": (1, 3)}, [12, 8], [225], "atoms_per_element [1, 3]", "neutrality"),
    "required": ({"required": (2,)}, [2, 12, 8], [1], "required He", "wyckoff"),
    "allowed": ({"allowed": (12,)}, [12, 8], [1], "allowed elements", "wyckoff"),
    "wyckoff": ({"n_atoms": (2, 10), "charge": "none"}, [12, 8], [230], "wyckoff", "neutrality"),
    "any_of": ({"any_of": ((2, 10),)}, [2, 10, 12, 8], [1], "any_of He Ne", "wyckoff"),
    "stoichiometry": ({"stoichiometry": Stoichiometry.parse("MgO5")}, [12, 8], [1], "stoichiometry O5Mg", "wyckoff"),
    "stoichiometry and n_elements": (
        {"stoichiometry": Stoichiometry.parse("ABO3"), "n_elements": (2, 2)},
        [12, 8, 14],
        [1],
        "n_elements [2, 2]",
        "wyckoff",
    ),
    "shares": ({"shares": ((8, 0.8, 0.9),)}, [12, 8], [1], "shares O [0.8, 0.9]", "wyckoff"),
    "electronegativity": (
        {"electronegativity": True, "n_elements": (2, 2)},
        [6, 34],
        [1],
        "electronegativity",
        "n_atoms",
    ),
    "other groups": ({"n_atoms": (1, 6), "atoms_per_element": (1, 3)}, [12, 8], [227, 228], "", "\n"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE, ids=str)
def test_impossible_constraints_name_the_culprit_in_one_line(case):
    changes, elements, groups, words, absent = IMPOSSIBLE[case]
    with pytest.raises(ConstraintError) as error:
        space_of(elements=elements, groups=groups, limits=with_values(LIMITS, **changes))
    message = str(error.value)
    assert "\n" not in message
    assert words in message
    assert absent not in message


@pytest.mark.parametrize(
    ("elements", "groups", "changes", "words"),
    [
        ([], [1], {}, "element"),
        ([8], [], {}, "space group"),
        ([8, 12], [1], {"required": (26,)}, "Fe"),
    ],
)
def test_empty_choices_say_so(elements, groups, changes, words):
    with pytest.raises(ConstraintError, match=words) as error:
        space_of(elements=elements, groups=groups, limits=with_values(LIMITS, **changes))
    assert "\n" not in str(error.value)


def test_groups_without_a_composition_are_not_sampled():
    space = space_of(limits=with_values(LIMITS, n_atoms_primitive=(1, 3)), groups=[1, 225, 230])
    assert space.groups.allowed.nonzero().flatten().tolist() == [1, 225]
    assert "2 groups" in repr(space)
