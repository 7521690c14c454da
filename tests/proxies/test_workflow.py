"""The workflow in Python: a model from a table to its folder, as docs/properties.md shows it."""

from pathlib import Path

import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.options import FitOptions
from crystalgfn.proxies.workflow import evaluate_file, fit_model, with_prediction
from property_data import table, write


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write(table(80), tmp_path_factory.mktemp("workflow") / "crystals.parquet")


def test_fit_append_evaluate_and_predict(data, tmp_path):
    seen = []

    class Shown:
        def __init__(self, phases, unit):
            seen.append(([phase.name for phase in phases], unit))

        def __enter__(self):
            return lambda phase, epoch: seen.append((phase, epoch.number))

        def __exit__(self, *error):
            seen.append("done")

    options = FitOptions(recipe="energy", members=1, epochs=2)
    card = fit_model(data, tmp_path / "energy", options=options, progress=Shown)
    assert seen == [(["energy"], "eV/atom"), ("energy", 0), ("energy", 1), "done"]
    assert card["command"] == (
        "crystalgfn proxy train crystals.parquet -o energy --recipe energy --members 1 --seed 0 --epochs 2"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["energy"]

    first = tmp_path / "energy"
    fit_model(
        data, tmp_path / "more", options=FitOptions(recipe="energy", append=str(first), members=1, epochs=1, seed=1)
    )
    more = ProxyProperty.load(tmp_path / "more")
    assert more.network.config.members == 2

    metrics, labelled = evaluate_file(ProxyProperty.load(first), data)
    assert metrics == card["metrics"]
    assert len(labelled.target) == 80

    crystals = with_prediction(more, Crystals.from_file(data))
    assert {"more_predicted [eV/atom]", "more_predicted_deviation [eV/atom]"} <= set(crystals.columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FitOptions(recipe="table1", base="formation_energy"), "recipe 'table1' goes on from no --base"),
        (FitOptions(target="band_gap", hull=Path("hull.parquet")), "its entries have no band gap"),
        (FitOptions(recipe="best", append="formation_energy"), "was trained on other data or another split"),
    ],
)
def test_options_that_do_not_go_together(data, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        fit_model(data, tmp_path / "model", options=options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "transformation", "unit"), [("my_bulk [GPa]", "none", "GPa"), ("stable", "classes", "")]
)
def test_any_column_becomes_a_property(tmp_path, column, transformation, unit):
    frame = table(120)
    energy = frame.pop("formation_energy_per_atom")
    frame["source"] = "lab"
    frame[column] = 100 - 150 * energy if unit else energy < energy.median()
    name = column.split(" [")[0]
    frame.to_parquet(tmp_path / "mine.parquet")
    card = fit_model(tmp_path / "mine.parquet", tmp_path / "k", options=FitOptions(target=name, members=2, epochs=2))
    assert (card["target"], card["unit"], card["transformation"]) == (name, unit, transformation)
    assert card["citations"] == ["given by the user: mine.parquet (source: lab)"]
    assert "Materials Project" not in (tmp_path / "k" / "card.md").read_text()
    assert ("classes" in card["metrics"]["real"]) == (transformation == "classes")
    model = ProxyProperty.load(tmp_path / "k")
    crystals = Crystals.from_file(tmp_path / "mine.parquet")
    predicted = with_prediction(model, crystals)
    assert predicted.column(name).tolist() == crystals.column(name).tolist()  # the label is still there
    predicted.to_parquet(tmp_path / "after.parquet")
    before, _ = evaluate_file(model, tmp_path / "mine.parquet")
    after, _ = evaluate_file(model, tmp_path / "after.parquet")
    whole = after["real"]["groups"]["all"]
    assert before["real"]["rows"] == "test"
    assert whole["n"] == 120
    assert whole["mae"] > 0


def test_cards_cite_what_the_table_names(tmp_path):
    frame, options = table(60), FitOptions(recipe="energy", members=1, epochs=1)
    frame.to_parquet(tmp_path / "both.parquet")
    card = fit_model(tmp_path / "both.parquet", tmp_path / "e", options=options)
    assert [citation.split(":")[0] for citation in card["citations"]] == ["Materials Project, CC BY 4.0", "WBM"]
    assert "PBE" in card["property"]
    frame.drop(columns="source").to_parquet(tmp_path / "own.parquet")
    card = fit_model(tmp_path / "own.parquet", tmp_path / "o", options=options)
    assert card["citations"] == ["given by the user: own.parquet"]
    assert card["property"] == "formation energy per atom, as given by the user"
    assert "the user gave" in card["licence"]
