"""Fine-tuning into a run folder, so that tuned weights are sampled again and the same request is not trained twice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

from crystalgfn import __version__
from crystalgfn.errors import ConfigError
from crystalgfn.files.atomic import write_text
from crystalgfn.files.folders import open_folder
from crystalgfn.files.locks import in_use
from crystalgfn.gflownet.checkpoint import load_policy, save_policy
from crystalgfn.gflownet.trainer import Progress
from crystalgfn.runs.build import POLICY
from crystalgfn.runs.folder import TRAINED, begin
from crystalgfn.runs.model import Model

MANIFEST = "finetuning.json"
"""File of the folder with the model, the configuration and the settings that the weights depend on."""


def finetune_into(
    folder: str | Path,
    model: Model,
    *,
    iterations: int,
    seed: int = 0,
    report: Callable[[Progress, float], None] | None = None,
) -> Model:
    """Fine-tune a model and write a run folder, or read the weights of a folder that holds the same already.

    Args:
        folder: new or empty, or written by the same call.
        model: the model, in the space to tune it in; no prior, whose samples know their probability under the very
            weights that tuning changes.
        iterations, seed, report: see :meth:`~crystalgfn.runs.model.Model.finetuned`.

    Returns:
        the tuned model; :func:`crystalgfn.load` gives one from the folder too.

    Raises:
        ConfigError: the model is a prior.
        DataError: the folder holds something else, or weights of another request; names what differs.
    """
    if model.config.is_prior:
        raise ConfigError("finetuning: found a prior, allowed with a folder: a model that was trained to a reward")
    folder = Path(folder)
    settings = {"iterations": iterations, "seed": seed}
    request = {"model": model.fingerprint, "configuration": model.config.model_dump(mode="json"), **settings}
    with in_use(folder):
        open_folder(folder, MANIFEST, request, resume=True)
        if not (folder / POLICY).is_file():
            tuned = model.finetuned(iterations=iterations, seed=seed, report=report)
            begin(model.config, folder)
            if model.trained.constraints != model.config.constraints:
                write_text(folder / TRAINED, model.trained.to_yaml())
            save_policy(folder / POLICY, tuned.policy, {"crystalgfn": __version__, **settings})
            return tuned
        policy = copy.deepcopy(model.policy)
        load_policy(folder / POLICY, policy)
        return model.tuned(policy, iterations, seed)
