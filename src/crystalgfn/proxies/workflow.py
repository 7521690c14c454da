"""The workflow of a property model: fit to tables, card, evaluation and prediction.

``crystalgfn proxy`` calls the functions of this module::

    card = fit_model(Path("crystals.parquet"), Path("energy"), options=FitOptions(epochs=12))
    card["metrics"]["real"]["groups"]["all"]["mae"]  # eV/atom, on test rows
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError, DataError, nearest
from crystalgfn.proxies.card_text import card_text
from crystalgfn.proxies.cards import make_card
from crystalgfn.proxies.correction import correct
from crystalgfn.proxies.data.labelled import LabelledCrystals, file_hash, read_labelled
from crystalgfn.proxies.data.labels import BAND_GAP, ENERGY_ABOVE_HULL, FORMATION_ENERGY, Label, find_label
from crystalgfn.proxies.data.orbit_rows import few_orbits, held_back, read_relaxed, within_elements
from crystalgfn.proxies.data.splits import Split, grouped_split
from crystalgfn.proxies.domain import TrainingDomain
from crystalgfn.proxies.ensembles import append
from crystalgfn.proxies.evaluate import evaluate_model
from crystalgfn.proxies.models import CARD, ProxyProperty, save_model
from crystalgfn.proxies.networks.base import ProxyNetwork
from crystalgfn.proxies.networks.orbits import OrbitNetwork
from crystalgfn.proxies.networks.sets import SetNetwork
from crystalgfn.proxies.networks.volume import VolumeNetwork
from crystalgfn.proxies.phases import Phase, fit_phases, phases_of
from crystalgfn.proxies.relaxed import calibrate
from crystalgfn.proxies.training import Epoch

Report = Callable[[str, Epoch], None]
"""Called after each epoch with the name of the phase and the epoch."""

Progress = Callable[[Sequence[Phase], str], AbstractContextManager[Report]]
"""Makes a context manager from the phases and the unit of the label; it yields a report while the phases run."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a model is fitted; the options of ``crystalgfn proxy train``.

    Attributes:
        target: name of the label.
        recipe: name of the recipe; by default the label's first recipe.
        strained: table of strained copies.
        relaxed: table of relaxed samples, for the energy above the hull.
        hull: table of entries of the convex hull, a floor under unknown compositions.
        base: model to begin with, by name or folder, which saves the first phase.
        append: model to which the members fitted here are added.
        members: size of the ensemble; by default that of the recipe.
        seed: seed of weights and order, and of the split.
        split_seed: seed of the split, where it differs; with ``append``, by default that of the first model.
        epochs: cap on the epochs of each phase.
        with_validation: fit the validation rows too and keep the last epoch.
        resume: continue from the last epoch of an interrupted fit.
        name: name of the model in its card; by default that of the folder.
    """

    target: str = FORMATION_ENERGY.name
    recipe: str | None = None
    strained: Path | None = None
    relaxed: Path | None = None
    hull: Path | None = None
    base: str | None = None
    append: str | None = None
    members: int | None = None
    seed: int = 0
    split_seed: int | None = None
    epochs: int | None = None
    with_validation: bool = False
    resume: bool = False
    name: str | None = None


def fit_model(
    data: Path, folder: Path, *, options: FitOptions | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Fit a model to a table, write its folder, and return its card.

    Args:
        data: crystals table with the column of the label.
        folder: folder of the model; it appears complete, in place of an older model, or not at all. Checkpoints of the
            phases stand beside it until then.
        options: how the model is fitted; the defaults of :class:`FitOptions` if None.
        progress: shows the epochs.

    Raises:
        ConfigError: options that do not go together, a folder that holds something else, or a model to begin with that
            may know the test rows.
        DataError: an unreadable table, or too few rows.
        CheckpointError: a model that cannot be loaded, or a checkpoint of other options.
    """
    options = options or FitOptions()
    label = find_label(options.target)
    recipe = _recipe(options, label, folder)
    first = ProxyProperty.load(options.append) if options.append is not None else None
    phases = phases_of(
        recipe,
        strained=options.strained is not None and first is None,
        base=options.base is not None,
        blind=first is not None and isinstance(first.network, VolumeNetwork),
        epochs=options.epochs,
        members=options.members,
    )
    checkpoints = {p.name: folder.with_name(f".{folder.name}.{p.name}.training.safetensors") for p in phases}
    if not options.resume:
        _remove(checkpoints)
    table = read_labelled(data, label)
    strained = read_labelled(options.strained) if options.strained is not None else None
    relaxed = within_elements(read_relaxed(options.relaxed), table) if options.relaxed is not None else None
    split_seed = options.split_seed
    if first is not None and split_seed is None:
        split_seed = int(first.card["split"]["seed"])
    split_by = options.seed if split_seed is None else split_seed
    base = _base(options, table, split_by)
    split = _split(data, table, seed=split_by, with_validation=options.with_validation)
    folder.parent.mkdir(parents=True, exist_ok=True)
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
            checkpoint=checkpoints.__getitem__,
            resume=options.resume,
            report=report,
        )
    if first is not None:
        network = _appended(first, network, recipe)
    card = make_card(
        options.name or folder.name,
        table,
        recipe,
        phases,
        histories,
        seed=options.seed,
        command=_command(data, folder, options, label=label, recipe=recipe, base=base, first=first),
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
    save_model(folder, network, card, "", domain=domain)
    # the stored model is evaluated, half precision included;
    # loaded by its full path, since a folder may have the name of a shipped model
    card["metrics"] = evaluate_model(ProxyProperty.load(folder.absolute()), table, strained, relaxed)
    save_model(folder, network, card, card_text(card), domain=domain)
    _remove(checkpoints)
    return card


def evaluate_file(
    model: ProxyProperty, data: Path, *, strained: Path | None = None, relaxed: Path | None = None
) -> tuple[dict[str, Any], LabelledCrystals]:
    """Return the metrics of a model on a table, see :func:`~crystalgfn.proxies.evaluate.evaluate_model`, and the table.

    Raises:
        DataError: an unreadable table.
    """
    table = read_labelled(data, find_label(model.card.get("target", FORMATION_ENERGY.name)))
    copies = read_labelled(strained) if strained is not None else None
    samples = read_relaxed(relaxed) if relaxed is not None else None
    return evaluate_model(model, table, copies, samples), table


def with_prediction(model: ProxyProperty, crystals: Crystals) -> Crystals:
    """Return the crystals with the model's prediction and its standard deviation as columns.

    Raises:
        PropertyError: a crystal holds an element that the model was not trained on.
    """
    mean, deviation = model.with_deviation(crystals)
    columns = {f"{model.name} [{model.unit}]": mean, f"{model.name}_deviation [{model.unit}]": deviation}
    return crystals.with_columns(**columns)


def _recipe(options: FitOptions, label: Label, folder: Path) -> str:
    """Return the name of the recipe; raise where the options do not go together."""
    recipe = options.recipe
    if recipe is not None and recipe not in label.recipes:
        allowed = ", ".join(label.recipes)
        raise ConfigError(f"unknown recipe {recipe!r}, allowed: {allowed}{nearest(recipe, label.recipes)}")
    recipe = recipe or label.recipes[0]
    if folder.exists() and not (folder / CARD).is_file():
        raise ConfigError(f"{folder}: exists and is no model folder, so it is not replaced; name another")
    if options.base is not None and recipe != "best":
        raise ConfigError(f"recipe {recipe!r} goes on from no --base, allowed: best")
    if options.hull is not None and label is BAND_GAP:
        raise ConfigError("--hull: its entries have no band gap, allowed for an energy")
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


def _command(
    data: Path,
    folder: Path,
    options: FitOptions,
    *,
    label: Label,
    recipe: str,
    base: ProxyProperty | None,
    first: ProxyProperty | None,
) -> str:
    """Return the command that makes the model, with names in place of paths."""
    words = ["crystalgfn proxy train", data.name, "-o", options.name or folder.name]
    words += ["--recipe", recipe] if label is FORMATION_ENERGY else ["--target", label.name]
    words += ["--strained", options.strained.name] if options.strained is not None else []
    words += ["--relaxed", options.relaxed.name] if options.relaxed is not None else []
    words += ["--base", base.name] if base is not None else []
    words += ["--append", first.name] if first is not None else []
    words += ["--members", str(options.members)] if options.members is not None else []
    words += ["--hull", options.hull.name] if options.hull is not None else []
    words += ["--with-validation"] if options.with_validation else []
    words += ["--seed", str(options.seed)] + (["--epochs", str(options.epochs)] if options.epochs is not None else [])
    words += ["--split-seed", str(options.split_seed)] if options.split_seed is not None and first is None else []
    return " ".join(words)


def _remove(checkpoints: dict[str, Path]) -> None:
    for path in checkpoints.values():
        path.unlink(missing_ok=True)
