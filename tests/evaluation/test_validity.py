"""Validity checks find every kind of violation, and agree with pyxtal and with brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pyxtal.symmetry import Group

from composition_constraints import composition_constraints
from crystalgfn.config import parse_config
from crystalgfn.crystallography.balance import ordered_by_electronegativity
from crystalgfn.crystallography.charges import is_neutral
from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.crystallography.space_groups import (
    CENTERING_MULTIPLICITY,
    CRYSTAL_LATTICE_SYSTEM,
    CRYSTAL_LATTICE_SYSTEMS,
    POINT_SYMMETRIES,
    POINT_SYMMETRY,
)
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.cell_rules import CellRanges
from crystalgfn.evaluation.validity import check, check_section
from crystalgfn.spaces.constraints.registry import with_values
from direct_compositions import passes_pauling
from policy_setup import random_policy, small_space

LI, OX, MG, FE = 3, 8, 12, 26
LIMITS = composition_constraints(
    n_elements=(2, 3), n_atoms=(2, 40), n_atoms_primitive=(2, 20), atoms_per_element=(1, 20), charge="per_element"
)
# rock salt and hematite with their real cells
GOOD = [
    (225, {MG: 4, OX: 4}, [4.21, 4.21, 4.21, 90, 90, 90]),
    (167, {FE: 12, OX: 18}, [5.04, 5.04, 13.75, 90, 90, 120]),
]


def make(rows, **columns):
    elements = (OX, LI, MG, FE)
    return Crystals(
        elements,
        torch.tensor([group for group, _, _ in rows]),
        torch.tensor([[counts.get(z, 0) for z in elements] for _, counts, _ in rows]),
        torch.tensor([lattice for _, _, lattice in rows], dtype=torch.float64),
        columns,
    )


def changed(group=225, counts=None, lattice=None):
    return [(group, counts or GOOD[0][1], lattice or GOOD[0][2])]


def violations(rows, **options):
    """Names of what is violated, without a second look at what is not asked."""
    asked, ranges = {}, {}
    for key, value in options.items():
        (ranges if key in CellRanges.__dataclass_fields__ else asked)[key] = value
    report = check(make(rows), with_values(LIMITS, **asked), cells=CellRanges(**ranges))
    return {name for name, count in report.violations.items() if count}


def test_real_crystals_are_valid():
    limits = with_values(LIMITS, numbers=frozenset((167, 225)), longest_over_shortest=7.5)
    ranges = CellRanges(volume=(0.55, 1.6), box=(0.9, 100), triclinic=(50, 150))
    report = check(make(GOOD), limits, cells=ranges)
    assert report.ok
    assert report.valid.all()
    assert report.n == 2
    assert str(report).startswith("2 crystals, no violation of space_group")


@pytest.mark.parametrize(
    ("rows", "options", "expected"),
    [
        (changed(), {"numbers": frozenset((1, 2))}, {"space_group"}),
        (changed(counts={MG: 4, OX: 5}), {}, {"centering", "neutrality", "wyckoff"}),
        (changed(counts={MG: 4, OX: 8}), {}, {"neutrality"}),
        (changed(counts={MG: 8, OX: 8}), {}, set()),
        (changed(counts={MG: 12, OX: 12}), {}, {"wyckoff"}),  # 4a and 4b once each, 8c: 12 + 12 do not fit
        (changed(counts={MG: 4}), {}, {"n_elements", "n_atoms_primitive"}),
        (changed(counts={MG: 32, OX: 32}), {}, {"n_atoms", "atoms_per_element"}),
        (changed(group=1, counts={MG: 1, OX: 1}), {}, set()),
        (changed(group=1, counts={MG: 15, OX: 15}), {}, {"n_atoms_primitive"}),
        (changed(lattice=[4, 4, 5, 90, 90, 90]), {}, {"lattice_system"}),
        (changed(lattice=[4, 4, 4, 90, 90, 90.01]), {}, {"lattice_system"}),
        (changed(group=2, lattice=[4, 4, 4, 150, 150, 150]), {}, {"cell"}),
        (changed(group=2, lattice=[4, -4, 4, 90, 90, 90]), {}, {"cell"}),
        (changed(lattice=[float("nan")] * 6), {}, {"cell", "lattice_system"}),
        (changed(lattice=[9, 9, 9, 90, 90, 90]), {"volume": (0.55, 1.6)}, {"volume"}),
        (
            changed(1, None, [3, 3, 25, 90, 90, 90]),
            {"longest_over_shortest": 7.5},
            {"longest_over_shortest"},
        ),
        (changed(1, None, [3, 3, 25, 90, 90, 90]), {"lengths": (0.9, 24)}, {"lengths"}),
        (changed(1, None, [5, 5, 5, 45, 90, 90]), {"angles": (50, 150)}, {"angles"}),
        (changed(1, None, [5, 5, 5, 45, 90, 90]), {"triclinic": (50, 150)}, {"triclinic"}),
        (changed(6, None, [5, 5, 5, 90, 140, 90]), {"triclinic": (50, 130)}, set()),
        (changed(6, None, [5, 5, 5, 90, 140, 90]), {"monoclinic": (50, 130)}, {"monoclinic"}),
        # 8 atoms with 161.2 g/mol in 74.6 A^3
        (changed(), {"density": (3.58, 3.60), "volume_per_atom": (9.32, 9.33)}, set()),
        (changed(), {"density": (3.60, 4)}, {"density"}),
        (changed(), {"volume_per_atom": (9.34, 12)}, {"volume_per_atom"}),
        # hematite: a = 5.427 A and alpha = 55.3 degree in the primitive cell
        (GOOD[1:], {"box": (5.42, 5.43), "rhombohedral": (55.2, 55.4), "lengths": (5, 14)}, set()),
        (GOOD[1:], {"box": (5, 5.42)}, {"box"}),
        (GOOD[1:], {"rhombohedral": (56, 90)}, {"rhombohedral"}),
        (GOOD[1:], {"lengths": (5, 13)}, {"lengths"}),
    ],
)
def test_each_violation_is_found(rows, options, expected):
    assert violations(rows, **options) == expected


def test_required_and_allowed_elements():
    wanted = composition_constraints(n_elements=(2, 2), required=(FE,), allowed=(FE, OX), atoms_per_element=(1, 20))
    report = check(make(GOOD), wanted)
    assert report.violations["elements"] == 1
    assert report.first["elements"] == 0
    assert report.valid.tolist() == [False, True]
    assert "elements 1 (first: 0)" in str(report)
    assert "\n" not in str(report)


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({"any_of": ((LI, MG), (OX,))}, set()),
        ({"any_of": ((MG,), (LI, FE))}, {"any_of"}),
        ({"stoichiometry": Stoichiometry.parse("AB")}, set()),
        ({"stoichiometry": Stoichiometry.parse("MgO")}, set()),
        ({"stoichiometry": Stoichiometry.parse("MgX")}, set()),
        ({"stoichiometry": Stoichiometry.parse("FeX")}, {"stoichiometry"}),
        ({"stoichiometry": Stoichiometry.parse("AB2")}, {"stoichiometry"}),
        ({"stoichiometry": Stoichiometry.parse("MgOX")}, {"stoichiometry"}),
        ({"stoichiometry": Stoichiometry.parse("AMgOXZ")}, {"stoichiometry"}),
        ({"stoichiometry": Stoichiometry.parse("Mg")}, {"stoichiometry"}),
        ({"shares": ((OX, 0.5, 0.5), (FE, 0.0, 0.1))}, set()),
        ({"shares": ((OX, 0.51, 1.0),)}, {"shares"}),
        ({"shares": ((FE, 0.01, 1.0),)}, {"shares"}),
        ({"electronegativity": True}, set()),
    ],
)
def test_wishes_on_the_composition(wishes, expected):
    assert violations(GOOD[:1], **wishes) == expected


def test_electronegativity_agrees_with_smact_on_random_compositions():
    random = np.random.default_rng(0)
    elements = (1, 6, 8, 14, 26, 29, 34, 46, 75, 77)  # several pairs with equal electronegativities
    counts = random.integers(1, 4, (600, len(elements))) * (random.random((600, len(elements))) < 0.3)
    found = ordered_by_electronegativity(counts, elements)
    assert 0.1 < found.mean() < 0.9
    for row, verdict in zip(counts.tolist(), found.tolist(), strict=True):
        pairs = [(z, n) for z, n in zip(elements, row, strict=True) if n]
        assert verdict == passes_pauling(tuple(z for z, _ in pairs), tuple(n for _, n in pairs))


def test_a_section_asks_for_what_it_says():
    def broken(**keys):
        config = parse_config(
            {"constraints": {"elements": ["O", "Li", "Mg", "Fe"], "atoms_per_element": [1, 20], **keys}}
        )
        report = check_section(make(GOOD), config.constraints.model_dump())
        return {name: count for name, count in report.violations.items() if count}

    assert broken() == {}
    assert broken(space_groups={"crystal_system": "cubic"}) == {"space_group": 1}
    assert broken(space_groups={"lattice_system": "trigonal-rhombohedral"}) == {"space_group": 1}
    assert broken(space_groups={"point_symmetry": "polar"}) == {"space_group": 2}
    assert broken(elements={"allowed": "O,Li,Mg,Fe", "any_of": [["Li", "Fe"]]}) == {"any_of": 1}
    assert broken(elements={"allowed": "O,Li,Mg,Fe", "forbidden": ["Mg"]}) == {"elements": 1}
    assert broken(stoichiometry="A2B3") == {"stoichiometry": 1}
    assert broken(shares={"Fe": [0.3, 0.4]}) == {"shares": 1}
    assert broken(rules={"at_most_one_of": [["Mg", "O"], ["Fe", "Li"]]}) == {"rules": 1}
    assert broken(electronegativity="smact", charge="per_element") == {}
    assert broken(lattice={"lengths": [4, 10], "density": [2, 5]}) == {"lengths": 1, "density": 1}
    assert broken(lattice={"volume_per_atom": [10, 20], "angles": [80, 100]}) == {"volume_per_atom": 1, "angles": 1}
    assert broken(lattice={"longest_over_shortest": 2.5}) == {"longest_over_shortest": 1}
    assert broken(lattice={"kind": "box", "box": [4.5, 9], "box_angles": [60, 120]}) == {"box": 1, "rhombohedral": 1}


def test_mixed_valence_and_no_rule():
    magnetite = [(227, {FE: 24, OX: 32}, [8.39, 8.39, 8.39, 90, 90, 90])]
    for rule, expected in (("per_element", {"neutrality"}), ("per_atom", set()), ("none", set())):
        limits = composition_constraints(n_atoms=(1, 100), atoms_per_element=(1, 64), charge=rule)
        broken = {name for name, count in check(make(magnetite), limits).violations.items() if count}
        assert broken == expected


def test_atoms_that_a_centering_relates_have_one_state():
    # two H in a body-centred cell are one in the primitive cell, which cannot be both +1 and -1
    limits = composition_constraints(n_atoms=(1, 100), charge="per_atom")
    crystals = Crystals(
        (1, 17), torch.tensor([139, 123]), torch.tensor([[2, 4], [2, 4]]), torch.tensor([[4.0] * 3 + [90.0] * 3] * 2)
    )
    assert check(crystals, limits).valid.tolist() == [False, True]


def test_labels_must_agree_with_the_space_group():
    names = [CRYSTAL_LATTICE_SYSTEMS[CRYSTAL_LATTICE_SYSTEM[g] - 1] for g, _, _ in GOOD]
    kinds = [POINT_SYMMETRIES[POINT_SYMMETRY[g] - 1] for g, _, _ in GOOD]
    good = make(GOOD, crystal_lattice_system=np.array(names, object), point_symmetry=np.array(kinds, object))
    assert check(good).ok
    wrong = make(GOOD, crystal_lattice_system=np.array(names[::-1], object))
    assert check(wrong).violations["labels"] == 2


def test_what_cannot_be_checked_is_an_error():
    with pytest.raises(DataError, match="found 0"):
        check(make(GOOD)[[]])
    with pytest.raises(DataError, match="from 225 to 231, allowed: 1 to 230"):
        check(make([*changed(), *changed(group=231)]))
    with pytest.raises(DataError, match="-4, allowed"):
        check(make(changed(counts={MG: -4, OX: 8})), LIMITS)


@pytest.mark.parametrize("neutrality", ["per_element", "per_atom"])
def test_verdicts_on_random_crystals_agree_with_pyxtal_and_brute_force(neutrality):
    random = np.random.default_rng(0)
    groups = random.integers(1, 231, 400)
    counts = random.integers(0, 3, (400, 4)) * CENTERING_MULTIPLICITY[groups][:, None] * random.integers(1, 4, (400, 1))
    counts[:, 0] += CENTERING_MULTIPLICITY[groups]
    lattice = torch.tensor([[5.0] * 3 + [90.0] * 3]).expand(400, 6)
    crystals = Crystals((OX, LI, MG, FE), torch.from_numpy(groups), torch.from_numpy(counts), lattice)
    for row, (group, own) in enumerate(zip(groups.tolist(), counts.tolist(), strict=True)):
        present = {z: n for z, n in zip(crystals.elements, own, strict=True) if n}
        cells = int(CENTERING_MULTIPLICITY[group])
        limits = composition_constraints(n_atoms=(1, 10_000), atoms_per_element=(1, 10_000), charge=neutrality)
        found = check(crystals[[row]], limits).violations
        assert bool(found["wyckoff"]) != Group(group).check_compatible(list(present.values()))[0]
        assert bool(found["neutrality"]) != is_neutral({z: n // cells for z, n in present.items()}, neutrality)


def test_samples_of_an_untrained_policy_are_valid():
    space = small_space(groups=range(1, 231), charge="per_element", n_atoms_primitive=(1, 12))
    states = random_policy(space, 0).sample(4000, space, generator=torch.Generator().manual_seed(0)).states
    limits = with_values(space.composition.constraints, longest_over_shortest=7.5)
    ranges = CellRanges(volume=(0.55, 1.6), triclinic=(60, 120), monoclinic=(90, 135))
    report = check(space.crystals(states), limits, cells=ranges)
    assert report.ok, str(report)
