"""``crystalgfn proxy``: train, evaluate and apply property models."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crystalgfn.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from crystalgfn.proxies.training import Epoch
    from crystalgfn.proxies.workflow import Stage

app = typer.Typer(no_args_is_help=True)


@app.command()
def train(
    data: Annotated[Path, typer.Argument(help="Crystals table with the column of the target.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the model.")],
    target: Annotated[str, typer.Option(help="formation_energy or band_gap.")] = "formation_energy",
    recipe: Annotated[
        str | None, typer.Option(help="best (default), its first stage energy, the paper's table1; gap for band_gap.")
    ] = None,
    strained: Annotated[Path | None, typer.Option(help="Strained copies, from scripts/data/label_strained.py.")] = None,
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
) -> None:
    """Train a model of the formation energy or the band gap."""
    import torch

    from crystalgfn.proxies.cards import card_text, make_card
    from crystalgfn.proxies.data import tabledata
    from crystalgfn.proxies.data.splits import grouped_split
    from crystalgfn.proxies.data.targets import find_target
    from crystalgfn.proxies.domain import TrainingDomain
    from crystalgfn.proxies.ensembles import append as join
    from crystalgfn.proxies.models import CARD, ProxyProperty, save_model
    from crystalgfn.proxies.networks.proxy import SetNetwork
    from crystalgfn.proxies.workflow import stages_of, train_proxy

    wanted = find_target(target)
    if recipe is not None and recipe not in wanted.recipes:
        allowed = ", ".join(wanted.recipes)
        raise ConfigError(f"unknown recipe {recipe!r}, allowed: {allowed}{nearest(recipe, wanted.recipes)}")
    recipe = recipe or wanted.recipes[0]
    if output.exists() and not (output / CARD).is_file():
        raise ConfigError(f"{output}: exists and is no model folder, so it is not replaced; name another")
    if base is not None and recipe != "best":
        raise ConfigError(f"recipe {recipe!r} goes on from no --base, allowed: best")
    if hull is not None and recipe == "gap":
        raise ConfigError("--hull: its entries have no band gap, allowed for a formation energy")
    first = ProxyProperty.load(append) if append is not None else None
    stages = stages_of(
        recipe,
        strained=strained is not None and first is None,
        base=base is not None,
        blind=first is not None and first.network.config.kind == "volume",
        epochs=epochs,
        members=members,
    )
    checkpoints = {s.name: output.with_name(f".{output.name}.{s.name}.training.safetensors") for s in stages}
    if not resume:
        for path in checkpoints.values():
            path.unlink(missing_ok=True)
    torch.set_num_threads(threads)
    table = tabledata.read_table(data, wanted)
    strained_table = tabledata.read_table(strained) if strained is not None else None
    if first is not None and split_seed is None:
        split_seed = int(first.card["split"]["seed"])
    dealt = seed if split_seed is None else split_seed
    base_network, base_name = None, ""
    for where in filter(None, (base, append)):
        model = ProxyProperty.load(where)
        if model.card["data"]["sha256"] != table.sha256 or model.card["split"]["seed"] != dealt:
            raise ConfigError(f"{where}: was trained on other data or another split, so it may know the test rows")
        if where == base:
            base_network, base_name = model.network, model.name
    split = grouped_split(table.crystals.formulas, table.target, seed=dealt)
    if not split.validation.any() or not split.test.any():
        raise DataError(f"{data}: {len(table.target)} rows leave no validation or test formulas, allowed: 20 or more")
    fitted = split.with_validation() if with_validation else split
    output.parent.mkdir(parents=True, exist_ok=True)
    with _Reporter(stages, wanted.unit) as reporter:
        network, histories = train_proxy(
            stages,
            table,
            fitted,
            seed=seed,
            strained=strained_table,
            hull=hull,
            base=base_network,
            checkpoint=checkpoints.__getitem__,
            resume=resume,
            report=reporter.epoch,
        )
    if first is not None:
        if not isinstance(network, SetNetwork):
            raise ConfigError(f"--append: recipe {recipe!r} makes no members that join others, allowed: best")
        network = join(first.network, network)
    words = ["crystalgfn proxy train", data.name, "-o", name or output.name]
    words += ["--target", target] if recipe == "gap" else ["--recipe", recipe]
    words += ["--strained", strained.name] if strained is not None else []
    words += ["--base", base_name] if base_name else []
    words += ["--append", first.name] if first is not None else []
    words += ["--members", str(members)] if members is not None else []
    words += ["--hull", hull.name] if hull is not None else []
    words += ["--with-validation"] if with_validation else []
    words += ["--seed", str(seed)] + (["--epochs", str(epochs)] if epochs is not None else [])
    words += ["--split-seed", str(split_seed)] if split_seed is not None and first is None else []
    card = make_card(
        name or output.name,
        table,
        recipe,
        stages,
        histories,
        seed=seed,
        command=" ".join(words),
        with_validation=with_validation,
        strained=strained_table,
        hull_sha256=tabledata.file_hash(hull) if hull is not None else None,
        target=wanted,
        split_seed=split_seed,
        appended_to=first.card if first is not None else None,
    )
    domain = TrainingDomain.fit(table.crystals[fitted.train]).tensors()
    save_model(output, network, card, "", domain=domain)
    # measured on what was stored, half precision included
    # by its full path: a folder may have the name of a model that ships
    card["metrics"] = _measure(ProxyProperty.load(output.absolute()), table, strained_table)
    save_model(output, network, card, card_text(card), domain=domain)
    for path in checkpoints.values():
        path.unlink(missing_ok=True)
    _print_metrics(card)


@app.command()
def evaluate(
    proxy: Annotated[str, typer.Argument(help="Model folder or name of a shipped model.")],
    data: Annotated[Path, typer.Argument(help="Crystals table; the model's own gives the test rows of its card.")],
    strained: Annotated[Path | None, typer.Option(help="Strained copies.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Write all numbers here.")] = None,
    top: Annotated[int, typer.Option(min=0, help="Elements and space groups to list.")] = 12,
) -> None:
    """Measure the errors of a model."""
    from crystalgfn.files.atomic import write_text
    from crystalgfn.proxies.data import tabledata
    from crystalgfn.proxies.data.targets import find_target
    from crystalgfn.proxies.models import ProxyProperty

    model = ProxyProperty.load(proxy)
    table = tabledata.read_table(data, find_target(model.card.get("target", "formation_energy")))
    strained_table = tabledata.read_table(strained) if strained is not None else None
    metrics = _measure(model, table, strained_table)
    if output is not None:
        write_text(output, json.dumps({"name": model.name, "data_sha256": table.sha256, **metrics}, indent=1) + "\n")
    _print_metrics({**model.card, "metrics": metrics}, top)


@app.command()
def predict(
    proxy: Annotated[str, typer.Argument(help="Model folder or name of a shipped model.")],
    crystals: Annotated[Path, typer.Argument(help="Crystals table, .csv or .parquet.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The table with the prediction, .csv or .parquet.")],
) -> None:
    """Add a model's prediction and its spread to a table."""
    from crystalgfn.crystals.crystal import Crystals
    from crystalgfn.proxies.models import ProxyProperty

    if output.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"{output}: unknown ending {output.suffix!r}, allowed: .csv, .parquet")
    model = ProxyProperty.load(proxy)
    table = Crystals.from_file(crystals)
    mean, deviation = model.with_deviation(table)
    columns = {f"{model.name} [{model.unit}]": mean, f"{model.name}_deviation [{model.unit}]": deviation}
    result = table.with_columns(**columns)
    if output.suffix == ".csv":
        result.to_csv(output)
    else:
        result.to_parquet(output)
    typer.echo(f"{output}: {len(result):,} crystals with {model.name}")


class _Reporter:
    """Shows epochs as a progress bar on a terminal; silent elsewhere."""

    def __init__(self, stages: list[Stage], unit: str) -> None:
        from crystalgfn.progress import progress_bar

        self._before = {stage.name: sum(s.recipe.epochs for s in stages[:i]) for i, stage in enumerate(stages)}
        self._context = progress_bar(sum(stage.recipe.epochs for stage in stages), "training", "epochs")
        self._unit = unit
        self._started = time.monotonic()

    def __enter__(self) -> _Reporter:
        self._bar = self._context.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)

    def epoch(self, stage: str, epoch: Epoch) -> None:
        """Report an epoch; after a resume the bar jumps to where the training stands."""
        self._bar.advance(self._before[stage] + epoch.number + 1 - self._bar.completed)
        if sys.stderr.isatty():
            seconds = time.monotonic() - self._started
            error = f": validation MAE {epoch.validation_mae:.4f} {self._unit}" if epoch.validation_mae else ""
            extra = f", strained {epoch.extra_mae:.4f}" if epoch.extra_mae else ""
            best = " (best)" if epoch.best else ""
            typer.echo(
                f"{stage}, epoch {epoch.number + 1}{error}{extra}{best}, {seconds:.0f} s",
                err=True,
            )


def _measure(model: Any, table: Any, strained: Any) -> dict[str, Any]:
    from crystalgfn.proxies.evaluate import evaluate_metals, evaluate_real, evaluate_strained, split_of

    split = split_of(table, model.card)
    metrics = {"real": evaluate_real(model, table, split)}
    if model.network.config.kind == "gap":
        metrics["real"]["metals"] = evaluate_metals(model.metal, table, split)
    if strained is not None:
        metrics["strained"] = evaluate_strained(model, strained, table, split)
    return metrics


def _print_metrics(card: dict[str, Any], top: int = 12) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    from crystalgfn.proxies.cards import REAL_HEADER, STRAINED_HEADER, real_rows, strained_rows

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a file has no width: nothing is cut off

    def show(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        table = RichTable(title=title, title_justify="left")
        for index, column in enumerate(header):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)

    metrics = card["metrics"]
    real = metrics["real"]
    show(f"{card['property']}, {card['unit']}, {real['rows']} rows", REAL_HEADER, real_rows(real))
    if "metals" in real:
        console.print(f"metals and others: {real['metals']['accuracy']:.1%} right, AUC {real['metals']['auc']:.3f}")
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
