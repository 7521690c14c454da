"""The workflow of a property model: fit to tables, card, evaluation and prediction.

``crystalgfn proxy`` calls the functions of this module::

    card = fit_model(Path("crystals.parquet"), Path("energy"), options=FitOptions(epochs=12))
    card["metrics"]["real"]["groups"]["all"]["mae"]  # eV/atom, on test rows
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.tables.schema import PREDICTED, name_with_unit
from crystalgfn.errors import ConfigError, DataError, nearest
from crystalgfn.files.locks import in_use
from crystalgfn.proxies.card_text import card_text
from crystalgfn.proxies.cards import make_card
from crystalgfn.proxies.correction import correct
from crystalgfn.proxies.data.labelled import LabelledCrystals, file_hash, read_labelled
from crystalgfn.proxies.data.labels import (
    ENERGY_ABOVE_HULL,
    LABELS,
    Label,
    label_of_card,
    label_of_column,
)
from crystalgfn.proxies.data.orbit_rows import few_orbits, held_back, read_relaxed, within_elements
from crystalgfn.proxies.data.splits import Split, grouped_split
from crystalgfn.proxies.domain import TrainingDomain
from crystalgfn.proxies.ensembles import append
from crystalgfn.proxies.evaluate import evaluate_model
from crystalgfn.proxies.hyperparameters import for_rows
from crystalgfn.proxies.models import ProxyProperty, save_model
from crystalgfn.proxies.networks.base import ProxyNetwork
from crystalgfn.proxies.networks.orbits import OrbitNetwork
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.volume import VolumeNetwork
from crystalgfn.proxies.options import FitOptions, command
from crystalgfn.proxies.phases import Phase, capped, fit_phases, phases_of
from crystalgfn.proxies.relaxed import calibrate
from crystalgfn.proxies.training import Epoch
from crystalgfn.proxies.unfinished import Unfinished, check_folder, request_of

Report = Callable[[str, Epoch], None]
"""Called after each epoch with the name of the phase and the epoch."""

Progress = Callable[[Sequence[Phase], str], AbstractContextManager[Report]]
"""Makes a context manager from the phases and the unit of the label; it yields a report while the phases run."""


def fit_model(
    data: Path, folder: Path, *, options: FitOptions | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Fit a model to a table, write its folder, and return its card.

    Args:
        data: crystals table with the column of the label.
        folder: folder of the model, which appears complete, in place of an older model, or not at all; other files
            stay. Until then it holds the checkpoints of the phases (:mod:`.unfinished`).
        options: how the model is fitted; the defaults of :class:`FitOptions` if None.
        progress: shows the epochs.

    Raises:
        ConfigError: options that do not go together, a folder that holds something else, or a model to begin with that
            may know the test rows.
        DataError: an unreadable table, too few rows, an unfinished training of another request, or another process in
            the folder.
        CheckpointError: a model that cannot be loaded, or a damaged checkpoint.
    """
    options = options or FitOptions()
    options = replace(options, name=options.name or folder.name)
    real = folder.resolve()  # a link leads to the folder, and stays
    with in_use(real):
        check_folder(real)
        return _fit(data, real, options, progress)


def _fit(data: Path, folder: Path, options: FitOptions, progress: Progress | None) -> dict[str, Any]:
    label = _label(data, options)
    recipe = _recipe(options, label)
    first = ProxyProperty.load(options.append) if options.append is not None else None
    phases = phases_of(
        recipe,
        strained=options.strained is not None and first is None,
        base=options.base is not None,
        blind=first is not None and isinstance(first.network, VolumeNetwork),
        epochs=options.epochs,
        members=options.members,
    )
    table = read_labelled(data, label)
    strained = read_labelled(options.strained, checked=False) if options.strained is not None else None
    relaxed = within_elements(read_relaxed(options.relaxed), table) if options.relaxed is not None else None
    split_seed = options.split_seed
    if first is not None and split_seed is None:
        split_seed = int(first.card["split"]["seed"])
    split_by = options.seed if split_seed is None else split_seed
    base = _base(options, table, split_by)
    split = _split(data, table, seed=split_by, with_validation=options.with_validation)
    if label.is_of_user:
        phases = _phases_for_rows(phases, label, int(split.train.sum()), options.epochs)
    unfinished = Unfinished(folder, request_of(data, options, label, recipe, split_by), resume=options.resume)
    with progress(phases, label.unit) if progress is not None else nullcontext() as report:
        network, histories = fit_phases(
            phases,
            table,
            split,
            seed=options.seed,
            strained=strained,
            relaxed=relaxed,
            hull=options.hull,
            base=base.network if base is not None else None,
            checkpoint=unfinished.checkpoint,
            resume=options.resume,
            report=report,
        )
    if first is not None:
        network = _appended(first, network, recipe)
    card = make_card(
        str(options.name),
        table,
        recipe,
        phases,
        histories,
        seed=options.seed,
        command=command(
            data,
            options,
            label=label,
            recipe=recipe,
            base=base.name if base is not None else None,
            first=first.name if first is not None else None,
        ),
        with_validation=options.with_validation,
        strained=strained,
        relaxed=relaxed,
        hull_sha256=file_hash(options.hull) if options.hull is not None else None,
        label=label,
        split_seed=split_seed,
        appended_to=first.card if first is not None else None,
    )
    if isinstance(network, OrbitNetwork) and relaxed is not None:
        unseen = table[split.validation] if split.validation.any() else table[split.train]
        correct(network, relaxed[~held_back(relaxed.crystals.formulas)], real=few_orbits(unseen))
        calibrate(network, relaxed)
    domain = TrainingDomain.fit(table.crystals[split.train]).tensors()
    with TemporaryDirectory() as stored:  # the model is evaluated as it is stored, half precision included
        save_model(Path(stored), network, card, "", domain=domain)
        card["metrics"] = evaluate_model(ProxyProperty.load(stored), table, strained, relaxed)
    save_model(folder, network, card, card_text(card), domain=domain)
    unfinished.remove()
    return card


def evaluate_file(
    model: ProxyProperty, data: Path, *, strained: Path | None = None, relaxed: Path | None = None
) -> tuple[dict[str, Any], LabelledCrystals]:
    """Return the metrics of a model on a table, see :func:`~crystalgfn.proxies.evaluate.evaluate_model`, and the table.

    Raises:
        DataError: an unreadable table.
    """
    table = read_labelled(data, label_of_card(model.card))
    copies = read_labelled(strained, checked=False) if strained is not None else None
    samples = read_relaxed(relaxed) if relaxed is not None else None
    return evaluate_model(model, table, copies, samples), table


def with_prediction(model: ProxyProperty, crystals: Crystals) -> Crystals:
    """Return the crystals with the model's prediction and its standard deviation as columns.

    Their names end with ``_predicted`` and ``_predicted_deviation``, so that no label is replaced or taken for one.

    Raises:
        PropertyError: a crystal holds an element that the model was not trained on.
    """
    empty = torch.zeros(0)
    mean, deviation = model.with_deviation(crystals) if len(crystals) else (empty, empty)
    name = f"{model.name}{PREDICTED}"
    columns = {name_with_unit(name, model.unit): mean, name_with_unit(f"{name}_deviation", model.unit): deviation}
    return crystals.with_predictions(f"property model {model.name}", **columns)


def _label(data: Path, options: FitOptions) -> Label:
    """Return the label: one of those with a name, or a column of the table."""
    if options.target not in LABELS:
        crystals = Crystals.from_file(data)
        return label_of_column(
            crystals,
            options.target,
            unit=options.unit,
            transformation=options.transformation,
            source=data.name,
        )
    label = LABELS[options.target]
    if options.unit not in (None, label.unit):
        raise ConfigError(f"--unit {options.unit!r}: {label.name} is in {label.unit}, allowed: {label.unit}")
    if options.transformation is not None:
        raise ConfigError(f"--transformation: {label.name} has its own, allowed: for other columns")
    return label


def _phases_for_rows(phases: list[Phase], label: Label, rows: int, epochs: int | None) -> list[Phase]:
    """Return the phases with hyperparameters for the number of training rows."""
    fitted = [
        replace(p, hyperparameters=for_rows(p.hyperparameters, rows, transformation=label.transformation))
        for p in phases
    ]
    return fitted if epochs is None else [capped(phase, epochs) for phase in fitted]


def _recipe(options: FitOptions, label: Label) -> str:
    """Return the name of the recipe; raise where the options do not go together."""
    recipe = options.recipe
    if recipe is not None and recipe not in label.recipes:
        allowed = ", ".join(label.recipes)
        raise ConfigError(f"unknown recipe {recipe!r}, allowed: {allowed}{nearest(recipe, label.recipes)}")
    recipe = recipe or label.recipes[0]
    if options.base is not None and recipe != "best":
        raise ConfigError(f"recipe {recipe!r} goes on from no --base, allowed: best")
    if options.hull is not None and label.energy is None:
        raise ConfigError(f"--hull: its entries have no {label.name.replace('_', ' ')}, allowed for an energy")
    if options.relaxed is not None and label is not ENERGY_ABOVE_HULL:
        raise ConfigError(f"--relaxed: allowed for the target {ENERGY_ABOVE_HULL.name}, found {label.name}")
    return recipe


def _base(options: FitOptions, table: LabelledCrystals, seed: int) -> ProxyProperty | None:
    """Return the model to begin with; raise where it or the one to append to may know the test rows."""
    base = None
    for where in filter(None, (options.base, options.append)):
        model = ProxyProperty.load(where)
        if model.card["data"]["sha256"] != table.sha256 or model.card["split"]["seed"] != seed:
            raise ConfigError(f"{where}: was trained on other data or another split, so it may know the test rows")
        if where == options.base:
            base = model
    return base


def _split(data: Path, table: LabelledCrystals, *, seed: int, with_validation: bool) -> Split:
    """Return the split of the rows; ``with_validation`` adds the validation rows to the training rows."""
    split = grouped_split(table.crystals.formulas, table.target, seed=seed)
    if not split.validation.any() or not split.test.any():
        raise DataError(f"{data}: {len(table.target)} rows leave no validation or test formulas, allowed: 20 or more")
    return split.with_validation() if with_validation else split


def _appended(first: ProxyProperty, network: ProxyNetwork, recipe: str) -> ProxyNetwork:
    if not isinstance(network, SetNetwork):
        raise ConfigError(f"--append: recipe {recipe!r} makes no members that join others, allowed: best")
    return append(first.network, network)
