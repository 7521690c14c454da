"""A proxy from start to finish: the stages of its training, each with a checkpoint of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from crystalgfn.errors import ConfigError
from crystalgfn.proxies.data.splits import Split
from crystalgfn.proxies.data.tabledata import Table, energy_data, strain_data
from crystalgfn.proxies.networks.proxy import ProxyNetwork, SetNetwork
from crystalgfn.proxies.networks.strain import CellNetwork, VolumeNetwork
from crystalgfn.proxies.recipes import BLIND, CELL, RECIPES, SETTLE, SHAPE, Recipe
from crystalgfn.proxies.training import Epoch, train


@dataclass(frozen=True)
class Stage:
    """One training of the workflow.

    Attributes:
        name: ``"energy"``, ``"settle"``, ``"blind"``, ``"strain"``, ``"shape"`` or ``"gap"``.
        recipe: how it is trained.
    """

    name: str
    recipe: Recipe


def stages_of(
    recipe: str,
    *,
    strained: bool,
    base: bool,
    blind: bool = False,
    epochs: int | None = None,
    members: int | None = None,
) -> list[Stage]:
    """Return the trainings a recipe consists of.

    Args:
        recipe: a name of ``RECIPES``.
        strained: there are strained copies: the model becomes volume-aware.
        base: a trained network is there to begin with, which saves the first stage.
        blind: what is trained joins a volume-aware model, whose part for the cell is there.
        epochs: cap on the epochs of every stage.
        members: networks of the ensemble; the recipe's by default. The part that knows the cell keeps its own number.

    Raises:
        ConfigError: strained copies with a recipe that has no place for them.
    """
    if strained and recipe != "best":
        raise ConfigError(f"recipe {recipe!r} takes no strained copies, allowed: best")
    first = RECIPES[recipe]
    if members is not None:
        first = replace(first, network=replace(first.network, members=members))
    stages = [] if base else [Stage("gap" if recipe == "gap" else "energy", first)]
    if blind:
        stages += [Stage("blind", BLIND)]
    elif strained:
        stages += [Stage("blind", BLIND), Stage("strain", CELL), Stage("shape", SHAPE)]
    elif recipe == "best":
        stages += [Stage("settle", SETTLE)]
    if epochs is not None:
        stages = [Stage(s.name, replace(s.recipe, epochs=min(epochs, s.recipe.epochs))) for s in stages]
    return stages


def train_proxy(
    stages: list[Stage],
    table: Table,
    split: Split,
    *,
    seed: int,
    strained: Table | None = None,
    hull: Path | None = None,
    base: ProxyNetwork | None = None,
    checkpoint: Callable[[str], Path] | None = None,
    resume: bool = False,
    report: Callable[[str, Epoch], None] | None = None,
) -> tuple[ProxyNetwork, dict[str, list[Epoch]]]:
    """Run the stages and return the network with the history of each.

    Args:
        stages: of :func:`stages_of`.
        table, split: real crystals.
        seed: of all stages.
        strained: strained copies, for the stage ``"strain"``.
        hull: entries of the convex hull; see :func:`~crystalgfn.proxies.data.tabledata.energy_data`.
        base: a trained :class:`SetNetwork`, where the stage ``"energy"`` is left out.
        checkpoint: file of a stage's checkpoint by its name.
        resume: continue from the checkpoints that exist.
        report: called with the stage's name after each epoch.
    """
    network = base
    cell: ProxyNetwork | None = None
    histories: dict[str, list[Epoch]] = {}
    for stage in stages:
        recipe = stage.recipe
        start: ProxyNetwork | None = None
        of_cell = stage.name in ("strain", "shape")
        if of_cell and strained is not None:
            data = strain_data(table, split, recipe, strained)
            start = cell
        else:
            data = energy_data(table, split, recipe, hull=hull, seed=seed)
            if stage.name not in ("energy", "gap") and network is not None:
                start = network
                wanted = recipe.network
                recipe = replace(recipe, network=replace(network.config, blind=wanted.blind, reach=wanted.reach))
        found, histories[stage.name] = train(
            recipe,
            data,
            seed=seed,
            start=start,
            checkpoint=checkpoint(stage.name) if checkpoint is not None else None,
            resume=resume,
            report=partial(report, stage.name) if report is not None else None,
        )
        if of_cell:
            cell = found
        else:
            network = found
    if isinstance(cell, CellNetwork) and isinstance(network, SetNetwork):
        network = VolumeNetwork.join(network, cell)
    if network is None:
        raise ConfigError("nothing to train: no stage and no base")
    return network, histories
