"""Hulls by name: one entry of the registry is all that a new one takes."""

import pytest
from typer.testing import CliRunner

from crystalgfn.errors import DataError
from crystalgfn.properties.hull_energy import EnergyAboveHull
from crystalgfn.stability import load
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import HULLS, HullSource, hull_choices, load_hull


@pytest.fixture
def oxides(monkeypatch):
    """A new source of hulls."""
    phases = [({"Li": 2, "O": 1}, -2.0), ({"Mg": 1, "O": 1}, -3.0)]
    monkeypatch.setitem(HULLS, "oxides", HullSource("two oxides", lambda api_key: Hull(phases, name="oxides")))


def test_a_new_source_is_loaded_by_its_name_everywhere(oxides):
    assert load_hull("oxides").energy_above_hull({"Mg": 1, "O": 1}, -2.5).value == pytest.approx(0.5)
    assert EnergyAboveHull(hull="oxides").facets.hull.elements == ("Li", "O", "Mg")
    assert hull_choices("none") == "builtin, mp, oxides, none, or a table of phases"
    with pytest.raises(DataError, match=r"'oxide' \(nearest: 'oxides'\), allowed: builtin, mp, oxides, or a table"):
        load_hull("oxide")


def test_the_command_line_lists_the_registry():
    from crystalgfn.cli import structures

    shown = CliRunner().invoke(structures.app, ["--help"], env={"COLUMNS": "200"}).output
    assert load.hull_choices("none") in shown


def test_each_source_says_what_it_holds():
    assert all(source.about for source in HULLS.values())
