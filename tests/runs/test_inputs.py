"""A run keeps what sampling needs, so that it can be used from any folder, without the originals and without trust."""

import json
import shutil
import sys

import pandas as pd
import pytest

from crystalgfn.config import parse_config
from crystalgfn.errors import PropertyError, TrustError
from crystalgfn.proxies.models import shipped_models
from crystalgfn.runs import inputs
from crystalgfn.runs.inputs import INDEX, keep_inputs, with_inputs
from crystalgfn.runs.model import load
from crystalgfn.runs.training import train
from small_run import small_config


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a property model and a table of phases, named by paths relative to it."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    shutil.copytree(shipped_models()["formation_energy"], place / "models" / "energy")
    elements = ["Li", "O", "F", "Mg"]
    phases = {"elements": [json.dumps({symbol: 1}) for symbol in elements], "formation_energy_per_atom": [0.0] * 4}
    pd.DataFrame(phases).to_csv(place / "phases.csv", index=False)
    return place


def config(**changes):
    content = small_config(iterations=10, checkpoint_every=5).model_dump(mode="json")
    terms = [{"property": "models/energy", "goal": "minimise"}, {"stability": {"hull": "phases.csv"}}]
    return parse_config({**content, "objective": terms, **changes})


def test_a_run_is_sampled_from_another_folder_without_its_originals(here, tmp_path, monkeypatch):
    train(config(), here / "run")
    expected = load("run").sample(20, seed=0)
    shutil.rmtree(here / "models")
    (here / "phases.csv").unlink()
    moved = tmp_path / "elsewhere" / "moved"
    shutil.move(here / "run", moved)
    monkeypatch.chdir(tmp_path)
    assert load(moved).sample(20, seed=0).equals(expected)
    assert "energy_above_hull [eV/atom]" in expected.columns


def test_a_resumed_run_goes_on_with_its_copies(here):
    whole = train(config(), here / "whole")
    stop = iter(range(2))

    def killed(progress):
        if progress.iteration >= 6 and next(stop, None) is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(), here / "run", on_iteration=killed)
    (here / "phases.csv").unlink()
    again = train(config(), here / "run", resume=True)
    assert again.iteration == whole.iteration
    assert (here / "run" / "config.yaml").read_text() == (here / "whole" / "config.yaml").read_text()
    assert load("run").sample(20).equals(load("whole").sample(20))


def test_copies_stand_in_for_what_is_named(here):
    (here / "run").mkdir()
    keep_inputs(config(), here / "run")
    found = with_inputs(config(), here / "run")
    index = json.loads((here / "run" / "inputs" / INDEX).read_text())
    assert index == {str(here / "models" / "energy"): "0-energy", "phases.csv": "1-phases.csv"}
    assert found.objective[0].property == str(here / "run" / "inputs" / "0-energy")
    assert found.objective[1].hull == str(here / "run" / "inputs" / "1-phases.csv")


def test_a_run_that_names_what_ships_keeps_nothing(tmp_path):
    keep_inputs(small_config(), tmp_path)
    assert not any(tmp_path.iterdir())


def test_large_inputs_are_noted_and_not_copied(here, monkeypatch):
    monkeypatch.setattr(inputs, "MOST_BYTES", 1000)
    train(config(), here / "run")
    index = json.loads((here / "run" / "inputs" / INDEX).read_text())
    model = str(here / "models" / "energy")
    assert index == {model: model, "phases.csv": "1-phases.csv"}
    with pytest.raises(TrustError, match="which lies outside"):
        load("run")
    assert len(load("run", trust=True).sample(5)) == 5


@pytest.mark.parametrize("target", ["../../models/energy", "/dev/zero"])
def test_an_index_leads_nowhere_else(here, target):
    train(config(), here / "run")
    path = here / "run" / "inputs" / INDEX
    path.write_text(json.dumps({**json.loads(path.read_text()), str(here / "models" / "energy"): target}))
    with pytest.raises(TrustError, match="which lies outside"):
        load("run")


MODULE = "def atoms(crystals):\n    return crystals.n_atoms.double()\n"


@pytest.fixture
def coded(here, tmp_path, monkeypatch):
    """A run whose property is a function of a file in the folder that it was made from, and where it is now."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    (here / "sizes.py").write_text(MODULE)
    train(config(objective=[{"property": "sizes:atoms", "goal": "minimise"}]), here / "run")
    sys.modules.pop("sizes")
    sys.path.remove(str(here))
    moved = tmp_path / "elsewhere" / "moved"
    shutil.move(here / "run", moved)
    monkeypatch.chdir(tmp_path)
    yield here, moved
    sys.modules.pop("sizes", None)


def test_code_is_kept_and_used_with_consent_alone(coded):
    origin, run = coded
    with pytest.raises(TrustError, match=r"the code 'sizes:atoms' of .*inputs/sizes.py, allowed: .*--trust"):
        load(run)
    assert "sizes" not in sys.modules
    samples = load(run, trust=True).sample(20)
    assert (samples.columns["sizes:atoms"] == samples.n_atoms.numpy()).all()
    assert sys.modules["sizes"].__file__ == str(run / "inputs" / "sizes.py")
    assert json.loads((run / "inputs" / "modules.json").read_text()) == {"sizes": str(origin / "sizes.py")}


def test_code_that_is_gone_is_named_with_where_it_lay(coded):
    origin, run = coded
    (run / "inputs" / "sizes.py").unlink()
    with pytest.raises(PropertyError) as error:
        load(run, trust=True)
    assert f"{run} was made with '{origin / 'sizes.py'}'" in str(error.value)
    assert "allowed: an installed module, or MODULE.py in the current folder" in str(error.value)
