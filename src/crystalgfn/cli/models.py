"""Samples of a model for verbs that take a model in place of a table of crystals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crystalgfn.evaluation.inputs import Data
    from crystalgfn.runs.model import Model


def is_model(where: str | Path) -> bool:
    """Whether a text is the name of a preset, which comes before files and folders, or the path of a run folder."""
    from crystalgfn.config import CONFIG, presets

    return str(where) in presets() or (Path(where) / CONFIG).is_file()


def consent(run: Path) -> str:
    """Return what a command about a run needs besides its folder: `` --trust``, or nothing."""
    from crystalgfn.errors import TrustError
    from crystalgfn.runs.model import load

    try:
        load(run)
    except TrustError:
        return " --trust"
    return ""


def sampled(where: str | Path, n: int, seed: int, *, trust: bool = False) -> Data:
    """Return samples of a run or a preset, with its configuration as provenance."""
    from crystalgfn.runs.model import load

    return samples_of(load(where, trust=trust), where, n, seed, trust=trust)


def samples_of(model: Model, where: str | Path, n: int, seed: int, *, trust: bool = False) -> Data:
    """Return samples of a loaded model, with its configuration as provenance; ``where`` is its run folder or preset."""
    from crystalgfn.config import presets
    from crystalgfn.evaluation.inputs import Data, energy_methods
    from crystalgfn.files.reading import read_json
    from crystalgfn.files.trust import opened
    from crystalgfn.runs.folder import VERSIONS

    crystals = model.sample(n, seed=seed)
    kind, name = ("preset", str(where)) if str(where) in presets() else ("run", Path(where).name)
    provenance = {kind: name, "samples": n, "seed": seed, "weights": model.fingerprint}
    versions = Path(where) / VERSIONS
    if kind == "run" and versions.is_file():
        with opened(where, trust=trust):
            found = read_json(versions, dict[str, str])
        provenance["trained with"] = ", ".join(f"{k} {v}" for k, v in found.items())
    provenance["configuration"] = model.config.to_yaml()
    return Data(
        name,
        crystals,
        provenance=provenance,
        methods=energy_methods(crystals),
        constraints=model.config.constraints.model_dump(),
    )
