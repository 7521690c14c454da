"""Samples of a model for verbs that take a model in place of a table of crystals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crystalgfn.evaluation.inputs import Data
    from crystalgfn.runs.model import Model


def is_model(where: Path) -> bool:
    """Whether a path is a run folder, or the name of a preset and not of a file or folder."""
    from crystalgfn.config import CONFIG, presets

    return (where / CONFIG).is_file() or (str(where) in presets() and not where.exists())


def sampled(where: Path, n: int, seed: int) -> Data:
    """Return samples of a run or a preset, with its configuration as provenance."""
    from crystalgfn.runs.model import load

    return samples_of(load(str(where)), where, n, seed)


def samples_of(model: Model, where: Path, n: int, seed: int) -> Data:
    """Return samples of a loaded model, with its configuration as provenance; ``where`` is its run folder or preset."""
    import json

    from crystalgfn.evaluation.inputs import Data, energy_methods
    from crystalgfn.runs.folder import VERSIONS

    crystals = model.sample(n, seed=seed)
    kind = "run" if where.is_dir() else "preset"
    provenance = {kind: where.name, "samples": n, "seed": seed, "weights": model.fingerprint}
    versions = where / VERSIONS
    if versions.is_file():
        provenance["trained with"] = ", ".join(f"{k} {v}" for k, v in json.loads(versions.read_text()).items())
    provenance["configuration"] = model.config.to_yaml()
    return Data(
        where.name,
        crystals,
        provenance=provenance,
        methods=energy_methods(crystals),
        constraints=model.config.constraints.model_dump(),
    )
