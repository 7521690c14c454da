"""The workflow in Python: a model from a table to its folder, as docs/properties.md shows it."""

from pathlib import Path

import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError
from crystalgfn.proxies.models import ProxyProperty
from crystalgfn.proxies.workflow import FitOptions, evaluate_file, fit_model, with_prediction
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
