"""Properties by name: what is found, what is refused, and how answers are checked."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.properties.registry import Property, available, resolve
from property_data import cubic, one

SALT = one({"Na": 4, "Cl": 4}, 225, cubic(5.64))
TWO = Crystals.concatenate([SALT, one({"Mg": 4, "O": 4}, 225, cubic(4.21))])


@pytest.fixture
def functions(monkeypatch):
    module = ModuleType("functions_of_a_user")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_exact_properties():
    density = resolve("density")
    assert density.unit == "g/cm3"
    assert float(density(SALT)) == pytest.approx(2.165, abs=0.02)  # CRC handbook, at the measured cell
    assert float(resolve("volume_per_atom")(SALT)) == pytest.approx(5.64**3 / 8)


def test_shipped_names_resolve_once():
    assert {"formation_energy", "formation_energy_paper", "density"} <= set(available())
    assert resolve("formation_energy") is resolve("formation_energy")
    assert isinstance(resolve("formation_energy"), Property)


def test_unknown_name_names_the_nearest():
    with pytest.raises(PropertyError, match=r"unknown property 'formation_enrgy'.*nearest: 'formation_energy'"):
        resolve("formation_enrgy")


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_a_users_function(functions, kind):
    functions.gap = lambda crystals: kind([1.5] * len(crystals))
    functions.gap.unit = "eV"
    found = resolve("functions_of_a_user:gap")
    assert (found.name, found.unit) == ("functions_of_a_user:gap", "eV")
    values = found(TWO)
    assert values.dtype == torch.float32
    assert values.tolist() == [1.5, 1.5]


def test_a_users_class_is_made_once(functions):
    class Gap:
        name, unit = "gap", "eV"

        def __call__(self, crystals):
            return crystals.density

    functions.Gap = Gap
    found = resolve("functions_of_a_user:Gap")
    assert found.name == "gap"
    assert found(TWO).shape == (2,)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no_such_module:f", "no_such_module:f.*cannot be imported.*ModuleNotFoundError"),
        ("math:no_such_function", "cannot be imported.*AttributeError"),
        ("math:pi", "is a float, allowed: a callable"),
        (":", "cannot be imported"),
    ],
)
def test_what_cannot_be_imported(spec, message):
    with pytest.raises(PropertyError, match=message):
        resolve(spec)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda c: [1.0], r"returned shape \(1,\) for 2 crystals, allowed: \(2,\)"),
        (lambda c: [[1.0, 2.0]], r"returned shape \(1, 2\)"),
        (
            lambda c: [1.0, float("nan")],
            r"functions_of_a_user:bad' returned nan for MgO \(crystal 1, space group 225\)",
        ),
        (lambda c: [float("inf"), 1.0], "returned inf for NaCl"),
        (lambda c: ["x", "y"], "allowed: numbers"),
        (lambda c: None, "allowed|shape|returned nan"),
        (lambda c: 1 / 0, "failed on 2 crystals, the first NaCl: ZeroDivisionError"),
    ],
)
def test_bad_answers_name_property_and_crystal(functions, answer, message):
    functions.bad = answer
    with pytest.raises(PropertyError, match=message):
        resolve("functions_of_a_user:bad")(TWO)


def test_entry_points(functions, monkeypatch):
    from importlib.metadata import EntryPoint, EntryPoints

    from crystalgfn.properties import registry

    functions.third = lambda crystals: [3.0] * len(crystals)
    point = EntryPoint("third", "functions_of_a_user:third", "crystalgfn.properties")
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([point]))
    assert "third" in available()
    assert resolve("third")(TWO).tolist() == [3.0, 3.0]


def test_property_of_no_crystals():
    assert resolve("density")(SALT[:0]).shape == (0,)
    assert resolve("formation_energy")(SALT[:0]).shape == (0,)
