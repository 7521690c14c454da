"""``crystalgfn config``: what it calls valid trains, and what cannot train is one line."""

from __future__ import annotations

import json

import pytest

from command_line import is_one_line
from small_run import small_config


@pytest.fixture
def file(tmp_path):
    """A small configuration as a file."""
    path = tmp_path / "small.yaml"
    path.write_text(json.dumps(small_config().model_dump(mode="json")))
    return str(path)


def test_valid_lists_the_elements_that_may_occur(file, call):
    code, out, err = call("config", "validate", file, "--set", "constraints.elements.forbidden=[F]")
    assert code == 0, err
    assert out == "valid: CrystalSpace(3 elements Li Mg O; 4 groups)\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            ["objective=[{property: band_gap}]", "constraints.elements.allowed=[Li, O, Xe, Kr]"],
            "property 'band_gap' knows nothing of Xe, Kr, allowed: another property",
        ),
        (["objective=[{property: bandgap}]"], "unknown property 'bandgap'"),
        (["objective=[{property: 'missing_module:f'}]"], "cannot be imported"),
        (["training.data={path: nowhere.parquet}"], "nowhere.parquet: no such file"),
        (["training.start=runs/nowhere"], "runs/nowhere: no such run folder"),
        (["training.start=twelve-elements"], ""),
        (["constraints.stoichiometry=LiMg"], "neutrality"),
        (["objective=[{property: density}, {novelty: {known: [nowhere.parquet]}}]"], "nowhere.parquet"),
    ],
)
def test_what_cannot_train_is_not_valid(file, call, changes, words, tmp_path):
    args = [f"--set={change}" for change in changes]
    code, out, err = call("config", "validate", file, *args)
    assert (code, out) == (2, "")
    assert is_one_line(err), err
    assert words in err
    run = tmp_path / "run"
    code, _, again = call("train", file, "-o", str(run), "--no-report", *args)
    assert code == 2
    assert words in again
    assert not run.exists()


def test_a_property_may_be_blind_to_what_is_forbidden(file, call):
    changes = ["objective=[{property: band_gap}]", "constraints.elements={allowed: [Li, O, Xe], forbidden: [Xe]}"]
    code, out, err = call("config", "validate", file, *(f"--set={change}" for change in changes))
    assert code == 0, err
    assert "2 elements Li O" in out


def test_a_property_that_fails_is_not_valid(file, call, tmp_path, monkeypatch):
    (tmp_path / "my_property_that_fails.py").write_text("def f(crystals):\n    return [1.0]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    code, _, err = call("config", "validate", file, "--set=objective=[{property: 'my_property_that_fails:f'}]")
    assert code == 2
    assert "returned shape (1,) for 8 crystals" in err


def test_a_prior_needs_no_table_to_be_valid(file, call):
    args = ["--set=objective=[]", "--set=training.objective=likelihood"]
    code, out, err = call("config", "validate", file, *args)
    assert code == 0, err
    assert "training needs a table of crystals: crystalgfn train" in out
