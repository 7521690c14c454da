"""``crystalgfn properties``: the list, as a table and as JSON."""

import json

import pytest

from crystalgfn.cli import main
from crystalgfn.properties import registry
from crystalgfn.properties.registry import available


def run(capsys, *args):
    with pytest.raises(SystemExit) as ended:
        main(["properties", *args])
    return int(ended.value.code or 0), capsys.readouterr()


def test_list(capsys):
    code, shown = run(capsys)
    assert code == 0
    header, *rows = shown.out.splitlines()
    assert header == "name\tunit\terror\telements\tsource"
    assert {row.split("\t")[0] for row in rows} == set(available())
    band_gap = next(row for row in rows if row.startswith("band_gap")).split("\t")
    assert band_gap[1] == "eV"
    assert "MAE" in band_gap[2]


def test_list_as_json(capsys):
    code, shown = run(capsys, "density", "cost_per_kg", "--json")
    assert code == 0
    density, cost = json.loads(shown.out)
    assert (density["unit"], density["error"], density["elements"]) == ("g/cm3", "exact", None)
    assert cost["unit"] == "USD/kg"
    assert "Fe" in cost["elements"]


def test_list_of_an_unknown_name(capsys):
    code, shown = run(capsys, "densty")
    assert code == 2
    assert "unknown property 'densty'" in shown.err


def test_a_broken_entry_point_does_not_break_the_list(monkeypatch, capsys):
    from importlib.metadata import EntryPoint, EntryPoints

    point = EntryPoint("broken", "no_such_module_at_all:f", "crystalgfn.properties")
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([point]))
    code, shown = run(capsys)
    assert code == 0
    assert "broken: property 'broken' cannot be imported" in shown.out
