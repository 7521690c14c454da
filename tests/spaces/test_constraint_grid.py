"""Random sets of constraints: every sample of what is feasible passes an independent checker, and refusals are true."""

from __future__ import annotations

from collections import Counter
from unittest.mock import patch

import pytest
import torch
from hypothesis import event, given, seed, settings

from constraint_sections import GROUPS, NAMED, named, placed, relaxed, sections, site_sections, wishes
from crystalgfn.config import parse_config
from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs.build import build_space
from crystalgfn.runs.model import untrained
from crystalgfn.spaces.constraints.registry import constraints_of
from direct_compositions import enumerate_directly
from direct_sites import enumerate_sites
from policy_setup import random_policy

SHARDS, SETS, SAMPLES = 4, 64, 100
"""Sets of constraints in each shard, crystals drawn of each set that is feasible."""


def space_of(section):
    return build_space(parse_config({"constraints": section}).constraints)


def is_feasible(section):
    """Whether a space can be built; why not is not asked for, which would take a dozen times as long."""
    with patch("crystalgfn.spaces.crystal.explain_empty", return_value=""):
        try:
            space_of(section)
        except ConstraintError:
            return False
    return True


def full(section):
    """The section with the default of every key that it leaves open."""
    return parse_config({"constraints": section}).constraints.model_dump()


def direct_limits(section):
    """What the checker reads from a section, for enumeration."""
    return constraints_of(full(section))


def assert_true(message, section, fixed=()):
    """Check every claim of a refusal by building again without what it names; ``fixed`` limits are not relaxed."""
    assert message
    assert "\n" not in message
    if "relaxed alone" in message:
        keys = named(message)
        assert keys or "all of lattice." in message, message
        for key in set(keys) - set(fixed):
            assert is_feasible(relaxed(section, key)), f"{message}: not so for {key}"
    elif "other groups would" in message:
        assert is_feasible(section | {"space_groups": "all"}), message
    elif "relaxing no single one" in message:
        for key in NAMED:
            if key in fixed or relaxed(section, key) == section:
                continue
            assert not is_feasible(relaxed(section, key)), f"{message}: but {key} does"
        assert not is_feasible(section | {"space_groups": "all"}), message
    elif "not among those of the space" in message:
        wanted = message.partition("required elements ")[2].partition(" are not")[0].split(", ")
        assert not set(wanted) & set(section["elements"]["allowed"]), message
    else:  # a bound on the lattice that contradicts itself or the decoder
        assert message.startswith("lattice."), message
        key = message.removeprefix("lattice.").split()[0].rstrip(":")
        assert is_feasible(relaxed(section, key)), message


def assert_nothing_there(section):
    """Try every composition, where these are few and the cell is not bounded."""
    config = parse_config({"constraints": section}).constraints
    lattice, limits = config.lattice, direct_limits(section)
    bounded = lattice.lengths or lattice.angles or lattice.density or lattice.volume_per_atom != "auto"
    if bounded or limits["n_atoms_primitive"][1] > 7:
        return False
    numbers = tuple(atomic_number(s) for s in config.elements.allowed)
    for group in config.groups:
        assert not enumerate_directly(numbers, group, limits), (section, group)
    return True


@pytest.mark.parametrize("shard", range(SHARDS))
def test_random_sets_of_constraints(shard):
    outcomes, seen = Counter(), set()

    @seed(shard)
    @settings(max_examples=SETS, database=None)
    @given(sections())
    def hold_or_are_refused(section):
        seen.add(repr(section))
        try:
            space = space_of(section)
        except ConfigError as refusal:
            assert "\n" not in str(refusal)
            outcomes["contradict themselves"] += 1
            return
        except ConstraintError as refusal:
            event("refused")
            outcomes["refused"] += 1
            assert_true(str(refusal), section)
            outcomes["enumerated"] += assert_nothing_there(section)
            return
        event("feasible")
        outcomes["feasible"] += 1
        assert_samples_hold(space, section, seed=len(seen))

    hold_or_are_refused()
    assert len(seen) >= 3 * SETS // 4
    assert outcomes["feasible"] >= SETS // 4, outcomes
    assert outcomes["refused"] >= SETS // 6, outcomes
    assert outcomes["enumerated"] >= SETS // 32, outcomes
    assert outcomes["contradict themselves"] <= SETS // 3, outcomes


# ---- with sites


@pytest.mark.parametrize("shard", range(2))
def test_random_sets_of_constraints_with_sites(shard):
    outcomes = Counter()

    @seed(shard)
    @settings(max_examples=SETS // 2, database=None)
    @given(site_sections())
    def hold_or_are_refused(section):
        try:
            space = space_of(section)
        except ConfigError as refusal:
            assert "\n" not in str(refusal)
            outcomes["contradict themselves"] += 1
            return
        except ConstraintError as refusal:
            outcomes["refused"] += 1
            assert_true(str(refusal), section, fixed={"n_atoms_primitive"})  # diagnosis keeps to cells of this size
            assert not all_sites(section), section
            return
        outcomes["feasible"] += 1
        outcomes["with rules for sites"] += bool(section.get("element_sites"))
        wanted = all_sites(section)
        assert set(space.groups.allowed.nonzero().flatten().tolist()) == {group for group, *_ in wanted}, section
        assert_samples_hold(space, section, seed=0)

    hold_or_are_refused()
    assert outcomes["feasible"] >= SETS // 6, outcomes
    assert outcomes["refused"] >= SETS // 24, outcomes
    assert outcomes["with rules for sites"] >= SETS // 16, outcomes


def assert_samples_hold(space, section, *, seed):
    """Samples of a random policy pass the independent check, and are states again."""
    policy = random_policy(space, seed=seed)
    crystals = space.crystals(policy.sample(SAMPLES, space, generator=torch.Generator().manual_seed(0)).states)
    report = check_section(crystals, full(section))
    assert report.ok, f"{report}: {section}"
    assert len(space.states(crystals)[1]) == SAMPLES


def all_sites(section):
    """Every crystal of a section, without any mask."""
    config = parse_config({"constraints": section}).constraints
    numbers = tuple(atomic_number(s) for s in config.elements.allowed)
    return enumerate_sites(numbers, list(config.groups), direct_limits(section))


# ---- the same limits given only when sampling, from one policy

WIDE = {
    "elements": {"allowed": ["H", "C", "O", "Mg", "Fe", "Se"]},
    "n_elements": [1, 3],
    "n_atoms": [1, 200],
    "n_atoms_primitive": [1, 8],
    "atoms_per_element": [1, 32],
    "space_groups": {"numbers": GROUPS[::2]},
    "lattice": {},
    "shares": {"O": [0.0, 0.8]},
    "charge": "none",
    "wyckoff": False,
}


@pytest.fixture(scope="module")
def wide():
    """A model with random weights over a wide space."""
    return untrained(
        parse_config(
            {"constraints": WIDE, "objective": [{"property": "density"}], "policy": {"width": 32, "layers": 2}}
        )
    )


@pytest.mark.parametrize("shard", range(2))
def test_random_limits_given_when_sampling(wide, shard):
    outcomes = Counter()

    @seed(shard)
    @settings(max_examples=SETS, database=None)
    @given(wishes(WIDE["elements"]["allowed"], GROUPS[::2]))
    def hold_or_are_refused(limits):
        section = placed(WIDE, limits)
        try:
            narrow = wide.restricted(**limits)
        except ConfigError as refusal:
            assert "\n" not in str(refusal)
            outcomes["contradict themselves"] += 1
            return
        except ConstraintError as refusal:
            outcomes["refused"] += 1
            assert_true(str(refusal), section)
            return
        outcomes["feasible"] += 1
        crystals = narrow.sample(SAMPLES, seed=0)
        report = check_section(crystals, full(section))
        assert report.ok, f"{report}: {limits}"
        assert check_section(crystals, full(WIDE)).violations.keys() <= report.violations.keys() | {"volume"}

    hold_or_are_refused()
    assert outcomes["feasible"] >= SETS // 3, outcomes
    assert outcomes["refused"] >= SETS // 12, outcomes


NARROW = {
    "crystal_system": ["cubic", "hexagonal", "orthorhombic"],
    "charge": "per_element",
    "electronegativity": "smact",
    "wyckoff": True,
    "stoichiometry": "AB",
    "lengths": [2.5, 12.0],
    "density": [0.5, 12.0],
    "longest_over_shortest": 4.0,
    "volume_per_atom": [4.0, 25.0],
}


@pytest.fixture(scope="module")
def narrow(wide):
    return wide.restricted(**NARROW)


@pytest.mark.parametrize(
    "limits",
    [
        {"n_elements": [1, 4]},
        {"n_elements": 4},
        {"n_atoms": [1, 201]},
        {"n_atoms": [None, 300]},
        {"n_atoms": "12"},
        {"n_atoms": 1.5},
        {"n_atoms": ["1", "2"]},
        {"n_atoms_primitive": [1, 9]},
        {"atoms_per_element": [1, 33]},
        {"numbers": [3]},
        {"numbers": "all"},
        {"crystal_system": ["triclinic", "cubic"]},
        {"crystal_system": None},
        {"charge": "none"},
        {"charge": "per_atom"},
        {"electronegativity": "none"},
        {"wyckoff": False},
        {"stoichiometry": "AB2"},
        {"stoichiometry": None},
        {"lengths": [2.0, 20.0]},
        {"lengths": [3.0, 13.0]},
        {"lengths": None},
        {"density": [0.4, 9.0]},
        {"density": [None, 13.0]},
        {"allowed": ["H", "Cl"]},
        {"required": 5},
        {"any_of": None},
        {"kind": "box"},
        {"measure": "lebesgue"},
        {"shares": {"O": [0.0, 0.9]}},
        {"longest_over_shortest": None},
        {"longest_over_shortest": 4.1},
        {"longest_over_shortest": "3"},
        {"volume_per_atom": "auto"},
    ],
    ids=str,
)
def test_wider_limits_are_refused(narrow, limits):
    with pytest.raises(ConfigError) as caught:
        narrow.restricted(**limits)
    assert "\n" not in str(caught.value)


def test_the_ratio_of_lengths_that_training_had_by_default_is_a_limit_too(wide):
    with pytest.raises(ConfigError, match=r"up to 7\.5"):
        wide.restricted(longest_over_shortest=8.0)


def test_a_word_is_one_set_of_elements(wide):
    assert wide.restricted(any_of="O,Fe").config.constraints.elements.any_of == [["O", "Fe"]]
