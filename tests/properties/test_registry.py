"""Properties by name: what is found, what is refused, and how answers are checked."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from crystalgfn.cli import main
from crystalgfn.config import parse_config
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import about
from crystalgfn.errors import PropertyError
from crystalgfn.properties import registry
from crystalgfn.properties.registry import Property, available, resolve
from crystalgfn.runs.model import untrained
from property_data import cubic, one
from small_run import small_config

SALT = one({"Na": 4, "Cl": 4}, 225, cubic(5.64))
TWO = Crystals.concatenate([SALT, one({"Mg": 4, "O": 4}, 225, cubic(4.21))]).with_columns(
    wyckoff=np.array(['[["Na", "a", 4], ["Cl", "b", 4]]', '[["Mg", "a", 4], ["O", "b", 4]]'], dtype=object)
)


@pytest.fixture
def functions(monkeypatch):
    module = ModuleType("functions_of_a_user")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_shipped_names_resolve_once():
    assert {"formation_energy", "formation_energy_paper", "density"} <= set(available())
    assert len(available()) == len(set(available()))
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

    functions.third = lambda crystals: [3.0] * len(crystals)
    point = EntryPoint("third", "functions_of_a_user:third", "crystalgfn.properties")
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([point]))
    assert "third" in available()
    assert resolve("third")(TWO).tolist() == [3.0, 3.0]


def test_property_of_no_crystals():
    assert resolve("density")(SALT[:0]).shape == (0,)
    assert resolve("formation_energy")(SALT[:0]).shape == (0,)


def test_empty_batches():
    for name in registry.SHIPPED:
        assert resolve(name)(SALT[:0]).shape == (0,)


def test_every_property_says_what_it_is():
    for name in available():
        found = resolve(name)
        assert found.source, name
        assert found.error, name
        assert found.elements is None or {"Li", "O"} <= set(found.elements), name
        assert found(TWO[1:]).dtype == torch.float32


def specific_volume(crystals):
    """Volume of a gram (B,), cm3/g."""
    return 1 / crystals.density


def test_one_line_adds_a_property(functions, monkeypatch, capsys):
    functions.specific_volume = about("cm3/g", "volume of a gram")(specific_volume)
    monkeypatch.setitem(registry.SHIPPED, "specific_volume", "functions_of_a_user:specific_volume")
    assert "specific_volume" in available()
    assert resolve("specific_volume")(SALT) == pytest.approx(1 / 2.165, abs=0.01)

    with pytest.raises(SystemExit, match="0"):
        main(["properties", "specific_volume"])
    assert capsys.readouterr().out.splitlines()[1] == "specific_volume\tcm3/g\texact\tall\tvolume of a gram"

    config = small_config().model_dump(exclude_unset=True)
    config["objective"] = [{"property": "specific_volume", "goal": "minimise", "strength": 2}]
    crystals = untrained(parse_config(config)).sample(5, seed=0)
    assert crystals.column("specific_volume") == pytest.approx(1 / crystals.density.numpy(), rel=1e-6)
