"""A property model whose training is interrupted: gone on with by the same request alone, nothing of a user lost."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from crystalgfn.errors import DataError
from crystalgfn.files.locks import LOCK
from crystalgfn.files.reading import sha256
from crystalgfn.proxies.models import FILES, WEIGHTS, ProxyProperty
from crystalgfn.proxies.options import FitOptions
from crystalgfn.proxies.unfinished import PARTIAL
from crystalgfn.proxies.workflow import fit_model
from holder import holding
from property_data import table, write

OPTIONS = FitOptions(recipe="energy", members=1, epochs=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    frame = table(80)
    frame["bulk [GPa]"] = 100 - 150 * frame["formation_energy_per_atom"]
    return write(frame, tmp_path_factory.mktemp("unfinished") / "crystals.parquet")


@contextmanager
def stopping(phases, unit):
    """Interrupt the training after its first epoch."""

    def report(phase, epoch):
        raise KeyboardInterrupt

    yield report


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_it_goes_on_with_the_same_request_alone(data, tmp_path):
    folder = tmp_path / "px"
    with pytest.raises(KeyboardInterrupt):
        fit_model(data, folder, options=OPTIONS, progress=stopping)
    assert names(folder) == {PARTIAL}
    with pytest.raises(DataError, match="holds a run already; give --resume"):
        fit_model(data, folder, options=OPTIONS)
    other = write(table(81), tmp_path / "other.parquet")
    resumed = replace(OPTIONS, resume=True)
    for changed, options, key in (
        (other, resumed, "data "),
        (data, replace(resumed, recipe="table1"), "recipe 'energy', found 'table1'"),
        (data, replace(resumed, target="bulk", recipe=None), "recipe 'energy', found 'scalar'"),
        (data, replace(resumed, seed=3), "seed 0, found 3"),
        (data, replace(resumed, epochs=3), "epochs 2, found 3"),
        (data, replace(resumed, with_validation=True), "with_validation False, found True"),
    ):
        with pytest.raises(DataError, match=f"was started with {key}"):
            fit_model(changed, folder, options=options)
    seen = []

    @contextmanager
    def watching(phases, unit):
        yield lambda phase, epoch: seen.append(epoch.number)

    fit_model(data, folder, options=resumed, progress=watching)
    assert seen == [1]
    fit_model(data, tmp_path / "whole", options=OPTIONS)
    assert sha256(folder / WEIGHTS) == sha256(tmp_path / "whole" / WEIGHTS)
    assert names(folder) == set(FILES)


def test_files_of_a_user_stay_and_links_are_followed(data, tmp_path):
    folder, link = tmp_path / "px", tmp_path / "latest"
    link.symlink_to(folder, target_is_directory=True)
    card = fit_model(data, link, options=OPTIONS)
    assert card["name"] == "latest"
    (folder / "notes.txt").write_text("mine")
    before = sha256(folder / WEIGHTS)
    fit_model(data, link, options=replace(OPTIONS, seed=1))
    assert link.is_symlink()
    assert (folder / "notes.txt").read_text() == "mine"
    assert names(folder) == {*FILES, "notes.txt"}
    assert sha256(folder / WEIGHTS) != before
    assert ProxyProperty.load(link).card["seed"] == 1


def test_a_full_disk_leaves_the_model_before(data, tmp_path, monkeypatch):
    folder = tmp_path / "px"
    fit_model(data, folder, options=OPTIONS)
    before = {name: sha256(folder / name) for name in FILES}
    sync, written = os.fsync, []

    def full(handle):
        name = os.path.basename(os.readlink(f"/proc/self/fd/{handle}"))
        if name.startswith(f".{WEIGHTS}") and "px" in os.readlink(f"/proc/self/fd/{handle}"):
            written.append(name)
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"cannot write .*weights.safetensors: No space left on device"):
        fit_model(data, folder, options=replace(OPTIONS, seed=1))
    assert len(written) == 1
    assert {name: sha256(folder / name) for name in FILES} == before
    assert names(folder) == {*FILES, PARTIAL}  # the epochs are kept, for --resume


def test_one_process_trains_a_model(data, tmp_path):
    with holding(tmp_path / "px") as process, pytest.raises(DataError, match=f"in use by process {process.pid} on"):
        fit_model(data, tmp_path / "px", options=OPTIONS)
    assert LOCK not in names(tmp_path)
