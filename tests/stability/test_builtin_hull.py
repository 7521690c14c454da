"""The hull that ships: what it holds, and the script that makes it."""

import json
import math
from importlib.resources import files

import pytest

from crystalgfn.stability.load import load_hull
from script_files import load_script


@pytest.fixture(scope="module")
def content():
    return json.loads((files("crystalgfn.stability") / "data" / "hull.json").read_text())


@pytest.fixture(scope="module")
def script():
    return load_script("data/build_hull.py")


def test_entries_are_plausible_and_near_the_hull(content):
    hull = load_hull("builtin")
    assert set(hull.elements) == set(content["elements"])
    assert len(content["entries"]) > 150
    for entry in content["entries"]:
        assert 1 <= entry["space_group"] <= 230
        assert -5 < entry["energy"] < 0.2
        assert entry["prototype"]
        assert -1e-6 <= hull.energy_above_hull(entry["counts"], entry["energy"]).value <= 0.1 + 1e-6


# formation energies of the Materials Project, eV/atom
@pytest.mark.parametrize(
    ("counts", "energy"),
    [
        ({"Li": 1, "F": 1}, -3.18),
        ({"Mg": 1, "O": 1}, -3.04),
        ({"Si": 1, "O": 2}, -3.28),
        ({"Mg": 1, "S": 1}, -1.72),
    ],
)
def test_well_known_phases_are_on_the_hull(counts, energy):
    found = load_hull("builtin").energy_above_hull(counts, energy)
    assert found.value == pytest.approx(0, abs=0.08)
    assert len(found.decomposition) == 1


def test_every_mixture_of_its_elements_is_answered_and_nothing_else(content):
    hull = load_hull("builtin")
    answer = hull.energy_above_hull(dict.fromkeys(content["elements"], 1), 0.0)
    assert math.isfinite(answer.value)
    assert answer.hull < -1
    assert "K" in hull.energy_above_hull({"K": 1, "Cl": 1}, -2.0).reason


def test_the_script_knows_prototypes_and_charges(script):
    library = script.by_stoichiometry()
    names = {name for prototypes in library.values() for name, _ in prototypes}
    assert {name for name, *_ in script.EXTRA} <= names
    assert script.neutral(("Li", "O"), (2, 1))
    assert not script.neutral(("Li", "O"), (1, 1))
    wanted = list(script.formulas(library))
    assert len(wanted) == len(set(wanted))
    assert {"Li2O", "MgO", "LiFePO4", "Mg2SiO4"} & set(wanted) >= {"Li2O", "MgO"}
    for _, structure in script.substituted({"Li": 2, "O": 1}, library):
        assert structure.composition.reduced_formula == "Li2O"


def test_a_log_that_was_cut_is_read_up_to_the_cut(script, tmp_path):
    log = tmp_path / "phases.jsonl"
    assert script.read(log) == []
    log.write_text('{"formula": "LiF"}\n{"formula": "Mg')
    assert script.read(log) == [{"formula": "LiF"}]
    assert log.read_text() == '{"formula": "LiF"}\n'
