"""Constraints on sites: their keys, narrowing, independent checks, refusals, and what they are worth to a model."""

import json

import numpy as np
import pytest

from crystalgfn.cli.limits import asked_limits
from crystalgfn.config import parse_config
from crystalgfn.errors import ConfigError, ConstraintError, DataError
from crystalgfn.evaluation.funnel import funnel
from crystalgfn.evaluation.validity import check, check_section
from crystalgfn.runs.model import untrained
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.registry import constraints_from
from crystalgfn.spaces.element_sites import ElementSites
from crystalgfn.spaces.structure_types import StructureType

SPINEL = "AB2C4_cF56_227_a_d_e"
SECTION = {
    "elements": ["Li", "O", "Mg", "Al", "Ti"],
    "space_groups": [62, 166, 221, 225, 227],
    "sites": "wyckoff",
    "n_elements": [1, 4],
    "n_atoms_primitive": [1, 14],
}
SMALL = {"objective": [{"property": "density"}], "policy": {"width": 32, "layers": 2}}


def config(**keys):
    return parse_config({**SMALL, "constraints": {**SECTION, **keys}})


@pytest.fixture(scope="module")
def model():
    return untrained(config())


@pytest.mark.parametrize(
    "limits",
    [
        {"structure_type": SPINEL},
        {"structure_type": SPINEL, "required": ["Mg"], "charge": "per_element"},
        {"structure_type": "ABC3_cP5_221_a_b_c", "chemsys": "Mg-Ti-O"},
        {"max_orbits": 3},
        {"max_free_coordinates": 1},
        {"max_orbits": 4, "max_free_coordinates": 2, "chemsys": "O Li Mg", "stoichiometry": "AB2"},
        {"chemsys": ["Li", "O"], "required": ["Li"]},
        {"element_sites": {"Li": ["-43m"]}, "required": ["Li"]},
        {"element_sites": {"O": {"multiplicity": [4, 8]}, "Ti": "m-3m -3m"}, "charge": "per_element", "n_elements": 2},
        {"element_sites": {"Li": ".3m", "Mg": {"multiplicity": 3}, "O": "m.. .m."}, "max_free_coordinates": 4},
        {"element_sites": {"Mg": ["-43m"], "O": ["3m"]}, "structure_type": SPINEL, "required": ["O"]},
    ],
    ids=str,
)
def test_a_trained_model_keeps_them(model, limits):
    narrow = model.restricted(**limits)
    section = narrow.config.constraints.model_dump()
    crystals = narrow.sample(200, seed=0)
    assert check_section(crystals, section).ok
    assert len(narrow.space.states(crystals)[1]) == 200
    found = check_section(model.sample(200, seed=0), section)
    assert any(found.violations[name] for name in set(limits) & {*found.violations} or ["elements"])


def test_spinels_exchange_elements(model):
    crystals = model.restricted(structure_type=SPINEL).sample(300, seed=0)
    assert set(crystals.space_group.tolist()) == {227}
    types = {StructureType.parse(label) for label in crystals.columns["protostructure"]}
    assert types == {StructureType.parse(SPINEL)}
    assert len(set(crystals.columns["protostructure"])) > 3


def test_sites_of_an_element_are_asked_for_where_it_is(model):
    narrow = model.restricted(element_sites={"Li": {"symmetry": ["-43m", "m-3m"], "multiplicity": [1, 4]}})
    crystals = narrow.sample(1_000, seed=0)
    found = [site for text in crystals.columns["wyckoff"] for site in json.loads(text) if site[0] == "Li"]
    assert 0 < len(found) < 1_000
    assert {multiplicity for *_, multiplicity in found} <= {1, 4}
    assert any("Li" not in text for text in crystals.columns["wyckoff"])


WYCKOFF = [
    '[["Mg", "a", 8], ["Al", "d", 16], ["O", "e", 32]]',  # spinel
    '[["Al", "c", 16], ["Mg", "b", 8], ["O", "e", 32]]',  # spinel from the other origin
    '[["Mg", "d", 16], ["Al", "a", 8], ["O", "e", 32]]',  # inverse: the same type
    '[["Mg", "a", 8], ["Al", "c", 16], ["O", "e", 32]]',
    '[["Mg", "a", 8], ["Al", "d", 16], ["O", "c", 16], ["O", "b", 8], ["O", "a", 8]]',
]


def test_checks_count_directly():
    counts = np.array([[32, 8, 16], [32, 8, 16], [32, 16, 8], [32, 8, 16], [32, 8, 16]])
    lattice = np.array([[8.1, 8.1, 8.1, 90, 90, 90.0]] * 5)
    crystals = FinishedCrystals(
        (8, 12, 13), np.full(5, 227), counts, lattice, sites_text=np.array(WYCKOFF, dtype=object)
    )
    values = {"structure_type": StructureType.parse(SPINEL), "max_orbits": 3, "max_free_coordinates": 0}
    values["element_sites"] = (ElementSites(12, ("-43m",), (8, 8)), ElementSites(8, (), (16, 32)))
    broken = {each.name: each.violated(crystals).tolist() for each in constraints_from(**values, chemsys=(8, 12))}
    assert broken["element_sites"] == [False, False, True, False, True]
    assert broken["structure_type"] == [False, False, False, True, True]
    assert broken["max_orbits"] == [False, False, False, False, True]
    assert broken["max_free_coordinates"] == [True, True, True, True, False]
    assert all(broken["chemsys"])
    other = FinishedCrystals(
        (8,), np.array([216]), np.array([[8]]), lattice[:1], sites_text=np.array(['[["O", "e", 16]]'])
    )
    assert constraints_from(**values).each[0].violated(other).all()


def test_crystals_without_sites_cannot_be_checked():
    crystals = untrained(parse_config({**SMALL, "constraints": {**SECTION, "sites": "none"}})).sample(5)
    with pytest.raises(DataError, match="crystals without sites"):
        check(crystals, constraints_from(max_orbits=3))


FEW = [{"structure_type": SPINEL}, {"max_orbits": 2}, {"max_free_coordinates": 0}]


@pytest.mark.parametrize("limits", [*FEW, {"element_sites": {"Li": ["-43m"]}}])
def test_spaces_without_sites_refuse_them(limits):
    with pytest.raises(ConfigError, match=r"no sites \(sites: none\), allowed: spaces with sites: wyckoff"):
        config(**{**limits, "sites": "none"})


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"structure_type": SPINEL}, {"structure_type": "ABC3_cP5_221_a_b_c"}),
        ({"structure_type": SPINEL}, {"structure_type": None}),
        ({"max_orbits": 4}, {"max_orbits": 5}),
        ({"max_orbits": 4}, {"max_orbits": "3"}),
        ({"max_free_coordinates": 2}, {"max_free_coordinates": None}),
        ({"chemsys": "Li-O"}, {"chemsys": "Li-O-Mg"}),
        ({"chemsys": "Li-O"}, {"chemsys": "Li-Uuh"}),
        ({}, {"chemsys": "Li-O-F"}),
        ({}, {"structure_type": "spinel.cif"}),
        ({}, {"max_orbits": 0}),
        ({"chemsys": "Li-O"}, {"required": "Mg"}),
        ({}, {"max_orbits": 9, "max_free_coordinates": 9}),
        ({}, {"element_sites": {"F": ["-43m"]}}),
        ({}, {"element_sites": {"Li": ["-43k"]}}),
        ({}, {"element_sites": {"Li": []}}),
        ({}, {"element_sites": {"Li": {"multiplicity": [8, 4]}}}),
        ({}, {"element_sites": {"Li": {"multiplicity": "4-8"}}}),
        ({}, {"element_sites": {"Li": {"freedom": 1}}}),
        ({}, {"element_sites": "Li:-43m"}),
        ({}, {"element_sites": {"Li": ["-4"]}}),  # no such site in the groups of the space
        ({}, {"element_sites": dict.fromkeys(["Li", "O", "Mg", "Al", "Ti"], "m")}),
        ({"structure_type": SPINEL}, {"element_sites": {"Li": ["m-3m"]}}),
        ({"element_sites": {"Li": ["-43m"]}}, {"element_sites": {"Li": ["-43m", "m-3m"]}}),
        ({"element_sites": {"Li": {"multiplicity": [1, 8]}}}, {"element_sites": {"Li": {"multiplicity": [1, 16]}}}),
    ],
    ids=str,
)
def test_wider_or_senseless_limits_are_refused_in_one_line(model, first, then):
    narrow = model.restricted(**first)
    with pytest.raises(ConfigError) as error:
        narrow.restricted(**then)
    assert "\n" not in str(error.value)


def test_the_same_type_in_other_words_is_no_contradiction(model):
    narrow = model.restricted(structure_type=SPINEL)
    assert narrow.restricted(structure_type="A2BC4_cF56_227_d_a_e:Al-Mg-O").sample(3).columns["protostructure"][0]
    assert narrow.restricted(max_orbits=3, max_free_coordinates=1).sample(3) is not None


def test_rules_for_sites_are_joined_when_narrowed(model):
    narrow = model.restricted(element_sites={"Li": {"symmetry": ["-43m", "m-3m"]}, "O": {"multiplicity": [2, 16]}})
    narrow = narrow.restricted(element_sites={"Li": {"symmetry": ["-43m"], "multiplicity": [4, 8]}, "Mg": ["3m"]})
    assert narrow.config.constraints.element_sites == {
        "Li": {"symmetry": ["-43m"], "multiplicity": [4, 8]},
        "O": {"multiplicity": [2, 16]},
        "Mg": {"symmetry": ["3m"]},
    }
    assert narrow.restricted(element_sites={}).config.constraints == narrow.config.constraints


@pytest.mark.parametrize(
    ("limits", "guilty"),
    [
        ({"structure_type": SPINEL, "n_elements": 2}, {"n_elements [2, 2]", f"structure_type {SPINEL}"}),
        ({"structure_type": SPINEL, "chemsys": "Li-O"}, {"chemsys Li-O", f"structure_type {SPINEL}"}),
        ({"structure_type": SPINEL, "n_atoms_primitive": 5}, {"n_atoms_primitive [5, 5]", f"structure_type {SPINEL}"}),
        ({"structure_type": SPINEL, "numbers": [221]}, {f"structure_type {SPINEL}"}),
        ({"structure_type": SPINEL, "max_orbits": 2}, {"max_orbits 2", f"structure_type {SPINEL}"}),
        (
            {"required": ["Li"], "numbers": [225, 227], "n_atoms_primitive": 1, "element_sites": {"Li": ["-43m"]}},
            {"required Li", "element_sites Li on sites of -43m"},
        ),
        ({"n_elements": 3, "max_orbits": 2}, {"n_elements [3, 3]", "max_orbits 2"}),
        (
            {"numbers": [62], "max_free_coordinates": 0, "stoichiometry": "TiO2"},
            {"stoichiometry O2Ti", "max_free_coordinates 0"},
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_what_empties_the_space_is_named(model, limits, guilty):
    with pytest.raises(ConstraintError) as error:
        model.restricted(**limits)
    assert set(str(error.value).partition("would leave some: ")[2].split("; ")) == guilty


def test_the_funnel_judges_samples_alone_by_their_sites(model):
    narrow = model.restricted(max_orbits=2)
    section = narrow.config.constraints.model_dump()
    found = funnel(section, narrow.sample(50, seed=0), n=500)
    assert found.valid == found.samples == 50
    assert not any("orbits" in step for step in found.left)
    assert funnel(section, model.sample(50, seed=0), n=500).valid < 50


def test_options_of_the_command_line():
    given = {"structure_type": f"{SPINEL}:Al-Mg-O", "max_orbits": 3, "max_free_coordinates": 0, "chemsys": "Li-P"}
    assert asked_limits(given) == {**given, "structure_type": SPINEL}
    given = {"element_sites": ["Li:-43m 23,O:multiplicity=4-8", "Mg:.3m|m.2m multiplicity=:6", "Ti:multiplicity=2"]}
    assert asked_limits(given)["element_sites"] == {
        "Li": {"symmetry": ["-43m", "23"]},
        "O": {"multiplicity": [4, 8]},
        "Mg": {"symmetry": ["3m", "mm2"], "multiplicity": [1, 6]},
        "Ti": {"multiplicity": [2, 2]},
    }
    with pytest.raises(ConfigError, match="no such file"):
        asked_limits({"structure_type": "nowhere.cif"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Li", "found 'Li', allowed: ELEMENT:SYMMETRY or ELEMENT:multiplicity=LEAST-MOST"),
        ("Li:", "found 'Li:', allowed"),
        ("Lx:-43m", r"unknown element 'Lx' \(nearest: 'L"),
        ("Li:-43k", r"site symmetry '-43k': unknown.*nearest: '-43m'"),
        ("Li:multiplicity=8-4", r"multiplicity: found \[8, 4\]"),
        ("Li:multiplicty=4", "found 'multiplicty=4', allowed: a symmetry, or .*nearest: 'multiplicity'"),
        ("Li:multiplicity=few", "allowed: least:most"),
    ],
)
def test_options_for_sites_say_what_is_wrong(text, message):
    with pytest.raises(ConfigError, match=message) as error:
        asked_limits({"element_sites": [text]})
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("--element-sites: ")


def test_too_large_tables_are_refused_in_one_line():
    rules = {symbol: {"multiplicity": [1, 24]} for symbol in ("Li", "O", "Mg", "Al")}
    wide = {**SECTION, "n_elements": [1, 8], "n_atoms_primitive": [1, 36], "element_sites": rules}
    with pytest.raises(
        ConfigError, match=r"sites of 4 elements have rules: look-ahead would .*fewer such rules, elements or atoms"
    ):
        untrained(parse_config({**SMALL, "constraints": wide}))
