"""A training that has not ended: its checkpoints, in the folder of the model, and what it was asked for.

DIR/training.partial/manifest.json        the options and hashes of all inputs; going on with others is refused
DIR/training.partial/energy.safetensors   the checkpoint of the phase ``energy`` (:mod:`.checkpoints`)
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crystalgfn.errors import ConfigError
from crystalgfn.files.atomic import sweep
from crystalgfn.files.folders import contents, open_folder, work_folder
from crystalgfn.files.reading import sha256
from crystalgfn.proxies.data.labels import Label
from crystalgfn.proxies.models import CARD, FILES, WEIGHTS, model_folder
from crystalgfn.proxies.options import FitOptions

PARTIAL, MANIFEST = "training.partial", "manifest.json"


def check_folder(folder: Path) -> None:
    """Refuse a folder that a model must not be written into.

    Args:
        folder: a folder that exists.

    Raises:
        ConfigError: it holds something else than a model.
    """
    others = contents(folder) - {*FILES, PARTIAL}
    if others and not (folder / CARD).is_file():
        raise ConfigError(f"{folder}: holds {min(others)!r} and no model, allowed: a new or empty folder, or a model's")


def request_of(data: Path, options: FitOptions, label: Label, recipe: str, split_seed: int) -> dict[str, Any]:
    """Return what a trained model depends on, as JSON values: files by their content, and settings."""
    named = {"base": options.base, "append": options.append}
    files = {
        "data": data,
        "strained": options.strained,
        "relaxed": options.relaxed,
        "hull": options.hull,
        **{key: None if where is None else model_folder(where) / WEIGHTS for key, where in named.items()},
    }
    request = {
        **{key: None if path is None else sha256(path) for key, path in files.items()},
        "target": asdict(label),
        "recipe": recipe,
        "members": options.members,
        "seed": options.seed,
        "split_seed": split_seed,
        "epochs": options.epochs,
        "with_validation": options.with_validation,
    }
    return dict(json.loads(json.dumps(request, default=str)))


class Unfinished:
    """The folder of the checkpoints of a training, opened for its request.

    Args:
        folder: folder of the model; the caller holds its lock.
        request: what the training was asked for.
        resume: whether to go on with the training that the folder holds.

    Raises:
        DataError: there is an unfinished training (without ``resume``), or one with another request.
    """

    def __init__(self, folder: Path, request: dict[str, Any], *, resume: bool) -> None:
        self._folder = work_folder(folder / PARTIAL)
        open_folder(self._folder, MANIFEST, request, resume=resume)
        sweep(folder)

    def checkpoint(self, phase: str) -> Path:
        """Return the file of the checkpoint of a phase."""
        return self._folder / f"{phase}.safetensors"

    def remove(self) -> None:
        """Remove the folder at the end of the training."""
        with contextlib.suppress(OSError):
            for path in (*self._folder.glob("*.safetensors"), self._folder / MANIFEST):
                path.unlink(missing_ok=True)
            self._folder.rmdir()
