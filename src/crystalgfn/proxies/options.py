"""How a property model is fitted: the options of ``crystalgfn proxy train``, and the command for its card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crystalgfn.proxies.data.labels import FORMATION_ENERGY, Label


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a model is fitted; the options of ``crystalgfn proxy train``.

    Attributes:
        target: name of the label, or of any column of numbers.
        unit: unit of such a column; by default the one in its name.
        transformation: how such a column is learned, ``"none"``, ``"log"`` or ``"classes"``; by default guessed.
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
    unit: str | None = None
    transformation: str | None = None
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


def command(
    data: Path,
    options: FitOptions,
    *,
    label: Label,
    recipe: str,
    base: str | None,
    first: str | None,
) -> str:
    """Return the command that makes a model, with names in place of paths."""
    words = ["crystalgfn proxy train", data.name, "-o", str(options.name)]
    words += ["--recipe", recipe] if label is FORMATION_ENERGY else ["--target", label.name]
    if label.is_of_user:
        words += ["--unit", label.unit] if label.unit else []
        words += ["--transformation", label.transformation]
    words += ["--strained", options.strained.name] if options.strained is not None else []
    words += ["--relaxed", options.relaxed.name] if options.relaxed is not None else []
    words += ["--base", base] if base is not None else []
    words += ["--append", first] if first is not None else []
    words += ["--members", str(options.members)] if options.members is not None else []
    words += ["--hull", options.hull.name] if options.hull is not None else []
    words += ["--with-validation"] if options.with_validation else []
    words += ["--seed", str(options.seed)] + (["--epochs", str(options.epochs)] if options.epochs is not None else [])
    words += ["--split-seed", str(options.split_seed)] if options.split_seed is not None and first is None else []
    return " ".join(words)
