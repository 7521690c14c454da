"""``crystalgfn proxy``: train, evaluate and apply property models."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crystalgfn.cli.options import Force, Trust, check_outputs
from crystalgfn.errors import ConfigError
from crystalgfn.terminal import console, echo

if TYPE_CHECKING:
    from crystalgfn.proxies.phases import Phase
    from crystalgfn.proxies.training import Epoch
    from crystalgfn.proxies.workflow import Report

app = typer.Typer(no_args_is_help=True)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="Crystals table with the column of the target.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the model.")],
    target: Annotated[
        str, typer.Option(help="formation_energy, band_gap, energy_above_hull, or any column of numbers.")
    ] = "formation_energy",
    unit: Annotated[str | None, typer.Option(help="Unit of such a column; by default the one in its name.")] = None,
    transformation: Annotated[
        str | None,
        typer.Option(help="How such a column is learned: none, log or classes (0 and 1); by default guessed."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="best (default), its first stage energy, the paper's table1; or the target's only one."),
    ] = None,
    strained: Annotated[Path | None, typer.Option(help="Strained copies, from scripts/data/label_strained.py.")] = None,
    relaxed: Annotated[Path | None, typer.Option(help="Relaxed samples with sites, for energy_above_hull.")] = None,
    hull: Annotated[
        Path | None, typer.Option(help="Entries of the convex hull: a floor under unknown compositions.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Model to begin with: saves its training.")] = None,
    append: Annotated[str | None, typer.Option(help="Model to which the members trained here are added.")] = None,
    members: Annotated[int | None, typer.Option(min=1, help="Size of the ensemble; by default the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights and order, and of the split.")] = 0,
    split_seed: Annotated[int | None, typer.Option(help="Seed of the split, where it is another.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the data; by default the recipe's.")] = None,
    with_validation: Annotated[
        bool,
        typer.Option(
            "--with-validation", help="For final weights: fit the validation rows too and keep the last epoch."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last epoch of a training that was ended.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads; results repeat exactly for the same number.")] = 1,
    name: Annotated[str | None, typer.Option(help="Name in the card; by default the folder's.")] = None,
    trust: Trust = False,
) -> None:
    """Train a model of the formation energy, the band gap, the energy above the hull, or any column of numbers."""
    import torch

    from crystalgfn.files.trust import opened
    from crystalgfn.proxies.options import FitOptions
    from crystalgfn.proxies.workflow import fit_model

    torch.set_num_threads(threads)
    options = FitOptions(
        target=target,
        unit=unit,
        transformation=transformation,
        recipe=recipe,
        strained=strained,
        relaxed=relaxed,
        hull=hull,
        base=base,
        append=append,
        members=members,
        seed=seed,
        split_seed=split_seed,
        epochs=epochs,
        with_validation=with_validation,
        resume=resume,
        name=name,
    )
    with opened(None, trust=trust):
        card = fit_model(data, output, options=options, progress=_epochs)
    _print_metrics(card)


@app.command()
def evaluate(
    proxy: Annotated[str, typer.Argument(help="Model folder or name of a shipped model.")],
    data: Annotated[Path, typer.Argument(help="Crystals table; the model's own gives the test rows of its card.")],
    strained: Annotated[Path | None, typer.Option(help="Strained copies.")] = None,
    relaxed: Annotated[Path | None, typer.Option(help="Relaxed samples, for energy_above_hull.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Write all numbers here.")] = None,
    top: Annotated[int, typer.Option(min=0, help="Elements and space groups to list.")] = 12,
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Measure the errors of a model."""
    from crystalgfn.files.atomic import write_text
    from crystalgfn.proxies.models import ProxyProperty
    from crystalgfn.proxies.workflow import evaluate_file

    check_outputs(output, force=force)
    model = ProxyProperty.load(proxy, trust=trust)
    metrics, table = evaluate_file(model, data, strained=strained, relaxed=relaxed)
    if output is not None:
        numbers = {"name": model.name, "data_sha256": table.sha256, **metrics}
        write_text(output, f"{json.dumps(numbers, indent=1)}\n")
    _print_metrics({**model.card, "metrics": metrics}, top)


@app.command()
def predict(
    proxy: Annotated[str, typer.Argument(help="Model folder or name of a shipped model.")],
    crystals: Annotated[Path, typer.Argument(help="Crystals table, .csv or .parquet.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The table with the prediction, .csv or .parquet.")],
    force: Force = False,
    trust: Trust = False,
) -> None:
    """Add a model's prediction and its spread to a table."""
    from crystalgfn.crystals.crystal import Crystals
    from crystalgfn.proxies.models import ProxyProperty
    from crystalgfn.proxies.workflow import with_prediction

    if output.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"{output}: unknown ending {output.suffix!r}, allowed: .csv, .parquet")
    check_outputs(output, force=force)
    model = ProxyProperty.load(proxy, trust=trust)
    result = with_prediction(model, Crystals.from_file(crystals))
    if output.suffix == ".csv":
        result.to_csv(output)
    else:
        result.to_parquet(output)
    echo(f"{output}: {len(result):,} crystals with {model.name}")


@contextmanager
def _epochs(phases: Sequence[Phase], unit: str) -> Iterator[Report]:
    """Show epochs as a progress bar on a terminal; silent elsewhere."""
    from crystalgfn.progress import progress_bar

    earlier_epochs, total = {}, 0
    for phase in phases:
        earlier_epochs[phase.name] = total
        total += phase.hyperparameters.epochs
    start = time.monotonic()
    with progress_bar(total, "training", "epochs") as bar:

        def report(phase: str, epoch: Epoch) -> None:
            # after a resume the bar jumps to where the training stands
            bar.advance(earlier_epochs[phase] + epoch.number + 1 - bar.completed)
            if sys.stderr.isatty():
                seconds = time.monotonic() - start
                error = f": validation MAE {epoch.validation_mae:.4f} {unit}" if epoch.validation_mae else ""
                extra = f", strained {epoch.extra_mae:.4f}" if epoch.extra_mae else ""
                best = " (best)" if epoch.best else ""
                echo(f"{phase}, epoch {epoch.number + 1}{error}{extra}{best}, {seconds:.0f} s", err=True)

        yield report


def _print_metrics(card: dict[str, Any], top: int = 12) -> None:
    from rich.table import Table as RichTable

    from crystalgfn.proxies.card_text import (
        REAL_HEADER,
        RELAXED_HEADER,
        STRAINED_HEADER,
        class_line,
        formation_line,
        real_rows,
        relaxed_rows,
        strained_rows,
        within_line,
    )

    screen = console()

    def show(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        table = RichTable(title=title, title_justify="left")
        for index, column in enumerate(header):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*row)
        screen.print(table)

    metrics = card["metrics"]
    real = metrics["real"]
    show(f"{card['property']}, {card['unit']}, {real['rows']} rows", REAL_HEADER, real_rows(real))
    for kind in ("metals", "classes"):
        if kind in real:
            screen.print(class_line(real[kind], kind))
    if "formation_energy" in metrics:
        screen.print(formation_line(metrics))
    if "relaxed" in metrics:
        show("Held-back relaxed samples, eV/atom", RELAXED_HEADER, relaxed_rows(metrics["relaxed"]))
        screen.print(within_line(metrics["relaxed"]))
    if "strained" in metrics:
        show("Strained copies, eV/atom", STRAINED_HEADER, strained_rows(metrics["strained"]))
    for title, key in (("element", "elements"), ("space group", "space_groups")):
        listed = list(real[key].items())[:top]
        if listed:
            show(
                f"By {title}, most rows first",
                (title, "n", "MAE"),
                [(k, str(v["n"]), f"{v['mae']:.4f}") for k, v in listed],
            )
