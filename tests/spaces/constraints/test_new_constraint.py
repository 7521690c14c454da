"""A constraint that is added to the registry is read, followed, checked, narrowed, explained and documented."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from composition_constraints import composition_constraints
from crystalgfn.cli.limits import asked_limits, with_limits
from crystalgfn.config import parse_config
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.evaluation.funnel import funnel
from crystalgfn.evaluation.validity import check, check_section
from crystalgfn.runs.build import build_space
from crystalgfn.runs.model import untrained
from crystalgfn.spaces.composition import CompositionSpace
from crystalgfn.spaces.constraints.registry import CONSTRAINTS, with_values
from crystalgfn.spaces.crystal import formula_order
from direct_compositions import enumerate_by_masks, enumerate_directly
from even_constraint import Even
from policy_setup import random_policy

REFERENCE = Path(__file__).resolve().parents[3] / "scripts" / "docs" / "build_config_reference.py"
SECTION = {
    "elements": ["H", "O", "Fe"],
    "space_groups": [2, 62, 139, 225],
    "n_elements": [1, 3],
    "n_atoms_primitive": [1, 8],
    "atoms_per_element": [1, 32],
}


@pytest.fixture(autouse=True)
def added():
    """One line in the registry."""
    CONSTRAINTS.append(Even)
    yield
    CONSTRAINTS.remove(Even)


def config(**keys):
    return parse_config(
        {
            "constraints": {**SECTION, **keys},
            "objective": [{"property": "density"}],
            "policy": {"width": 32, "layers": 2},
        }
    )


def even_in(crystals, numbers):
    """Which crystals have even numbers of elements per primitive cell, ``(B,)``."""
    cells = torch.tensor(CENTERING_MULTIPLICITY)[crystals.space_group].unsqueeze(1)
    columns = [crystals.elements.index(number) for number in numbers]
    return ((crystals.counts[:, columns] // cells) % 2 == 0).all(1)


def test_the_documentation_shows_this_class():
    page = (REFERENCE.parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
    shown = page.partition("+++ spaces/constraints/even.py\n")[2].partition("+++")[0]
    assert "\n".join(line[1:] for line in shown.splitlines()) + "\n" == inspect.getsource(Even)


def test_masks_lead_to_exactly_what_satisfies_it():
    wide = composition_constraints(n_elements=(1, 3), n_atoms=(1, 16), atoms_per_element=(1, 8), charge="none")
    limits, elements = with_values(wide, even=(1, 8)), formula_order([1, 8, 26])
    space = CompositionSpace(elements, [5, 225], limits)
    for group in (5, 225):
        direct = {
            composition
            for composition in enumerate_directly(elements, group, wide)
            if all(count % 2 == 0 for column, count in composition if elements[column] in (1, 8))
        }
        assert enumerate_by_masks(space, group) == direct
        assert 0 < len(direct) < len(enumerate_directly(elements, group, wide))


def test_it_is_read_from_a_configuration_and_holds_for_every_sample():
    made = config(rules={"even": ["H", "O"], "at_most_one_of": [["H", "Fe"]]})
    assert parse_config({**made.model_dump(mode="json")}) == made
    space = build_space(made.constraints)
    states = random_policy(space, 0).sample(500, space, generator=torch.Generator().manual_seed(0)).states
    crystals = space.crystals(states)
    assert even_in(crystals, (1, 8)).all()
    assert check(crystals, space.composition.constraints).ok
    with pytest.raises(
        ConfigError, match=r"'evn': unknown, allowed: at_most_one_of, even, or module:Class .*\(nearest: 'even'\)"
    ):
        config(rules={"evn": ["H"]})


def test_the_independent_check_finds_what_breaks_it():
    crystals = untrained(config()).sample(300, seed=0)
    found = check_section(crystals, config(rules={"even": ["O"]}).constraints.model_dump())
    odd = ~even_in(crystals, (8,))
    assert found.violations["rules"] == int(odd.sum()) > 0


def test_a_trained_model_is_restricted_once():
    model = untrained(config())
    narrow = model.restricted(even=["O"])
    assert narrow.config.constraints.rules == {"even": ["O"]}
    assert check_section(narrow.sample(200, seed=0), narrow.config.constraints.model_dump()).ok
    assert model.restricted(rules={"even": ["O"]}).config == narrow.config
    with pytest.raises(ConfigError, match="rules: even was set in training"):
        narrow.restricted(even=["H"])


def test_it_is_an_option_of_the_command_line():
    app, limits = typer.Typer(), []

    @app.command()
    @with_limits("Limits", before="n")
    def command(n: int = 1, **given) -> None:
        limits.append(asked_limits(given))

    run = CliRunner().invoke(app, ["--even", "H O", "--n-atoms", ":20", "--any-of", "H", "--any-of", "Fe,O"])
    assert run.exit_code == 0, run.output
    assert limits == [{"even": ["H", "O"], "n_atoms": [None, 20], "any_of": [["H"], ["Fe", "O"]]}]
    assert "Even numbers of these." in CliRunner().invoke(app, ["--help"]).output


def test_it_is_named_where_it_empties_the_space():
    with pytest.raises(ConstraintError) as error:
        build_space(config(elements=["H", "O"], rules={"even": ["H", "O"]}, n_atoms_primitive=[1, 1]).constraints)
    assert "n_atoms_primitive [1, 1]" in str(error.value)
    assert "rules.even H O" in str(error.value)


def test_it_is_a_step_of_the_funnel_and_a_line_of_the_documentation():
    wide = config(rules={"even": ["O"]}, charge="none", wyckoff=False, lattice={"kind": "box"})
    found = funnel(wide.constraints.model_dump(), n=2000)
    assert 0 < found.left["even numbers"] < list(found.left.values())[-2]
    spec = importlib.util.spec_from_file_location("build_config_reference", REFERENCE)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert "| `even` | Elements of which a primitive cell holds an even number of atoms. |" in script.page()


IRON = """
from crystalgfn.spaces.constraints import registry
from crystalgfn.spaces.constraints.base import FollowedConstraint

class Irons(FollowedConstraint):
    name, meaning, default = "most_iron", "Most atoms of iron per primitive cell; null for any.", None

    @classmethod
    def annotation(cls):
        return int | None

    def kind(self, atomic_number):
        return atomic_number == 26

    def start(self, most):
        return 0

    def advance(self, state, kind, count):
        return None if kind and count > self.value else state

    def accepts(self, state, atoms):
        return True

    def violated(self, crystals):
        return crystals.of(26) > self.value * crystals.cells

registry.CONSTRAINTS.append(Irons)

from crystalgfn.config import ConstraintsConfig, parse_config
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs.model import untrained

assert ConstraintsConfig.model_fields["most_iron"].description == Irons.meaning
section = {"elements": ["O", "Fe"], "space_groups": [2, 225], "n_elements": 2, "n_atoms_primitive": [1, 6]}
config = {"objective": [{"property": "density"}], "policy": {"width": 32, "layers": 2}}
model = untrained(parse_config({**config, "constraints": section}))
narrow = model.restricted(most_iron=1)
assert narrow.config.constraints.most_iron == 1
assert check_section(narrow.sample(100), narrow.config.constraints.model_dump()).ok
assert check_section(model.sample(100), narrow.config.constraints.model_dump()).violations["most_iron"] > 0
"""


def test_a_constraint_may_be_a_key_of_its_own():
    run = subprocess.run([sys.executable, "-c", IRON], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
