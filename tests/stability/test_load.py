"""Hulls by name: one entry of the registry is all that a new one takes."""

import pytest
from typer.testing import CliRunner

from crystalgfn.errors import DataError
from crystalgfn.properties.hull_energy import EnergyAboveHull
from crystalgfn.stability import load, phases
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import HULLS, HullSource, hull_choices, load_hull
from crystalgfn.stability.phases import write_phases


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


def test_a_table_of_one_potential_is_no_hull_for_another(tmp_path):
    path = tmp_path / "mine.parquet"
    write_phases(path, [{"elements": '{"Mg": 1, "O": 1}', "formation_energy_per_atom": -3.0}], "7net-0")
    assert load_hull(path).potential == load_hull(path, potential="7net-0").potential == "7net-0"
    with pytest.raises(DataError, match=r"hull 'mine.parquet': its phases are by 7net-0, found energies by chgnet"):
        load_hull(path, potential="chgnet")


def test_a_table_is_read_once_until_it_changes(tmp_path, monkeypatch):
    path, read, table = tmp_path / "mine.csv", [], phases.read_phase_table
    monkeypatch.setattr(phases, "read_phase_table", lambda place: (read.append(place), table(place))[1])
    text = 'elements,formation_energy_per_atom\n"{{""Mg"": 1, ""O"": 1}}",{}\n'
    for energy in (-3.0, -2.75):
        path.write_text(text.format(energy))
        for _ in range(2):
            assert load_hull(path).energies_at({"Mg": 1, "O": 1}) == (energy,)
    assert len(read) == 2
    path.unlink()
    with pytest.raises(DataError, match=r"mine\.csv"):
        load_hull(path)


def test_a_table_that_names_no_potential_serves_all(tmp_path):
    path = tmp_path / "dft.csv"
    path.write_text('elements,formation_energy_per_atom\n"{""Mg"": 1, ""O"": 1}",-3.0\n')
    for potential in ("chgnet", "my:potential"):
        hull = load_hull(path, potential=potential)
        assert hull.energy_above_hull({"Mg": 1, "O": 1}, -2.5).value == pytest.approx(0.5)
