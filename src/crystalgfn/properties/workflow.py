"""A proxy from start to finish: the stages of its training, each with a checkpoint of its own.

``best`` trains an ensemble (stage ``teacher``), then one small network on real rows and on made-up crystals that the
ensemble labels (``energy``). With strained copies, that network does not see the lattice, and a second one learns what
a cell costs (``strain``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from crystalgfn.errors import ConfigError
from crystalgfn.properties.distil import relatives, taught
from crystalgfn.properties.proxy import ProxyNetwork, SetNetwork
from crystalgfn.properties.splits import Split
from crystalgfn.properties.strain_network import CellNetwork, VolumeNetwork
from crystalgfn.properties.tabledata import Table, energy_data, strain_data
from crystalgfn.properties.training import (
    CELL,
    ENSEMBLE,
    RECIPES,
    Epoch,
    Recipe,
    TrainingData,
    predict_rows,
    train,
)

N_RELATIVES = 120_000


@dataclass(frozen=True)
class Stage:
    """One training of the workflow.

    Attributes:
        name: ``"teacher"``, ``"energy"`` or ``"strain"``.
        recipe: how it is trained.
    """

    name: str
    recipe: Recipe


@dataclass
class Run:
    """What all stages of a training share.

    Attributes:
        table, split: real crystals.
        seed: of all stages.
        strained: strained copies, or None.
        hull: entries of the convex hull, or None; see :func:`~crystalgfn.properties.tabledata.energy_data`.
        teacher: a trained ensemble, where the stage ``"teacher"`` is left out.
        checkpoint: file of a stage's checkpoint by its name.
        resume: continue from the checkpoints that exist.
        report: called with the stage's name after each epoch.
    """

    table: Table
    split: Split
    seed: int
    strained: Table | None = None
    hull: Path | None = None
    teacher: ProxyNetwork | None = None
    checkpoint: Callable[[str], Path] | None = None
    resume: bool = False
    report: Callable[[str, Epoch], None] | None = None


def stages_of(recipe: str, *, strained: bool, teacher: bool, epochs: int | None = None) -> list[Stage]:
    """Return the trainings a recipe consists of.

    Args:
        recipe: a name in :data:`~crystalgfn.properties.training.RECIPES`.
        strained: there are strained copies: the model becomes volume-aware.
        teacher: a trained ensemble is there, which saves the first stage.
        epochs: cap on the epochs of every stage.

    Raises:
        ConfigError: strained copies or a teacher with a recipe that has no place for them.
    """
    if recipe != "best" and (strained or teacher):
        raise ConfigError(f"recipe {recipe!r} takes no {'strained copies' if strained else 'teacher'}, allowed: best")
    energy = RECIPES[recipe]
    stages = [Stage("teacher", ENSEMBLE)] if recipe == "best" and not teacher else []
    stages.append(Stage("energy", replace(energy, network=replace(energy.network, blind=strained))))
    if strained:
        stages.append(Stage("strain", CELL))
    if epochs is not None:
        stages = [Stage(s.name, replace(s.recipe, epochs=min(epochs, s.recipe.epochs))) for s in stages]
    return stages


def train_proxy(stages: list[Stage], run: Run) -> tuple[ProxyNetwork, dict[str, list[Epoch]]]:
    """Run the stages and return the network with the history of each."""
    found: dict[str, ProxyNetwork] = {}
    histories: dict[str, list[Epoch]] = {}
    if run.teacher is not None:
        found["teacher"] = run.teacher
    for stage in stages:
        found[stage.name], histories[stage.name] = train(
            stage.recipe,
            _data_of(stage, run, found.get("teacher")),
            seed=run.seed,
            checkpoint=run.checkpoint(stage.name) if run.checkpoint is not None else None,
            resume=run.resume,
            report=partial(run.report, stage.name) if run.report is not None else None,
        )
    network, cell = found["energy"], found.get("strain")
    if isinstance(network, SetNetwork) and isinstance(cell, CellNetwork):
        # strain is never negative, so the relaxed energies bear its mean over real crystals
        real = energy_data(run.table, run.split, stages[-1].recipe, hull=None, seed=run.seed).validation
        network.target_mean -= predict_rows(cell, real.inputs).mean()
        network = VolumeNetwork.join(network, cell)
    return network, histories


def _data_of(stage: Stage, run: Run, teacher: ProxyNetwork | None) -> TrainingData:
    if stage.name == "strain" and run.strained is not None:
        return strain_data(run.table, run.split, stage.recipe, run.strained)
    data = energy_data(run.table, run.split, stage.recipe, hull=run.hull, seed=run.seed)
    if stage.name == "teacher" or teacher is None:
        return data
    crystals = relatives(run.table.crystals[run.split.train], N_RELATIVES, seed=run.seed)
    return replace(data, extra=taught([teacher], crystals))
