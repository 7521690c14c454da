"""The term of chemical classes: factors of examples, and bad keys."""

import math

import pytest
import torch

from crystalgfn.crystals.chemical_classes import classes_of
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.rewards.terms.chemical_classes import ChemicalClassesConfig
from crystalgfn.rewards.terms.term import Surroundings
from crystalgfn.rewards.values import Values

CUBIC = torch.tensor([[4.0, 4.0, 4.0, 90.0, 90.0, 90.0]], dtype=torch.float64)
CRYSTALS = Crystals(
    (8, 11, 12, 17, 26),
    torch.tensor([225, 225, 229, 225]),
    torch.tensor([[4, 0, 4, 0, 0], [0, 4, 0, 4, 0], [0, 0, 0, 0, 2], [4, 0, 4, 0, 0]]),
    CUBIC.expand(4, 6),
)
"""MgO, NaCl, Fe and MgO."""


def test_the_factor_of_each_class():
    assert classes_of(CRYSTALS) == ["oxides", "halides", "others", "oxides"]
    term = ChemicalClassesConfig(factors={"oxides": 2.0, "others": 0.25}).build(Surroundings((), ""))
    values = Values(CRYSTALS)
    assert term.log_reward(values).tolist() == pytest.approx([math.log(2), 0, math.log(0.25), math.log(2)])
    assert term.columns(values)["class_factor"].tolist() == [2.0, 1.0, 0.25, 2.0]


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"oxide": 2.0}, r"unknown class 'oxide', allowed: oxides, .* \(nearest: 'oxides'\)"),
        ({"oxides": 0.0}, "oxides: found 0, allowed: a factor above 0"),
        ({"halides": float("inf")}, "finite number"),
    ],
)
def test_bad_factors_are_refused(factors, message):
    with pytest.raises(ValueError, match=message):
        ChemicalClassesConfig(factors=factors)
