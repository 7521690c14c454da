"""Training of priors into run folders: the distribution of real crystals, learned by likelihood.

The run folder is that of any training (:mod:`crystalgfn.runs.folder`), with a row of metrics.csv for each epoch, the
weights of the best epoch in policy.safetensors, and a card, prior.md. No row of the data is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from crystalgfn import __version__
from crystalgfn.config import Config
from crystalgfn.errors import CheckpointError, ConfigError
from crystalgfn.files.atomic import write_text
from crystalgfn.files.trust import opened
from crystalgfn.gflownet.checkpoint import load_policy, load_prior_checkpoint, save_policy, save_prior_checkpoint
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.gflownet.prior import Epoch, PriorTrainer
from crystalgfn.gflownet.ranks import ALONE, Ranks
from crystalgfn.runs.build import POLICY, build_policy, build_recipe, build_space, weights_of
from crystalgfn.runs.folder import CHECKPOINT, METRICS, begin, check_folder, check_version, cut_metrics, held
from crystalgfn.runs.prior_card import card_text
from crystalgfn.runs.prior_data import PriorData, read_prior_data

CARD = "prior.md"
"""Name of the card of a prior in its run folder."""


def build_prior_trainer(config: Config, *, device: str = "cpu", ranks: Ranks = ALONE) -> tuple[PriorTrainer, PriorData]:
    """A trainer for the prior of a configuration, ready to run, and its crystals.

    Raises:
        ConfigError: the objective is not ``likelihood``, or ``training.data`` names no table.
        DataError: the table cannot be read, or too few of its crystals are left.
    """
    objective, training = config.training.objective, config.training
    if not isinstance(objective, Likelihood):
        raise ConfigError("training.objective: allowed for a prior: likelihood")
    if training.data is None:
        raise ConfigError("training.data: found no table of real crystals, allowed: crystalgfn train prior DATA -o RUN")
    space = build_space(config.constraints).to(device)
    data = read_prior_data(training.data.path, space, objective, seed=config.seed)
    policy = build_policy(config, space)
    if training.start is not None:
        load_policy(weights_of(training.start), policy)
        policy.remember(data.states[:0])  # beside the memory of its start, the network would learn little
    out = torch.from_numpy(data.held_out).to(space.device)
    learned, held_out = data.states[~out], data.states[out]
    recipe = build_recipe(training)
    trainer = PriorTrainer(policy, space, learned, recipe, objective, held_out=held_out, seed=config.seed, ranks=ranks)
    return trainer, data


def train_prior(
    config: Config,
    folder: str | Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    trust: bool = False,
    ranks: Ranks = ALONE,
    on_start: Callable[[PriorData], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> PriorTrainer:
    """Train a prior into a run folder; after a kill, it goes on after the last epoch to the same result.

    Args:
        config: configuration of the run; its objective of training is ``likelihood``.
        folder: a new or empty folder, or the folder of a run to go on with.
        resume: whether to go on after the last epoch.
        device: "cpu" or "cuda".
        trust: whether the files of a run to go on with may be links that lead out of its folder.
        ranks: processes that train together; the first one writes, and calls ``on_start`` and ``on_epoch``.
        on_start: called with the crystals before training.
        on_epoch: called after every epoch.

    Raises:
        ConfigError: the folder holds a run but ``resume`` is False, or holds a run of another configuration; or see
            :func:`build_prior_trainer`.
        CheckpointError: the checkpoint cannot be read, or the table has changed since.
        DataError: the table cannot be used, the disk is full, or another process works in the folder.
    """
    folder = Path(folder)
    with held(folder, ranks):
        start = time.process_time()
        check_folder(config, folder, resume=resume, trust=trust)
        trainer, data = build_prior_trainer(config, device=device, ranks=ranks)  # an error here leaves no folder behind
        header = {"crystalgfn": __version__, "data": data.sha256}
        if resume and (folder / CHECKPOINT).is_file():
            with opened(folder, trust=trust):
                found = load_prior_checkpoint(folder / CHECKPOINT, trainer)
            check_version(folder, found)
            if found.get("data") != data.sha256:
                raise CheckpointError(f"{data.path}: has changed since the run began, allowed: the same table")
        ranks.wait()  # the others have read what the first one is about to change
        if not ranks.first:
            trainer.run()
            return trainer
        begin(config, folder)
        names = ["epoch", "updates", "lr", "train", "validation", "best", "nonfinite", *trainer.policy.stages]
        cut_metrics(folder / METRICS, ",".join(names), trainer.epoch)
        if on_start is not None:
            on_start(data)
        trainer.cpu_seconds += time.process_time() - start

        with (folder / METRICS).open("a", encoding="utf-8") as metrics:

            def after(epoch: Epoch) -> None:
                numbers = [getattr(epoch, name) for name in names[: -len(epoch.by_stage)]]
                metrics.write(",".join(f"{float(value):.7g}" for value in (*numbers, *epoch.by_stage.values())) + "\n")
                metrics.flush()
                if epoch.best:
                    save_policy(folder / POLICY, trainer.best_policy(), {**header, "epoch": epoch.epoch})
                write_text(folder / CARD, card_text(config, data, trainer))
                save_prior_checkpoint(folder / CHECKPOINT, trainer, header)
                if on_epoch is not None:
                    on_epoch(epoch)

            trainer.run(report=after)
        return trainer
