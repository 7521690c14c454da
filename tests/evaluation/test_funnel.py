"""What constraints leave of naive proposals: against enumeration, a direct look at each, and the checks of samples."""

from itertools import combinations, product

import numpy as np
import pytest

from crystalgfn.config import parse_config
from crystalgfn.crystallography.charges import is_neutral
from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY, CRYSTAL_LATTICE_SYSTEM
from crystalgfn.crystallography.wyckoff import is_compatible
from crystalgfn.evaluation.cell_rules import CellRanges
from crystalgfn.evaluation.funnel import STEPS, funnel
from crystalgfn.evaluation.proposals import naive_crystals
from crystalgfn.evaluation.validity import check_section, rules
from crystalgfn.spaces.constraints.registry import CONSTRAINTS, constraints_of
from crystalgfn.spaces.lattice import FREE

GROUPS = [2, 12, 62, 139, 148, 166, 194, 225]


def section(**keys):
    small = {
        "elements": ["Li", "O", "F", "Fe"],
        "space_groups": GROUPS,
        "n_elements": [1, 3],
        "n_atoms_primitive": [1, 8],
        "atoms_per_element": [1, 24],
    }
    return parse_config({"constraints": {**small, **keys}}).constraints.model_dump()


WISHES = {
    "as it is": ({}, []),
    "box": ({"lattice": {"kind": "box", "lengths": [3, 12]}}, []),
    "no rule": ({"charge": "none", "wyckoff": False}, []),
    "electronegativity": ({"electronegativity": "smact"}, ["electronegativity"]),
    "stoichiometry": ({"stoichiometry": "A2B"}, ["stoichiometry"]),
    "shares": ({"shares": {"O": [0.3, 0.7]}}, ["shares of elements"]),
    "rules": ({"rules": {"at_most_one_of": [["F", "O"]]}}, ["further rules"]),
    "density": ({"lattice": {"density": [2, 6], "volume_per_atom": [5, 4000]}}, ["density"]),
    "required": ({"elements": {"allowed": "Li,O,F,Fe", "required": "O"}}, ["elements asked for"]),
    "one of": ({"elements": {"allowed": "Li,O,F,Fe", "any_of": [["Li", "F"]]}}, ["elements asked for"]),
}


def test_proposals_know_the_vocabulary_and_the_lattice_system_only():
    wanted = section(elements={"allowed": "Li,O,F,Fe", "forbidden": "F"})
    crystals = naive_crystals(wanted, 4000, seed=1)
    assert crystals.elements == (3, 8, 26)
    assert set(crystals.space_group.tolist()) == set(GROUPS)
    found = check_section(crystals, wanted).violations
    kept = ("space_group", "elements", "n_elements", "centering", "atoms_per_element", "n_atoms")
    assert {found[rule] for rule in kept} == {0}
    assert all(found[rule] > 0 for rule in ("neutrality", "wyckoff", "n_atoms_primitive", "cell", "volume"))
    exists = ~crystals.lattice.isnan().any(1)
    assert check_section(crystals[exists], wanted).violations["lattice_system"] == 0
    rhombohedral = np.isin(crystals.space_group.numpy(), [148, 166])
    assert not exists[~rhombohedral].logical_not().any()
    # a primitive angle above 120 degree closes no cell: 30 of the 100 degrees it is drawn from
    assert (~exists[rhombohedral]).double().mean().item() == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("charge", ["per_element", "per_atom"])
def test_shares_of_compositions_are_those_of_an_enumeration(charge):
    wanted = section(charge=charge)
    numbers = [atomic_number(s) for s in wanted["elements"]["allowed"]]
    exact = dict.fromkeys(("number of atoms", "Wyckoff positions", "charge neutrality"), 0.0)
    for group, size in product(GROUPS, (1, 2, 3)):
        cells = int(CENTERING_MULTIPLICITY[group])
        most = min(24 // cells, 8)
        sets = list(combinations(numbers, size))
        for members, counts in product(sets, product(range(1, most + 1), repeat=size)):
            weight = 1 / (len(GROUPS) * 3 * len(sets) * most**size)
            if sum(counts) > 8:
                continue
            exact["number of atoms"] += weight
            if not is_compatible(group, [n * cells for n in counts]):
                continue
            exact["Wyckoff positions"] += weight
            if is_neutral(dict(zip(members, counts, strict=True)), charge):
                exact["charge neutrality"] += weight
    found = funnel(wanted, n=30_000)
    for step, share in exact.items():
        error = np.sqrt(share * (1 - share) / found.n)
        assert found.shares[step] == pytest.approx(share, abs=4 * error), step


def test_counts_are_those_of_a_direct_look_at_each_proposal():
    wanted = section()
    crystals = naive_crystals(wanted, 3000, seed=5)
    left = dict.fromkeys(("number of atoms", "Wyckoff positions", "charge neutrality", "cell exists"), 0)
    for group, counts, lattice in zip(
        crystals.space_group.tolist(), crystals.counts.tolist(), crystals.lattice.tolist(), strict=True
    ):
        cells = int(CENTERING_MULTIPLICITY[group])
        own = {z: n // cells for z, n in zip(crystals.elements, counts, strict=True) if n}
        cosines = np.cos(np.radians(lattice[3:]))
        judged = {
            "number of atoms": sum(own.values()) <= 8,
            "Wyckoff positions": is_compatible(group, counts),
            "charge neutrality": is_neutral(own, "per_element"),
            "cell exists": 1 + 2 * cosines.prod() - (cosines**2).sum() > 0 and not np.isnan(lattice).any(),
        }
        for step, holds in judged.items():
            if not holds:
                break
            left[step] += 1
    found = funnel(wanted, n=3000, seed=5).left
    assert {step: found[step] for step in left} == left


@pytest.mark.parametrize("name", WISHES)
def test_no_constraint_is_left_out(name):
    keys, own = WISHES[name]
    wanted = section(**keys)
    found = funnel(wanted, n=2000, seed=3)
    proposals = naive_crystals(wanted, 2000, seed=3)
    numbers = [2000, *found.left.values()]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == check_section(proposals, wanted).valid.sum()  # all rules at once, in no order
    assert set(own) <= set(found.left)
    others = {step for _, steps in WISHES.values() for step in steps} - set(own)
    assert not others & set(found.left)
    assert [step for step in STEPS if step in found.left] == list(found.left)


def test_every_rule_of_the_checks_has_a_step():
    everything = section(
        elements={"allowed": "Li,O,F,Fe", "required": "O", "any_of": [["Li", "Fe"]]},
        stoichiometry="A2B",
        shares={"O": [0.3, 0.7]},
        rules={"at_most_one_of": [["F", "Fe"]]},
        electronegativity="smact",
        lattice={"lengths": [3, 12], "angles": [60, 120], "density": [1, 9], "volume_per_atom": [5, 30]},
    )
    sections = [everything, section(), section(lattice={"kind": "box", "longest_over_shortest": 3})]
    proposals = naive_crystals(section(), 50)
    judged = [rule for wanted in sections for rule in rules_of(wanted)]
    assert {rule.step for rule in judged} == set(STEPS)
    assert {rule.name for rule in judged} >= {
        kind.rule_name() for kind in CONSTRAINTS if kind.subspace != "sites"
    }  # proposals have no sites
    checked = {name for wanted in sections for name in check_section(proposals, wanted).violations}
    assert checked == {rule.name for rule in judged}


def rules_of(wanted):
    constraints = constraints_of(wanted)
    return rules(constraints, CellRanges.of(wanted["lattice"], constraints))


def test_nothing_may_be_left_and_samples_are_judged_alike():
    wanted = section(lattice={"volume_per_atom": [1e-3, 2e-3]})
    valid = check_section(naive_crystals(section(), 4000), section()).valid
    samples = naive_crystals(section(), 4000)
    found = funnel(wanted, samples, n=500)
    assert found.left["space for the atoms"] == 0
    assert (found.samples, found.valid) == (4000, 0)
    assert funnel(section(), samples, n=500).valid == valid.sum()
    assert funnel(wanted, n=500).samples == 0


def test_free_parameters_are_those_of_the_system():
    crystals = naive_crystals(section(space_groups="all"), 3000)
    systems = CRYSTAL_LATTICE_SYSTEM[crystals.space_group.numpy()]
    angles = crystals.lattice[:, 3:].numpy()
    for system in (1, 2, 3):
        of_system = angles[systems == system]
        assert (of_system.std(0) > 1).tolist() == FREE[system, 3:].tolist()
        assert of_system[:, FREE[system, 3:].numpy()].min(initial=50) >= 50
