"""The phases of a recipe: successive fits, each with a checkpoint of its own.

After the phase ``energy``, the recipe ``best`` continues with :data:`SETTLE_PHASE`, which ties crystals to the hull of
their composition. With strained copies it continues instead with :data:`BLIND_PHASE`, which also learns to do without
the lattice, and then with :data:`STRAIN_PHASES`, which fit the strain energy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from crystalgfn.errors import ConfigError
from crystalgfn.proxies.data.energy_rows import energy_data
from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.data.orbit_rows import orbit_data
from crystalgfn.proxies.data.splits import Split
from crystalgfn.proxies.data.strain_rows import strain_data
from crystalgfn.proxies.hyperparameters import BLIND, CELL, RECIPES, SETTLE, SHAPE, Hyperparameters
from crystalgfn.proxies.networks.base import ProxyNetwork
from crystalgfn.proxies.networks.cell import CellNetwork
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.volume import VolumeNetwork
from crystalgfn.proxies.training import Epoch, fit_network


@dataclass(frozen=True)
class Phase:
    """One fit of a recipe.

    Attributes:
        name: ``"energy"``, ``"settle"``, ``"blind"``, ``"strain"``, ``"shape"``, ``"gap"``, ``"orbits"``
            or ``"scalar"``.
        hyperparameters: how the network is fitted.
        of_orbits: whether the phase fits an orbit network, with relaxed samples.
        of_cell: whether the phase fits the network of the strain energy, with strained copies, and not the network of
            the relaxed crystal (or of the gap).
        continues: whether the phase continues from the network fitted so far, whose sizes it takes over.
    """

    name: str
    hyperparameters: Hyperparameters
    of_orbits: bool = False
    of_cell: bool = False
    continues: bool = False


SETTLE_PHASE = Phase("settle", SETTLE, continues=True)
BLIND_PHASE = Phase("blind", BLIND, continues=True)
STRAIN_PHASES = (Phase("strain", CELL, of_cell=True), Phase("shape", SHAPE, of_cell=True, continues=True))


def phases_of(
    recipe: str,
    *,
    strained: bool,
    base: bool,
    blind: bool = False,
    epochs: int | None = None,
    members: int | None = None,
) -> list[Phase]:
    """Return the phases of a recipe.

    Args:
        recipe: a key of ``RECIPES``.
        strained: whether there are strained copies; the model then becomes volume-aware.
        base: whether training begins from a trained network, which saves the first phase.
        blind: whether the members join a volume-aware model, whose network of the cell is already fitted.
        epochs: cap on the epochs of every phase.
        members: networks of the ensemble; by default the recipe's number. The network of the cell keeps its own number.

    Raises:
        ConfigError: the recipe takes no strained copies.
    """
    if strained and recipe != "best":
        raise ConfigError(f"recipe {recipe!r} takes no strained copies, allowed: best")
    first = RECIPES[recipe]
    if members is not None:
        first = replace(first, network=replace(first.network, members=members))
    name = recipe if recipe in ("gap", "orbits", "scalar") else "energy"
    phases = [] if base else [Phase(name, first, of_orbits=recipe == "orbits")]
    if blind:
        phases += [BLIND_PHASE]
    elif strained:
        phases += [BLIND_PHASE, *STRAIN_PHASES]
    elif recipe == "best":
        phases += [SETTLE_PHASE]
    return phases if epochs is None else [capped(phase, epochs) for phase in phases]


def capped(phase: Phase, epochs: int) -> Phase:
    """Return the phase with at most ``epochs`` epochs."""
    fewer = min(epochs, phase.hyperparameters.epochs)
    return replace(phase, hyperparameters=replace(phase.hyperparameters, epochs=fewer))


def fit_phases(
    phases: list[Phase],
    table: LabelledCrystals,
    split: Split,
    *,
    seed: int,
    strained: LabelledCrystals | None = None,
    relaxed: LabelledCrystals | None = None,
    hull: Path | None = None,
    base: ProxyNetwork | None = None,
    checkpoint: Callable[[str], Path] | None = None,
    resume: bool = False,
    report: Callable[[str, Epoch], None] | None = None,
) -> tuple[ProxyNetwork, dict[str, list[Epoch]]]:
    """Run the phases and return the network, and the history of each phase by its name.

    Args:
        phases: from :func:`phases_of`.
        table, split: real crystals.
        seed: seed of all phases.
        strained: strained copies, for the phases of the cell.
        relaxed: relaxed samples, for the phase of an orbit network.
        hull: entries of the convex hull; see :func:`~crystalgfn.proxies.data.energy_rows.energy_data`.
        base: a trained :class:`SetNetwork`, where the first phase is left out.
        checkpoint: returns the checkpoint file of a phase, given its name.
        resume: continue from the checkpoints that exist.
        report: called after each epoch with the name of the phase and the epoch.

    Raises:
        ConfigError: there are no phases and no base.
    """
    network = base
    cell: ProxyNetwork | None = None
    histories: dict[str, list[Epoch]] = {}
    for phase in phases:
        hyperparameters = phase.hyperparameters
        start = None
        if phase.of_cell and strained is not None:
            data = strain_data(table, split, hyperparameters, strained)
            start = cell if phase.continues else None
        elif phase.of_orbits:
            data = orbit_data(table, split, relaxed=relaxed, hull=hull)
        else:
            data = energy_data(table, split, hyperparameters, hull=hull, seed=seed)
            if phase.continues and network is not None:
                start = network
                sizes = replace(
                    network.config, blind=hyperparameters.network.blind, reach=hyperparameters.network.reach
                )
                hyperparameters = replace(hyperparameters, network=sizes)
        fitted, histories[phase.name] = fit_network(
            hyperparameters,
            data,
            seed=seed,
            start=start,
            checkpoint=checkpoint(phase.name) if checkpoint is not None else None,
            resume=resume,
            report=partial(report, phase.name) if report is not None else None,
        )
        if phase.of_cell:
            cell = fitted
        else:
            network = fitted
    if isinstance(cell, CellNetwork) and isinstance(network, SetNetwork):
        network = VolumeNetwork.join(network, cell)
    if network is None:
        raise ConfigError("nothing to fit: no phase and no base")
    return network, histories
