"""``--rule``: a rule from a module in the current folder, which every sample obeys and a run asks consent for."""

import sys

import pytest

from crystalgfn.cli.limits import asked_limits, own_rules
from crystalgfn.config import parse_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, TrustError
from crystalgfn.files.trust import opened
from crystalgfn.runs.model import untrained

RULE = '''
import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.spaces.constraints.base import Rule


class Few(Rule):
    """At most so many atoms of some elements per primitive cell, alone and together."""

    name = "few"
    meaning = "Most atoms of elements together, as a pair."

    @classmethod
    def parse(cls, written):
        symbols, most = written
        return tuple(map(atomic_number, symbols)), most

    def kind(self, atomic_number):
        return atomic_number in self.value[0]

    def start(self, most):
        return 0

    def advance(self, state, kind, count):
        state += kind * count
        return None if state > self.value[1] else state

    def accepts(self, state, atoms):
        return True

    def violated(self, crystals):
        return sum(crystals.of(z) for z in self.value[0]) > self.value[1] * crystals.cells

    def __str__(self):
        return f"{' '.join(SYMBOLS[z] for z in self.value[0])} {self.value[1]}"


nothing = 3
'''
FEW = "fewrule:Few"
SECTION = {"elements": ["O", "Fe"], "space_groups": [2, 225], "n_elements": 2, "n_atoms_primitive": [1, 6]}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])  # which the current folder joins
    (tmp_path / "fewrule.py").write_text(RULE)
    return tmp_path


def config(**rules):
    content = {"objective": [{"property": "density"}], "policy": {"width": 32, "layers": 2}}
    return parse_config({**content, "constraints": {**SECTION, "rules": rules}})


def irons(crystals: Crystals) -> int:
    """Most atoms of iron in a primitive cell; the groups are P-1 and Fm-3m."""
    cells = (crystals.space_group == 225) * 3 + 1
    return int((crystals.counts[:, crystals.elements.index(26)] // cells).max())


def test_every_sample_obeys_a_rule_from_a_module(here):
    limits = asked_limits({"rule": [f"{FEW}=[[Fe], 2]"], "n_elements": None})
    assert limits == {"rules": {FEW: [["Fe"], 2]}}
    model = untrained(config())
    narrow = model.restricted(**limits)
    assert irons(model.sample(200)) > 2 == irons(narrow.sample(200))
    with pytest.raises(ConfigError, match="few was set in training"):
        narrow.restricted(rules={FEW: [["Fe"], 3]})


def test_a_rule_joins_those_of_the_registry(here):
    both = config(**{FEW: [["O"], 1], "at_most_one_of": [["F", "Cl"]]})
    assert parse_config(both.model_dump(mode="json")) == both
    assert [constraint.name for constraint in both.constraints.all_constraints][-1] == "few"


def test_a_folder_that_is_not_trusted_names_no_rule(here):
    with pytest.raises(TrustError, match="the code 'fewrule:Few'"), opened(here):
        config(**{FEW: [["O"], 1]})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("fewrule:Few", "allowed: module:Class=VALUE"),
        ("few=[[O], 1]", "allowed: module:Class=VALUE"),
        ("fewrule:Few=[[O", "the value is not YAML"),
        ("fewrule:Many=3", "'fewrule:Many': cannot be imported: AttributeError"),
        ("no_such_module:Few=3", "cannot be imported: ModuleNotFoundError"),
        ("fewrule:nothing=3", "found 3, allowed: a class that extends Rule"),
    ],
)
def test_what_is_no_rule_is_said(here, rule, message):
    with pytest.raises(ConfigError, match=message):
        config(**own_rules([rule]))


def test_a_rule_is_given_once_and_its_name_stands_for_one_class(here):
    with pytest.raises(ConfigError, match="fewrule:Few is given 2 times"):
        own_rules([f"{FEW}=[[O], 1]", f"{FEW}=[[O], 2]"])
    (here / "fewagain.py").write_text("from fewrule import Few\n")
    with pytest.raises(ConfigError, match="are both called 'few', allowed: each name once"):
        config(**{FEW: [["O"], 1], "fewagain:Few": [["O"], 2]})
