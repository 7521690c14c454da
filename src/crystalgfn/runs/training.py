"""Training into run folders, which goes on after a kill to the result of an uninterrupted run.

A run folder holds config.yaml (resolved), metrics.csv, checkpoint.safetensors (all that is needed to go on),
policy.safetensors (weights to sample from), versions.json and copies of what the configuration names
(:mod:`crystalgfn.runs.inputs`); where there is a prior, at the end also posterior.json (how close the policy is to
prior x reward).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import IO, Any

from crystalgfn import __version__
from crystalgfn.config import Config
from crystalgfn.errors import ConfigError
from crystalgfn.files.atomic import write_json
from crystalgfn.files.folders import work_folder
from crystalgfn.files.trust import INPUTS, opened
from crystalgfn.gflownet.checkpoint import load_checkpoint, save_checkpoint, save_policy
from crystalgfn.gflownet.posterior import compare
from crystalgfn.gflownet.ranks import ALONE, Ranks
from crystalgfn.gflownet.trainer import Progress, Trainer
from crystalgfn.interruption import deferred
from crystalgfn.runs.build import POLICY, build_trainer
from crystalgfn.runs.folder import CHECKPOINT, EVENTS, METRICS, begin, check_folder, check_version, cut_metrics, held
from crystalgfn.runs.inputs import keep_inputs, with_inputs

POSTERIOR = "posterior.json"
"""Name of the file with a :class:`~crystalgfn.gflownet.posterior.Posterior`."""
SHOWN = (
    "loss",
    "log_z",
    "elbo",
    "ess",
    "log_reward",
    "grad_norm",
    "property_median",
    "property_best",
    "space_groups",
    "kl_to_prior",
)
"""Statistics that are written to TensorBoard."""
_HEADER = ",".join(f.name for f in fields(Progress))


def train(
    config: Config,
    folder: str | Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    tensorboard: bool = False,
    trust: bool = False,
    ranks: Ranks = ALONE,
    on_iteration: Callable[[Progress], None] | None = None,
    on_interrupt: Callable[[], None] = lambda: None,
) -> Trainer:
    """Train into a run folder.

    Ctrl-C, and in commands SIGTERM, ends the round of updates and writes a checkpoint first; a second one ends at once.

    Args:
        config: configuration of the run.
        folder: a new or empty folder, or the folder of a run to go on with.
        resume: whether to go on after the last checkpoint.
        device: "cpu" or "cuda".
        tensorboard: whether to write events for TensorBoard as well.
        trust: whether the files of a run to go on with may be links that lead out of its folder.
        ranks: processes that train together; the first one writes, and calls ``on_iteration``.
        on_iteration: called every few iterations with their statistics.
        on_interrupt: called when an interruption has been noted.

    Raises:
        ConfigError: the folder holds a run but ``resume`` is False, or holds a run of another configuration.
        CheckpointError: the checkpoint cannot be read.
        DataError: the disk is full, or another process works in the folder.
        KeyboardInterrupt: training was interrupted; ``resume`` goes on from there.
    """
    if config.is_prior:
        raise ConfigError(
            "training.objective: found likelihood, allowed here: an objective that learns from the reward"
        )
    folder = Path(folder)
    with held(folder, ranks):
        check_folder(config, folder, resume=resume, trust=trust)
        events = _tensorboard() if tensorboard else None
        trainer = _trainer(config, folder, resume=resume, device=device, trust=trust, ranks=ranks)
        ranks.wait()  # the others have read what the first one is about to change
        rhythm = _Rhythm.of(config, trainer)
        if not ranks.first:
            _follow(folder, trainer, rhythm)
            return trainer
        _prepare(config, folder, trainer, resume=resume)
        writer = events(str(work_folder(folder / EVENTS))) if events is not None else None
        _lead(folder, trainer, rhythm, writer, alone=ranks.size == 1, told=on_iteration, on_interrupt=on_interrupt)
        if writer is not None:
            writer.close()
        _compare_with_prior(folder, trainer, seed=config.seed)
        return trainer


@dataclass(frozen=True)
class _Rhythm:
    """When a training does what.

    Attributes:
        until: last iteration.
        every: iterations between checkpoints, whole rounds of updates.
        log_every: iterations between rows of the metrics.
    """

    until: int
    every: int
    log_every: int

    @classmethod
    def of(cls, config: Config, trainer: Trainer) -> _Rhythm:
        updates = trainer.recipe.rollout_batches * trainer.recipe.passes
        every = -(-config.training.checkpoint_every // updates) * updates
        return cls(config.training.iterations, every, config.training.log_every)

    @property
    def shown(self) -> int:
        """Iterations between reports of the trainer."""
        return math.gcd(math.gcd(self.every, self.log_every), 10)

    def saves(self, progress: Progress) -> bool:
        """Whether a checkpoint is due."""
        return progress.iteration % self.every == 0 or progress.iteration == self.until

    def logs(self, progress: Progress) -> bool:
        """Whether a row of the metrics is due."""
        return progress.iteration % self.log_every == 0 or progress.iteration == self.until


def _trainer(config: Config, folder: Path, *, resume: bool, device: str, trust: bool, ranks: Ranks) -> Trainer:
    """The trainer as it begins, or at the last checkpoint; an error here leaves no folder behind."""
    trainer = build_trainer(with_inputs(config, folder) if resume else config, device=device, ranks=ranks)
    if resume and (folder / CHECKPOINT).is_file():
        with opened(folder, trust=trust):
            check_version(folder, load_checkpoint(folder / CHECKPOINT, trainer))
    return trainer


def _prepare(config: Config, folder: Path, trainer: Trainer, *, resume: bool) -> None:
    """Write what a folder holds before the first update; rows of metrics beyond the checkpoint are dropped."""
    begin(config, folder)
    if not (resume and (folder / INPUTS).is_dir()):
        keep_inputs(config, folder)
    cut_metrics(folder / METRICS, _HEADER, trainer.iteration)


def _follow(folder: Path, trainer: Trainer, rhythm: _Rhythm) -> None:
    """Train in a process that is not the first: checkpoints gather the state of all of them."""

    def hand_over(progress: Progress) -> None:
        if rhythm.saves(progress):
            save_checkpoint(folder / CHECKPOINT, trainer, {})

    trainer.run(rhythm.until, hand_over, every=rhythm.shown)


def _lead(
    folder: Path,
    trainer: Trainer,
    rhythm: _Rhythm,
    writer: Any,
    *,
    alone: bool,
    told: Callable[[Progress], None] | None,
    on_interrupt: Callable[[], None],
) -> None:
    """Train in the first process, which writes metrics, events, weights and checkpoints."""
    with (folder / METRICS).open("a", encoding="utf-8") as metrics:

        def after(progress: Progress) -> None:
            if rhythm.logs(progress):
                metrics.write(",".join(f"{value:.7g}" for value in astuple(progress)) + "\n")
                _write_events(writer, progress)
            if rhythm.saves(progress):
                _save(folder, trainer, metrics)
            if told is not None:
                told(progress)

        # several processes end at once: none of them can write a checkpoint without the others
        with deferred(on_interrupt) if alone else nullcontext(lambda: False) as asked:
            trainer.run(rhythm.until, after, every=rhythm.shown, stop=asked)
            if asked():
                _save(folder, trainer, metrics)


def _write_events(writer: Any, progress: Progress) -> None:
    """Write the statistics of :data:`SHOWN` to TensorBoard, where it is asked for."""
    if writer is None:
        return
    for name in SHOWN:
        if not math.isnan(value := getattr(progress, name)):
            writer.add_scalar(name, value, progress.iteration)


def _compare_with_prior(folder: Path, trainer: Trainer, *, seed: int) -> None:
    """Write how close the policy is to prior x reward, where there is a prior."""
    if trainer.prior is None:
        return
    found = compare(trainer.sampling_policy, trainer.space, trainer.target, prior=trainer.prior, seed=seed)
    write_json(folder / POSTERIOR, asdict(found), indent=2)


def _save(folder: Path, trainer: Trainer, metrics: IO[str]) -> None:
    """Write metrics, then weights and checkpoint: rows beyond the checkpoint are dropped when the run goes on."""
    metrics.flush()
    header = {"crystalgfn": __version__}
    save_policy(folder / POLICY, trainer.sampling_policy, {**header, "iteration": trainer.iteration})
    save_checkpoint(folder / CHECKPOINT, trainer, header)


def _tensorboard() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "--tensorboard needs the package tensorboard: pip install 'crystalgfn[tensorboard]'"
        ) from None
    return SummaryWriter
