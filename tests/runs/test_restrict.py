"""Restrictions: what a refusal says, and that the order of limits changes nothing."""

from __future__ import annotations

import pytest

from crystalgfn.config import load_preset
from crystalgfn.errors import ConfigError
from crystalgfn.runs.restrict import narrower
from small_run import small_config


def test_an_element_that_the_model_lacks_names_presets_that_have_it():
    with pytest.raises(ConfigError) as caught:
        narrower(load_preset("twelve-elements"), {"required": ["Ti"]})
    message = str(caught.value)
    known = ", ".join(load_preset("twelve-elements").constraints.elements.allowed)
    assert f"required: Ti is no element of the space, allowed: {known}; presets with Ti: " in message
    presets_with = message.partition("presets with Ti: ")[2]
    assert "periodic-table" in presets_with
    assert "with weights: default" in presets_with
    assert "twelve-elements" not in presets_with


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"required": ["F"], "forbidden": ["F"]}, "required: F is forbidden, allowed: Li, O, Mg"),
        ({"required": ["F"], "chemsys": "Li-O"}, "required: F is not in chemsys Li-O, allowed: Li, O"),
        ({"chemsys": "Li-O", "forbidden": ["O"]}, "chemsys: O is forbidden, allowed: Li, F, Mg"),
        ({"any_of": [["F"]], "forbidden": ["F"]}, "any_of: none of F can be used, allowed: one at least of Li, O, Mg"),
        ({"chemsys": "Li-Og"}, "chemsys: Og is no element of the space"),
    ],
)
def test_refusals_say_why(limits, words):
    with pytest.raises(ConfigError) as caught:
        narrower(small_config(), limits)
    assert words in str(caught.value)


def test_the_order_of_limits_changes_nothing():
    limits = {"oxidation_states": {"O": -2}, "charge": "common", "n_atoms": [2, 9], "required": ["Li"]}
    turned = dict(reversed(limits.items()))
    assert narrower(small_config(), limits) == narrower(small_config(), turned)
