"""Charges of a section and of restrictions: which rules are narrower, which states may be given, how they are read."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from crystalgfn.config import parse_config
from crystalgfn.crystallography.charges import ChargeRule, Neutrality, is_neutral
from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs.build import build_space
from crystalgfn.runs.model import untrained
from crystalgfn.runs.restrict import narrower
from crystalgfn.spaces.constraints.charges import NARROWER, Charge, OxidationStates

SECTION = {
    "elements": ["Li", "Na", "K", "P", "S", "Cl", "O", "Fe"],
    "space_groups": [1, 62, 225],
    "n_elements": [2, 4],
    "n_atoms_primitive": [1, 12],
    "atoms_per_element": [1, 32],
}


def config(**keys):
    return parse_config(
        {
            "constraints": {**SECTION, **keys},
            "objective": [{"property": "density"}],
            "policy": {"width": 16, "layers": 1},
        }
    )


def compositions(most=4):
    """Compositions of up to three of the elements."""
    for symbols in (("Na", "O"), ("K", "O"), ("Li", "P", "S"), ("Fe", "O"), ("Fe", "S", "Cl"), ("Na", "K", "O")):
        numbers = [atomic_number(symbol) for symbol in symbols]
        for counts in product(range(1, most + 1), repeat=len(numbers)):
            yield dict(zip(numbers, counts, strict=True))


@pytest.mark.parametrize("rule", NARROWER)
def test_narrower_rules_allow_no_more(rule):
    assert set(NARROWER) == set(get_args(ChargeRule))
    assert NARROWER[rule][0] == rule
    for other in NARROWER:
        less = all(is_neutral(c, rule) for c in compositions() if is_neutral(c, other))
        assert less == (other in NARROWER[rule]), other


@pytest.mark.parametrize("was", NARROWER)
@pytest.mark.parametrize("now", NARROWER)
def test_a_restriction_allows_what_both_rules_allow(was, now):
    if now not in NARROWER[was] and now != "common":
        with pytest.raises(ConfigError, match=f"restriction charge: found '{now}', allowed: '{was}' or stricter"):
            Charge.narrowed(was, now)
        return
    found = Charge.narrowed(was, now)
    for counts in compositions():
        assert is_neutral(counts, found) == (is_neutral(counts, was) and is_neutral(counts, now))


def test_states_are_written_in_several_ways():
    wanted = {"P": [5], "S": [-2], "Fe": [2, 3]}
    for written in (
        {"P": 5, "S": -2, "Fe": [2, 3]},
        {"P": [5], "S": [-2], "Fe": (2, 3)},
        "P:5,S:-2,Fe:2,Fe:3",
        "P:+5 S:-2 Fe:2 Fe:+3",
    ):
        read = {symbol: list(states) for symbol, states in OxidationStates.read(written).items()}
        assert read == wanted
        made = config(oxidation_states=written)
        assert parse_config(made.model_dump(mode="json")) == made
    constraints = made.constraints.all_constraints
    assert str(OxidationStates(constraints["oxidation_states"])) == "P:5,S:-2,Fe:2,Fe:3"
    assert constraints["charge"] == Neutrality("per_element", ((15, (5,)), (16, (-2,)), (26, (2, 3))))
    option = OxidationStates.option
    assert option.read(["P:5,S:-2", "Fe:2", "Fe:3"], option.flag) == wanted


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"oxidation_states": {"Xx": 1}}, "unknown element 'Xx'"),
        ({"oxidation_states": {"Ti": 4}}, "Ti is no element of the space"),
        ({"oxidation_states": {"P": 0}}, "found [0] for P, allowed: whole numbers from -8 to 9, not 0"),
        ({"oxidation_states": {"P": 10}}, "found [10] for P"),
        ({"oxidation_states": {"P": []}}, "found [] for P"),
        ({"oxidation_states": {"P": 2.5}}, "oxidation_states.P"),
        ({"oxidation_states": {"P": "five"}}, "oxidation_states.P"),
        ({"oxidation_states": "P"}, "found 'P', allowed: ELEMENT:STATE"),
        ({"oxidation_states": "P:x"}, "found 'P:x', allowed: ELEMENT:STATE"),
        ({"oxidation_states": [5]}, "found [5], allowed: elements with states"),
        ({"oxidation_states": {"P": 5}, "charge": "none"}, "found charge none beside it, allowed: charge per_element"),
        ({"electronegativity": "smact", "charge": "none"}, "needs charge per_element or common"),
        ({"charge": "comon"}, "charge"),
    ],
)
def test_mistakes_say_what_is_allowed(keys, words):
    with pytest.raises(ConfigError) as caught:
        config(**keys)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def allowed(constraints, counts):
    """Whether the independent check lets a composition pass."""
    return is_neutral({atomic_number(s): n for s, n in counts.items()}, constraints.all_constraints["charge"])


def test_states_of_a_restriction_are_those_of_training_or_fewer():
    trained = config(charge="per_element")
    narrow = narrower(trained, {"oxidation_states": {"P": [5], "S": [-2]}})
    assert narrow.constraints.oxidation_states == {"P": [5], "S": [-2]}
    with pytest.raises(ConfigError, match="oxidation_states Fe: 4 was not in training, allowed: 2, 3"):
        narrower(trained, {"oxidation_states": {"Fe": 4}})
    with pytest.raises(ConfigError, match="oxidation_states P: 3 was not in training, allowed: 5"):
        narrower(narrow, {"oxidation_states": {"P": 3}})
    twice = narrower(narrow, {"oxidation_states": {"Fe": 3}})
    assert twice.constraints.oxidation_states == {"P": [5], "S": [-2], "Fe": [3]}


@pytest.mark.parametrize("order", [("charge", "oxidation_states"), ("oxidation_states", "charge")])
def test_where_training_asked_for_no_charges_any_state_may_be_given(order):
    limits = {"charge": "common", "oxidation_states": {"Fe": 4, "S": -1}}
    narrow = narrower(config(charge="none"), {key: limits[key] for key in order})
    assert narrow.constraints.charge == "common"
    assert allowed(narrow.constraints, {"Fe": 1, "S": 4})
    with pytest.raises(ConfigError, match="found charge none beside it"):
        narrower(config(charge="none"), {"oxidation_states": {"Fe": 4}})
    with pytest.raises(ConfigError, match="S: -1 was not in training, allowed: -2, 2, 4, 6"):
        narrower(config(charge="common"), {"oxidation_states": {"S": -1}})


def test_charges_that_no_chemist_would_write_are_impossible():
    """Li-P-S-Cl: with the states of a thiophosphate every sample has Li+, P5+, S2- and Cl-, by sums alone."""
    model = untrained(config(charge="none"))
    wishes = {"chemsys": "Li-P-S-Cl", "required": ["Li", "S"]}
    loose = model.restricted(**wishes, charge="per_element").sample(400, seed=0)
    tight = model.restricted(
        **wishes, charge="common", electronegativity="smact", oxidation_states={"P": 5, "S": -2, "Cl": -1}
    ).sample(400, seed=0)
    states = {3: 1, 15: 5, 16: -2, 17: -1}
    sums = {
        name: [sum(n * states.get(z, 0) for z, n in zip(c.elements, row, strict=True)) for row in c.counts.tolist()]
        for name, c in (("loose", loose), ("tight", tight))
    }
    assert set(sums["tight"]) == {0}
    assert sum(total != 0 for total in sums["loose"]) > 40


def test_the_check_knows_the_states_and_an_empty_space_names_them():
    crystals = untrained(config(charge="common")).sample(300, seed=0)
    strict = config(charge="common", oxidation_states={"Fe": 3, "S": -2})
    found = check_section(crystals, strict.constraints.model_dump()).violations
    assert found["neutrality"] > 0
    with pytest.raises(ConstraintError, match=r"oxidation_states Fe:3") as caught:
        build_space(
            config(elements=["Fe", "O"], charge="common", oxidation_states={"Fe": 3}, stoichiometry="FeO").constraints
        )
    assert "neutrality common" in str(caught.value)
    assert "stoichiometry" in str(caught.value)
