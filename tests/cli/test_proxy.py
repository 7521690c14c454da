"""``crystalgfn proxy``: train, evaluate, predict, and what goes wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crystalgfn.cli import main
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.properties.registry import resolve
from crystalgfn.proxies.models import ProxyProperty
from property_data import strained, table, write


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["proxy", *map(str, args)])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxy")
    frame = table(120)
    write(frame, folder / "data.parquet")
    write(strained(frame), folder / "strained.parquet")
    args = ("-o", folder / "model", "--strained", folder / "strained.parquet", "--epochs", 2)
    assert run("train", folder / "data.parquet", *args) == 0
    return folder


def test_trained_model_has_a_card_and_nothing_is_left_over(trained):
    assert sorted(p.name for p in trained.iterdir()) == ["data.parquet", "model", "strained.parquet"]
    card = json.loads((trained / "model" / "card.json").read_text())
    assert card["command"] == (
        "crystalgfn proxy train data.parquet -o model --recipe best --strained strained.parquet --seed 0 --epochs 2"
    )
    assert card["domain"]["n_atoms"][0] >= 8
    assert str(trained) not in (trained / "model" / "card.md").read_text()
    assert resolve(str(trained / "model")).unit == "eV/atom"


def test_final_weights_fit_the_validation_rows(trained, tmp_path):
    args = ("-o", tmp_path / "final", "--with-validation", "--epochs", 1)
    assert run("train", trained / "data.parquet", *args) == 0
    card = json.loads((tmp_path / "final" / "card.json").read_text())
    assert card["command"] == (
        "crystalgfn proxy train data.parquet -o final --recipe best --with-validation --seed 0 --epochs 1"
    )
    assert card["split"]["fits_validation"] is True
    assert "fitted as well in this last run" in (tmp_path / "final" / "card.md").read_text()
    assert card["metrics"]["real"]["rows"] == "test"


def test_evaluate_reproduces_the_card(trained, capsys):
    out = trained / "metrics.json"
    args = ("--strained", trained / "strained.parquet", "--json", out)
    assert run("evaluate", trained / "model", trained / "data.parquet", *args) == 0
    found = json.loads(out.read_text())
    out.unlink()
    card = json.loads((trained / "model" / "card.json").read_text())
    assert found["real"] == card["metrics"]["real"]
    assert found["strained"] == card["metrics"]["strained"]
    assert found["real"]["rows"] == "test"
    shown = capsys.readouterr().out
    assert "unseen chemical systems" in shown
    assert f"{found['real']['groups']['all']['mae']:.4f}" in shown


def test_evaluate_on_other_data_takes_all_rows(trained, tmp_path):
    other = write(table(30, seed=7), tmp_path / "other.parquet")
    assert run("evaluate", trained / "model", other, "--json", tmp_path / "m.json") == 0
    found = json.loads((tmp_path / "m.json").read_text())
    assert (found["real"]["rows"], found["real"]["groups"]["all"]["n"]) == ("all", 30)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict(trained, tmp_path, ending):
    out = tmp_path / f"out.{ending}"
    assert run("predict", trained / "model", trained / "data.parquet", "-o", out) == 0
    crystals = Crystals.from_file(trained / "data.parquet")
    expected = ProxyProperty.load(trained / "model")(crystals)
    found = Crystals.from_file(out)
    assert found.column("model_predicted") == pytest.approx(expected.double().numpy())
    assert len(found.column("model_predicted_deviation")) == 120


def test_table1_trains(trained, tmp_path):
    assert run("train", trained / "data.parquet", "-o", tmp_path / "t1", "--recipe", "table1", "--epochs", 1) == 0
    assert json.loads((tmp_path / "t1" / "card.json").read_text())["network"]["kind"] == "table1"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("train", "DATA", "-o", "OUT", "--recipe", "bst"),
            "unknown recipe 'bst', allowed: best, energy, table1 (nearest: 'best')",
        ),
        (("train", "missing.parquet", "-o", "OUT"), "missing.parquet"),
        (("train", "DATA", "-o", "FOLDER"), "holds 'notes.txt' and no model"),
        (("evaluate", "nothing", "DATA"), "no model 'nothing'"),
        (("predict", "formation_energy", "DATA", "-o", "out.xls"), "unknown ending '.xls'"),
        (("predict", "formation_energy", "missing.csv", "-o", "out.csv"), "missing.csv"),
    ],
)
def test_errors_are_one_line(trained, tmp_path, capsys, args, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine")
    places = {"DATA": trained / "data.parquet", "OUT": tmp_path / "out", "FOLDER": tmp_path / "folder"}
    assert run(*(places.get(a, a) for a in args)) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_targets_must_be_numbers(tmp_path, capsys):
    frame = table(30)
    frame.loc[4, "formation_energy_per_atom"] = float("nan")
    assert run("train", write(frame, tmp_path / "bad.parquet"), "-o", tmp_path / "out") == 2
    assert "row 5 has formation_energy_per_atom nan" in capsys.readouterr().err


def test_members_are_appended(trained, tmp_path):
    out = tmp_path / "more"
    args = ("--append", trained / "model", "--members", 1, "--seed", 1, "--epochs", 1)
    assert run("train", trained / "data.parquet", "-o", out, *args) == 0
    card = json.loads((out / "card.json").read_text())
    assert card["network"]["members"] == 5
    assert card["split"]["seed"] == 0
    assert [stage["name"] for stage in card["stages"]] == ["energy", "blind"]
    assert card["appended_to"]["command"].startswith("crystalgfn proxy train data.parquet -o model")
    crystals = Crystals.from_file(trained / "data.parquet")
    first, both = ProxyProperty.load(trained / "model"), ProxyProperty.load(out)
    assert both._predict(crystals).energy[:4] == pytest.approx(first._predict(crystals).energy, abs=1e-4)
    assert run("evaluate", out, trained / "data.parquet", "--json", tmp_path / "m.json") == 0


def test_band_gap(tmp_path, capsys):
    frame = table(150)
    frame["band_gap"] = [float("nan") if row < 30 else max(0.0, (row % 5) - 2) for row in range(150)]
    data = write(frame, tmp_path / "data.parquet")
    assert run("train", data, "-o", tmp_path / "gap", "--target", "band_gap", "--epochs", 2) == 0
    card = json.loads((tmp_path / "gap" / "card.json").read_text())
    assert card["command"] == "crystalgfn proxy train data.parquet -o gap --target band_gap --seed 0 --epochs 2"
    assert (card["unit"], card["target"], card["data"]["rows"]) == ("eV", "band_gap", 120)
    assert set(card["metrics"]["real"]["metals"]) == {"n", "metals", "accuracy", "auc"}
    assert "rows) and others: " in capsys.readouterr().out
    assert "the right side at even odds" in (tmp_path / "gap" / "card.md").read_text().replace("\n", " ")
    assert run("evaluate", tmp_path / "gap", data, "--json", tmp_path / "m.json") == 0
    assert json.loads((tmp_path / "m.json").read_text())["real"] == card["metrics"]["real"]
    assert run("train", data, "-o", tmp_path / "x", "--target", "band_gap", "--recipe", "best") == 2
    assert "unknown recipe 'best', allowed: gap" in capsys.readouterr().err


def test_uncertainty_benchmark(trained, tmp_path):
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "uncertainty.py"
    files = [trained / "data.parquet", "--strained", trained / "strained.parquet", "--hull", trained / "data.parquet"]
    options = ["--model", trained / "model", "--seconds", 0, "--batch", 8, "--json", tmp_path / "out.jsonl"]
    done = subprocess.run(
        [sys.executable, *map(str, [script, *files, *options])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out.jsonl").read_text())["results"]
    sets = {result["set"] for result in results if "set" in result}
    assert sets == {"test rows", "unseen chemical systems", "volume 0.5 to 2.5", "compositions alone", "scaled"}
    by_distance = [r for r in results if r.get("set") == "test rows" and r.get("by") == "distance"]
    assert sum(r["n"] for r in by_distance) == next(r["n"] for r in results if r.get("set") == "test rows")
