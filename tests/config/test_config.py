"""Configurations: presets, overrides, one clear line for whatever is wrong; fuzzed."""

import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from crystalgfn.config import (
    ConstraintsConfig,
    PolicyConfig,
    TrainingConfig,
    load_config,
    load_preset,
    parse_config,
    presets,
    read_config,
)
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.gflownet.objectives.registry import OBJECTIVES
from crystalgfn.gflownet.objectives.trajectory_balance import TrajectoryBalance
from crystalgfn.rewards.terms.registry import TERMS
from crystalgfn.runs.build import build_space


def test_presets_are_those_promised_and_valid():
    assert presets() == ["default", "paper", "paper-fast", "periodic-table", "prior", "starling", "twelve-elements"]
    for name in presets():
        config = load_preset(name)
        assert parse_config(yaml.safe_load(config.to_yaml())) == config


def test_the_paper_preset_is_appendix_c():
    config = load_preset("paper")
    assert len(config.constraints.elements.allowed) == 12
    assert len(config.constraints.groups) == 113
    assert (config.constraints.n_elements, config.constraints.n_atoms, config.constraints.atoms_per_element) == (
        (2, 5),
        (2, 50),
        (1, 16),
    )
    assert config.constraints.lattice.box == (0.9, 100)
    assert config.constraints.lattice.box_angles == (50, 150)
    assert (config.training.iterations, config.training.batch_size) == (50_000, 10)
    balance = TrajectoryBalance(lr_log_z=1e-2, log_z_weights=16, log_z_start="zero")
    assert (config.training.objective, config.training.lr) == (balance, 1e-4)
    assert (config.policy.width, config.policy.layers, config.policy.shared) == (256, 3, False)
    assert config.objective[0].strength == 8
    fast = load_preset("paper-fast")
    assert (fast.constraints, fast.objective) == (config.constraints, config.objective)
    assert fast.training.iterations * fast.training.batch_size == 500_000


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("objective[0].strenght=3", ["objective[0].strenght", "unknown key", "nearest: 'strength'"]),
        ("objective[1].strength=3", ["[1] of 1 entries", "index"]),
        ("objective[0].goal=minimse", ["goal", "nearest: 'minimise'"]),
        ("objective[0].goal={target: 1.3}", ["width is missing"]),
        ("objective[0].goal={at_most: 1, widht: 2}", ["nearest: 'width'"]),
        ("objective=[]", ["objective"]),
        ("constraints.elements=[Xx]", ["constraints.elements", "'Xx'"]),
        ("constraints.space_groups=[231]", ["231", "1..230"]),
        ("constraints.space_groups=[0]", ["1..230"]),
        ("constraints.space_groups=3-", ["3-"]),
        ("training.lr=-1", ["training.lr", "-1", "greater than 0"]),
        ("training.lr=fast", ["training.lr", "fast"]),
        ("constraints.n_atoms=[5, 3]", ["n_atoms", "[5, 3]"]),
        ("constraints.n_atoms=[1, 100000]", ["n_atoms", "400"]),
        ("constraints.lattice.volme=[1, 2]", ["constraints.lattice.volme", "nearest: 'volume'"]),
        ("constraints.space_groups.crystal_system=[cubc]", ["cubc", "nearest: 'cubic'"]),
        ("training=3", ["training"]),
        ("training.lr", ["key=value"]),
        ("training.lr.x=3", ["lr"]),
        ("constraints.elements={", ["YAML"]),
    ],
)
def test_mistakes_are_one_line_that_says_what_and_what_is_allowed(override, words):
    with pytest.raises(ConfigError) as caught:
        load_preset("twelve-elements", [override])
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_overrides_and_yaml_of_chemists():
    config = load_preset(
        "twelve-elements",
        ["training.lr=1e-4", "constraints.elements=[No, Y, N, O]", "seed=7", "constraints.n_elements=2"],
    )
    assert config.training.lr == 1e-4
    assert config.constraints.elements.allowed == ["No", "Y", "N", "O"]  # not booleans
    assert (config.seed, config.constraints.n_elements) == (7, (2, 2))


def test_a_file_may_change_a_preset(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: twelve-elements\nconstraints:\n  elements: {required: [Li]}\n  n_atoms: [1, 20]\nseed: 3\n")
    mine, default = load_config(path), load_preset("twelve-elements")
    assert mine.constraints.elements.allowed == default.constraints.elements.allowed
    assert (mine.constraints.elements.required, mine.constraints.n_atoms, mine.seed) == (["Li"], (1, 20), 3)
    assert mine.training == default.training
    assert parse_config(yaml.safe_load(mine.to_yaml())) == mine
    with pytest.raises(ConfigError, match="nearest: 'default'"):
        parse_config({"base": "defalt"})
    with pytest.raises(ConfigError, match="base: found 3"):
        parse_config({"base": 3})


def test_unknown_presets_and_files():
    with pytest.raises(ConfigError, match="nearest: 'default'"):
        load_config("defalt")
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_config("missing.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "- 1",
        "42",
        "",
        "a: &x [1]\nb: *x",
        "seed: 1\nseed: 2",
        "!!python/object/apply:os.system ['true']",
        "\x00",
        "[" * 2000,
    ],
)
def test_files_that_are_no_configuration(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="config"):
        read_config(path)


HUGE = "1" + "0" * 12


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("objective[0].strength=.inf", ["objective[0]", "finite"]),
        ("objective[0].strength=1e400", ["objective[0]", "finite"]),
        ("objective[0].strength=.nan", ["objective[0]", "finite"]),
        ("objective[0].strength=1e300", ["strength", "up to 1e+09"]),
        ("objective[0].caution=.inf", ["caution", "finite"]),
        ("stability.beta=.inf", ["beta", "finite"]),
        ("stability.floor=-.inf", ["floor", "finite"]),
        ("novelty.factor=.inf", ["factor", "finite"]),
        ("chemical_classes={factors: {oxides: .inf}}", ["oxides", "finite"]),
        ("training.lr=.inf", ["training.lr", "finite"]),
        ("training.clip=.nan", ["training.clip", "finite"]),
        ("training.lr_log_z=.inf", []),
        (f"training.batch_size={HUGE}", ["training.batch_size", "1000000"]),
        (f"training.iterations={HUGE}", ["iterations", "up to 1e+09"]),
        (f"training.replay.capacity={HUGE}", ["capacity"]),
        (f"training.log_every={HUGE}", ["log_every", "up to 1e+09"]),
        ("seed=100000000000000000000000000", ["seed"]),
        ("policy.beta_range=[100, 1]", ["policy.beta_range", "found [100.0, 1.0], allowed: 0 < least < most"]),
        ("policy.beta_range=[0, 10]", ["policy.beta_range", "0 < least < most"]),
        ("policy.beta_range=[1, .inf]", ["policy.beta_range", "finite"]),
        ("constraints.lattice.monoclinic=[1, 5000]", ["lattice.monoclinic", "[1.0, 5000.0]", "< 180 degree"]),
        ("constraints.lattice.triclinic=[60, 180]", ["lattice.triclinic", "< 180 degree"]),
        ("constraints.lattice.box_angles=[-5, 90]", ["lattice.box_angles", "0 < least"]),
        ("constraints.lattice.angles=[60, 200]", ["angles: found [60.0, 200.0]", "< 180 degree"]),
        ("constraints.lattice.angles=[90, .nan]", ["angles", "finite"]),
        ("constraints.lattice.volume=[2, 1]", ["lattice.volume", "0 < least < most"]),
        ("constraints.lattice.box=[1, .inf]", ["lattice.box", "finite"]),
        ("constraints.lattice.lengths=[5e-324, 10]", ["lengths", "from 0.001 to 1e+06"]),
        ("constraints.lattice.density=[1, 1e8]", ["density", "from 0.001 to 1e+06"]),
        ("constraints.lattice.volume_per_atom=[.nan, 5]", ["volume_per_atom"]),
        ("constraints.lattice.longest_over_shortest=.inf", ["longest_over_shortest", "finite"]),
        ("constraints.shares={O: [.nan, 1]}", ["shares", "finite"]),
    ],
)
def test_numbers_are_finite_ranges_rise_and_angles_are_angles(override, words):
    overrides = [override, "training.objective=tb"] if "log_z" in override else [override]
    with pytest.raises(ConfigError) as caught:
        load_preset("twelve-elements", overrides)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("beta=16", "--set beta=16: beta: unknown key, allowed: stability.beta"),
        ("lr=1", "--set lr=1: lr: unknown key, allowed: training.lr"),
        ("strength=2", "allowed: objective[0].strength"),
        ("forbidden=[F]", "allowed: constraints.elements.forbidden"),
        ("training.density=[1, 2]", "allowed: constraints.lattice.density"),
        ("lr_log_z=1", "training.lr_log_z"),
        ("constraints.crystal_system=cubic", "allowed: constraints.space_groups.crystal_system"),
        ("training.lr=-1", "--set training.lr=-1: training.lr: found -1, "),
        ("constraints.n_atoms=[5, 3]", "preset twelve-elements: constraints: n_atoms: found [5, 3]"),
    ],
)
def test_a_key_in_the_wrong_place_names_the_right_one(override, words):
    with pytest.raises(ConfigError) as caught:
        load_preset("twelve-elements", [override])
    assert words in str(caught.value)
    assert "config.yaml" not in str(caught.value)  # no path into the package


def test_a_key_is_set_once():
    with pytest.raises(ConfigError, match=r"--set seed: given 2 times, allowed: once"):
        load_preset("twelve-elements", ["seed=1", " seed =2"])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["elements=[Li, Mg]"], "neutrality"),
        (["elements=[Li, O]", "elements.required=[Fe]"], r"required.*Fe"),
        (["elements.forbidden=[O]", "elements.required=[O]"], "O is forbidden, allowed: "),
        (["elements.any_of=[[Pb, Bi]]"], r"any_of.*Pb, Bi"),
        (["space_groups={numbers: [225], crystal_system: [triclinic]}"], "no space group fits"),
        (["electronegativity=smact", "charge=per_atom"], "needs charge per_element"),
        (["stoichiometry=ABo3x"], "stoichiometry"),
    ],
)
def test_impossible_constraints_name_the_culprit(overrides, words):
    with pytest.raises((ConfigError, ConstraintError), match=words):
        build_space(load_preset("twelve-elements", [f"constraints.{entry}" for entry in overrides]).constraints)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable, max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_SECTIONS = sorted({"constraints", "objective", "policy", "training", "seed", "x", *TERMS})
_KEYS = sorted(
    {
        *(key for model in (ConstraintsConfig, PolicyConfig, TrainingConfig) for key in model.model_fields),
        *(key for model in (*TERMS.values(), *OBJECTIVES.values()) for key in model.model_fields),
        *TERMS,
        *OBJECTIVES,
    }
)


@given(
    st.dictionaries(st.sampled_from(_SECTIONS), st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=4) | _VALUES)
)
def test_anything_is_a_configuration_or_a_config_error(content):
    message = _refusal(lambda: parse_config(content))
    assert "\n" not in message


@given(st.text(max_size=40))
def test_any_override_is_applied_or_refused(text):
    assert "\n" not in _refusal(lambda: load_preset("twelve-elements", [text]))


def _refusal(read) -> str:
    """What a ConfigError says; any other exception goes through."""
    try:
        read()
    except ConfigError as error:
        return str(error)
    return ""
