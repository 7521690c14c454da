"""Rewards: the property, the property above a hull, and the floor."""

import numpy as np
import pytest
import torch

from crystalgfn.config import parse_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError
from crystalgfn.properties.registry import CheckedProperty
from crystalgfn.rewards.goals import Minimise
from crystalgfn.rewards.reward import Reward
from crystalgfn.rewards.terms.property import PropertyTerm
from crystalgfn.rewards.terms.stability import ABOVE_HULL, StabilityTerm
from crystalgfn.rewards.values import Values
from crystalgfn.runs.build import build_space, build_target
from crystalgfn.stability.facets import Facets
from crystalgfn.stability.hull import Hull

HULL = Hull([({"Li": 2, "O": 1}, -2.0), ({"Mg": 1, "O": 1}, -3.0)])
CRYSTALS = Crystals(
    (3, 8, 12),
    torch.tensor([225, 225, 221]),
    torch.tensor([[8, 4, 0], [0, 4, 4], [2, 2, 1]]),
    torch.tensor([[4.5, 4.5, 4.5, 90.0, 90.0, 90.0]]).repeat(3, 1),
)
ENERGY = CheckedProperty("energy", lambda crystals: torch.tensor([-1.5, -3.4, -2.0])[: len(crystals)], "eV/atom")


def asked(*terms):
    """Log-rewards, and columns by name."""
    values, reward = Values(CRYSTALS), Reward(terms)
    return reward(values), reward.columns(values)


def test_the_property_itself():
    log_reward, columns = asked(PropertyTerm(ENERGY, Minimise(), strength=8))
    np.testing.assert_allclose(log_reward, [12, 27.2, 16], rtol=1e-6)
    assert list(columns) == ["energy [eV/atom]"]


def test_above_the_hull_and_not_below_the_floor():
    above = [0.5, -0.4, -2.0 + (3 * 2.0 + 2 * 3.0) / 5]
    hull = Facets(HULL)
    log_reward, columns = asked(PropertyTerm(ENERGY, Minimise(), strength=0), StabilityTerm(ENERGY, hull, 10, -9))
    np.testing.assert_allclose(columns[ABOVE_HULL.column], above, atol=1e-6)
    np.testing.assert_allclose(columns["energy [eV/atom]"], [-1.5, -3.4, -2.0])
    np.testing.assert_allclose(log_reward, -10 * np.array(above), atol=1e-5)
    log_reward, columns = asked(PropertyTerm(ENERGY, Minimise(), strength=8), StabilityTerm(ENERGY, hull, 10, -0.1))
    np.testing.assert_allclose(log_reward, [12, 27.2, 16] - 10 * np.maximum(above, -0.1), atol=1e-5)
    np.testing.assert_allclose(columns[ABOVE_HULL.column], above, atol=1e-6)  # the column says what is predicted


def config(stability, property="formation_energy"):
    space = {"elements": ["Li", "O"], "space_groups": [225], "n_elements": [1, 2], "n_atoms_primitive": [1, 8]}
    return parse_config({"constraints": space, "objective": [{"property": property}], "stability": stability})


def test_a_hull_from_the_configuration(tmp_path):
    path = tmp_path / "hull.csv"
    path.write_text('elements,formation_energy_per_atom\n"{""Li"": 2, ""O"": 1}",-2.0\n')
    made = config({"hull": str(path)})
    target = build_target(made, build_space(made.constraints))
    columns = target.reward.columns(Values(CRYSTALS[:1]))
    assert columns[ABOVE_HULL.column] == pytest.approx(columns["formation_energy [eV/atom]"] + 2.0, abs=1e-5)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"property": "density", "stability": {"hull": "builtin"}}, "in eV/atom"),
        ({"property": "formation_energy", "stability": {"hull": "bultin"}}, "nearest: 'builtin'"),
    ],
)
def test_a_hull_that_makes_no_sense_is_refused(asked, words):
    made = config(**asked)
    with pytest.raises(Exception, match=words):
        build_target(made, build_space(made.constraints))


def test_a_hull_without_an_element_of_the_space_is_refused(tmp_path):
    path = tmp_path / "hull.csv"
    path.write_text('elements,formation_energy_per_atom\n"{""Li"": 2, ""F"": 1}",-2.0\n')
    made = config({"hull": str(path)})
    with pytest.raises(ConfigError, match="no phase with O"):
        build_target(made, build_space(made.constraints))
