"""Run folders: config.yaml (resolved), metrics.csv, checkpoint, weights and versions.json, whatever the training."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from crystalgfn import __version__
from crystalgfn.config import CONFIG, Config, read_config
from crystalgfn.errors import CheckpointError, ConfigError, DataError
from crystalgfn.files.atomic import sweep, write_json, write_text
from crystalgfn.files.folders import contents, difference
from crystalgfn.files.locks import in_use
from crystalgfn.files.reading import read_bytes, read_text
from crystalgfn.files.trust import INPUTS, opened
from crystalgfn.gflownet.ranks import Ranks
from crystalgfn.runs.inputs import with_inputs

METRICS, VERSIONS, CHECKPOINT = "metrics.csv", "versions.json", "checkpoint.safetensors"
TRAINED = "trained.yaml"
"""The configuration whose space a policy was made for, where it was trained on in a narrower one."""

EVENTS = "tensorboard"
"""Folder of the events for TensorBoard."""
MOST_METRICS = 256 << 20
"""Largest size of a table of metrics, bytes."""

_PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "pydantic", "safetensors", "pymatgen", "moyopy")


def check_folder(config: Config, folder: Path, *, resume: bool, trust: bool = False) -> None:
    """Refuse a folder that a run must not write into.

    Args:
        config: configuration of the run.
        folder: its folder.
        resume: whether to go on with the run in the folder.
        trust: whether the configuration in the folder may name files outside of it.

    Raises:
        ConfigError: the folder holds a run but ``resume`` is False, or holds a run of another configuration; a run that
            ended before its first result does not count.
    """
    existing = folder / CONFIG
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: a file, allowed: a folder for the run")
    if is_stub(folder):
        return
    if existing.is_file():
        if not resume:
            raise ConfigError(f"{folder}: holds a run already; give --resume to go on with it, or another folder")
        with opened(folder, trust=trust):
            found = read_config(existing)
        changed = difference(found.model_dump(mode="json"), config.model_dump(mode="json"))
        if changed is not None:
            key, before, now = changed
            raise ConfigError(
                f"{folder}: holds a run of another configuration: {key} was {before}, found {now}; --resume goes on "
                "with the same only"
            )
    elif resume:
        raise ConfigError(f"{folder}: holds no run to go on with")
    elif folder.is_dir() and contents(folder):
        raise ConfigError(f"{folder}: not empty, allowed: a new or empty folder")


def is_stub(folder: Path) -> bool:
    """Whether a folder holds only what a run writes before its first result, and nothing that could be lost."""
    if not (folder / CONFIG).is_file():
        return False
    names = contents(folder)
    metrics = read_bytes(folder / METRICS, most=MOST_METRICS) if METRICS in names else b""
    return names <= {CONFIG, VERSIONS, METRICS, EVENTS, INPUTS} and metrics.count(b"\n") < 2


def held(folder: Path, ranks: Ranks) -> AbstractContextManager[None]:
    """Hold the folder of a run in the first of the processes that train together; see :func:`in_use`."""
    return in_use(folder) if ranks.first else nullcontext()


def begin(config: Config, folder: Path) -> None:
    """Make the folder of a run, with its configuration and the versions of this process; the caller holds its lock."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    if not (folder / CONFIG).is_file() or is_stub(folder):
        write_text(folder / CONFIG, config.to_yaml())
    write_json(folder / VERSIONS, versions(), indent=2)


def check_version(folder: Path, header: dict[str, Any]) -> None:
    """Refuse to go on from a checkpoint of another version.

    Raises:
        CheckpointError: the header of the checkpoint names another version.
    """
    if header.get("crystalgfn") != __version__:
        raise CheckpointError(f"{folder}: of crystalgfn {header.get('crystalgfn')}, allowed: {__version__}")


def cut_metrics(path: Path, header: str, last: int) -> None:
    """Cut a table of metrics after the row whose first column is ``last``; a new file gets the header.

    Raises:
        DataError: the file cannot be read, or a first column holds no number.
    """
    rows = read_text(path, most=MOST_METRICS).splitlines()[1:] if path.exists() else []
    try:
        earlier = [row for row in rows if row.count(",") == header.count(",") and float(row.split(",")[0]) <= last]
    except ValueError as error:
        raise DataError(f"{path}: not readable as training metrics ({error})") from None
    write_text(path, "\n".join([header, *earlier]) + "\n")


def trained_in(folder: Path) -> Config | None:
    """The configuration whose space the policy of a folder was made for; None where it is that of the folder.

    Raises:
        ConfigError: it cannot be read.
    """
    return with_inputs(read_config(folder / TRAINED), folder) if (folder / TRAINED).is_file() else None


def versions() -> dict[str, str]:
    """Versions of the package and of the libraries that results depend on."""
    found = {"crystalgfn": __version__, "python": platform.python_version(), "threads": str(torch.get_num_threads())}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
