"""``crystalgfn evaluate``: metrics of crystals or structures, each with its method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crystalgfn.cli.options import Force, Trust, check_outputs
from crystalgfn.stability.load import hull_choices
from crystalgfn.terminal import console, echo, one_line

if TYPE_CHECKING:
    from crystalgfn.evaluation.crystals import Numbers
    from crystalgfn.evaluation.inputs import Data, References
    from crystalgfn.report.fitting import FittedTable
    from crystalgfn.runs.model import Model

app = typer.Typer()

LIKELIHOODS = 500
"""Most crystals of each set whose probability under a model is estimated."""

EXACT = 2_000
"""Most crystals of each set whose exact probability under a prior with sites is summed over their writings."""


@app.command()
def evaluate(
    data: Annotated[
        str,
        typer.Argument(
            metavar="CRYSTALS|MODEL|STRUCTURES",
            help="A crystals table, a run folder or preset, or a folder of structures (of crystalgfn, or CIF files).",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON file to write.")] = Path("metrics.json"),
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            help="Known crystals: a table of crystals or of structures, or a folder of CIF files; may be given twice.",
            show_default=False,
        ),
    ] = None,
    hull: Annotated[
        str | None,
        typer.Option(
            "--hull",
            help=f"Hull to measure structures from: {hull_choices()}; shows what flatters S.U.N.",
            show_default=False,
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Crystals to sample from a model.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of these samples.")] = 0,
    smact: Annotated[bool, typer.Option("--smact/--no-smact", help="Test charges with SMACT.")] = True,
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Measure validity, uniqueness, novelty, stability, diversity and weights; every number names its method."""
    import json

    from crystalgfn.cli.models import is_model, samples_of
    from crystalgfn.evaluation.inputs import evaluate as measure
    from crystalgfn.evaluation.inputs import read_data, read_references
    from crystalgfn.files.atomic import write_text
    from crystalgfn.runs.model import load

    check_outputs(output, force=force)
    references = read_references(reference or [], hull=hull, trust=trust)
    model = load(data, trust=trust) if is_model(data) else None
    crystals = read_data(data, trust=trust) if model is None else samples_of(model, data, n, seed, trust=trust)
    summary = measure(crystals, references, smact=smact)
    if model is not None:
        summary["metrics"]["likelihood"] = _likelihood(model, crystals, references, seed)
    write_text(output, json.dumps(summary, indent=1, allow_nan=False, ensure_ascii=False))
    screen = console()
    screen.print(_table(summary))
    if "stability" in summary["metrics"]:
        screen.print(_sun_table(summary["metrics"]["stability"]))
    if "second_opinion" in summary["metrics"]:
        screen.print(_opinion_table(summary["metrics"]["second_opinion"]))
    for file, reason in summary["broken"].items():
        echo(one_line(f"left out: {file}: {reason}"), err=True)
    echo(f"written to {output}")


def _likelihood(model: Model, samples: Data, references: References, seed: int) -> Numbers:
    """How a model's likelihoods of samples and of crystals of the reference follow the reward; nats for a prior."""
    import numpy as np

    from crystalgfn.evaluation.exact_nats import exact_nats, exact_numbers
    from crystalgfn.evaluation.likelihood import likelihood_numbers, nats_numbers

    sets = {"samples": (samples.crystals, "fresh samples")}
    if references.crystals is not None:
        sets["reference"] = (references.crystals, f"crystals of {references.name}")
    numbers: Numbers = {}
    for key, (crystals, what) in sets.items():
        if model.config.is_prior and model.space.has_sites:
            some = np.sort(np.random.default_rng(seed).permutation(len(crystals))[:EXACT])
            numbers |= exact_numbers(exact_nats(model.policy, model.space, crystals[some]), what, key)
            continue
        if model.config.is_prior:
            parts = model.nats(crystals, seed=seed)
            numbers |= nats_numbers(parts, what, key, exact=model.policy.single_parent)
            continue
        inside = model.space.states(crystals)[1].cpu().numpy()
        chosen = np.sort(np.random.default_rng(seed).permutation(inside)[:LIKELIHOODS])
        numbers |= likelihood_numbers(model.likelihoods(crystals[chosen], seed=seed), what, key, seed=seed)
    return numbers


def _table(summary: dict[str, Any]) -> FittedTable:
    from crystalgfn.report.fitting import Column, FittedTable

    columns = [Column("number"), Column("value", "right"), Column("method", rank=1, prose=True)]
    table = FittedTable(summary["input"]["name"], columns)
    for group, numbers in summary["metrics"].items():
        for name, number in numbers.items():
            if group != "second_opinion" and not name.startswith("sun_"):  # these have tables of their own
                table.add_row(f"{group}.{name}", _text(number), number["method"])
    return table


def _sun_table(numbers: Numbers) -> FittedTable:
    """S.U.N. and its corrections: a column for each threshold."""
    from crystalgfn.evaluation.sun import CORRECTIONS
    from crystalgfn.report.fitting import Column, FittedTable
    from crystalgfn.structures.candidates.tally import THRESHOLDS

    title = "S.U.N.: share stable, unique and novel of all crystals handed in, at energies above hull (eV/atom) of"
    # the highest threshold stays where there is no room for all
    n = len(THRESHOLDS)
    shares = [Column(f"<= {threshold:g}", "right", rank=n - 1 - i) for i, threshold in enumerate(THRESHOLDS)]
    table = FittedTable(title, [Column("stability.*"), *shares, Column("what is counted", rank=n, prose=True)])
    for name in ("sun", *(f"sun_{correction}" for correction in CORRECTIONS)):
        own = [numbers[f"{name}_{threshold:g}"] for threshold in THRESHOLDS]
        missing = own[-1]["value"] is None
        source = numbers["e_above_hull"]["method"].removeprefix("median ")
        about = f"by {source}" if name == "sun" else CORRECTIONS[name.removeprefix("sun_")].about
        table.add_row(name, *map(_text, own), own[-1]["method"] if missing else about)
    return table


def _opinion_table(numbers: Numbers) -> FittedTable:
    """What two potentials say: a row for all crystals, and one for each chemical class."""
    from crystalgfn.evaluation.chemical_classes import CLASSES
    from crystalgfn.evaluation.second_opinion import OF_CLASSES
    from crystalgfn.report.fitting import Column, FittedTable

    by = numbers["difference"]["method"].removeprefix("mean of ")
    title = f"Second opinion: shares at energies above hull <= {OF_CLASSES:g} eV/atom; difference: {by}"
    heads = ("second_opinion.*", "handed in", "judged", "sun_first", "sun_second", "sun_both", "agreement")
    ranks = {"handed in": 5, "absolute": 4, "difference": 3, **dict.fromkeys(heads[3:6], 2), "judged": 1}
    numeric = [Column(name, "right", rank=ranks.get(name, 0)) for name in (*heads[1:], "difference", "absolute")]
    table = FittedTable(title, [Column(heads[0]), *numeric])
    for scope in ("all", *CLASSES):
        end = "" if scope == "all" else f"_{scope}"
        if f"judged{end}" in numbers:
            names = [f"{name}_{OF_CLASSES:g}{end}" for name in heads[3:]]
            names = [f"judged{end}", *names, f"difference{end}", f"difference_absolute{end}"]
            table.add_row(scope, str(numbers[f"judged{end}"]["n"]), *(_text(numbers[name]) for name in names))
    return table


def _text(number: dict[str, Any]) -> str:
    value, error = number["value"], number.get("standard_error")
    text = "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return text if error is None else f"{value:.3g} ± {error:.2g}"
