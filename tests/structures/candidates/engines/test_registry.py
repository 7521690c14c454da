"""Engines by name, and one line for what cannot be had."""

import sys

import pytest

from crystalgfn.cli import main
from crystalgfn.errors import ConfigError, PropertyError
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.engines.registry import ENGINES, load_engine
from cubic_crystals import ROWS, cubic


def test_options_that_are_not_given_have_their_defaults():
    assert load_engine("local", workers=3, address=None) == LocalEngine(3)
    assert load_engine("local", workers=None) == LocalEngine(2)
    batcher = load_engine("batched", device="cuda", batch=7).batcher
    assert (batcher.device, batcher.size) == ("cuda", 7)


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("rya", {}, "nearest: 'ray'"),
        ("local", {"address": "auto"}, "--address: no option of the engine 'local', allowed: --workers"),
        ("local", {"gpus_per_worker": 0.5}, "--gpus-per-worker: no option"),
        ("local", {"batch": 64}, "--batch: no option of the engine 'local'"),
        ("ray", {"device": "cuda"}, "--device: no option of the engine 'ray'"),
        ("batched", {"workers": 2}, "--workers: no option of the engine 'batched', allowed: --device, --batch"),
    ],
)
def test_wrong_use_is_refused(name, options, wanted):
    with pytest.raises(ConfigError, match=wanted):
        load_engine(name, **options)


class Backwards:
    """An engine that is added: works in this process, on the last task first."""

    batcher = None

    def map(self, tasks, load, loaded):
        for task in reversed(list(tasks)):
            yield task, loaded(task)


def test_an_engine_is_added_and_used(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(ENGINES, "backwards", Backwards)
    cubic(*ROWS).to_parquet(tmp_path / "crystals.parquet")
    place = ["--relax", "none", "--library", "none", "--placements", "1", "--engine", "backwards"]
    with pytest.raises(SystemExit) as ended:
        main(["structures", str(tmp_path / "crystals.parquet"), "-o", str(tmp_path / "out"), *place])
    assert ended.value.code == 0
    assert f"{len(ROWS)} placed" in capsys.readouterr().out


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PropertyError, match=r"pip install 'crystalgfn\[ray\]'"):
        load_engine("ray")


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("127.0.0.1:1", "127.0.0.1:1: nobody answers"),
        ("127.0.0.1:99999", "nobody answers"),
        ("somewhere", "found 'somewhere', allowed: auto, local, or HOST:PORT"),
    ],
)
def test_an_address_that_nobody_answers(address, wanted):
    pytest.importorskip("ray", reason="ray is not installed: pip install 'crystalgfn[ray]'")
    with pytest.raises(ConfigError, match=wanted):
        load_engine("ray", address=address)
