"""``crystalgfn loop``: propose, relax, learn, and repeat."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from crystalgfn.cli.limits import asked_limits, with_limits
from crystalgfn.cli.options import Trust
from crystalgfn.stability.answer import BUILTIN
from crystalgfn.stability.load import hull_choices
from crystalgfn.terminal import console, echo

app = typer.Typer()


@app.command()
@with_limits("Narrower constraints (the space of the loop)", before="resume")
def loop(
    start: Annotated[
        str, typer.Argument(help="Trained to prior x reward: a preset, or a run folder.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)],
    rounds: Annotated[int, typer.Option("--rounds", min=0, help="Most rounds of learning after the first.")] = 2,
    candidates: Annotated[int, typer.Option("--candidates", min=1, help="Samples of a round to relax.")] = 100,
    hull: Annotated[str, typer.Option("--hull", help=f"{hull_choices()}.")] = BUILTIN,
    compare: Annotated[
        Path | None, typer.Option("--compare", help="Known structures (parquet), for novelty.", show_default=False)
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels",
            help="Crystals with sites and energies to learn from, such as crystalgfn data from-vasp writes; may be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Updates of the sampler, a round.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that relax.")] = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a loop that was stopped.")] = False,
    trust: Trust = False,
    **limits: Any,
) -> None:
    """Sample, relax, learn from the outcomes, train the sampler on; a row in rounds.csv after each round."""
    from crystalgfn.loop.labels import STRUCTURES
    from crystalgfn.loop.plan import Plan
    from crystalgfn.loop.rounds import loop as run_loop

    plan = Plan(
        start=start,
        limits=asked_limits(limits),
        rounds=rounds,
        candidates=candidates,
        hull=hull,
        compare=str(compare or ""),
        labels=tuple(map(str, labels or ())),
        iterations=iterations,
        seed=seed,
    )
    log = run_loop(plan, output, workers=workers, resume=resume, trust=trust, say=echo)
    console().print(_table(log))
    last = output / f"round-{len(log) - 1}"
    echo(f"candidates of the last round: crystalgfn report {last / STRUCTURES} -o report.html")
    if len(log) > 1:
        again = f"crystalgfn sample {last / 'sampler'} -n 1000 --resample -o more.parquet{' --trust' * trust}"
        echo(f"more samples, with the same limits: {again}")
    echo(f"labels of all rounds: {output / 'labels.parquet'}; written to {output}")


def _table(log: list[dict[str, Any]]) -> Any:
    """Rounds beside each other: what each found, and how far its sampler is from the prior."""
    from crystalgfn.crystallography.chemical_classes import CLASSES
    from crystalgfn.evaluation.sun import CORRECTIONS
    from crystalgfn.report.fitting import Column, FittedTable

    # the last rounds stay where there is no room for all
    rounds = [Column(str(row["round"]), "right", rank=len(log) - 1 - i) for i, row in enumerate(log)]
    table = FittedTable("Shares of the relaxed samples; energies in eV/atom", [Column("round"), *rounds])

    def add(title: str, name: str, style: str, *, beside: str = "") -> None:
        pairs = ((_cell(row.get(name), style), _cell(row.get(beside), style) if beside else "") for row in log)
        table.add_row(title, *(f"{own} ({other})" if beside else own for own, other in pairs))

    add("relaxed crystals", "candidates", ",.0f")
    for threshold in ("0.08", "0.1"):
        add(f"S.U.N. at {threshold}", f"sun_{threshold}", ".1%")
        for name in CORRECTIONS:
            add(f"  {name.replace('_', ' ')}", f"sun_{name}_{threshold}", ".1%")
    add("median above hull", "e_above_hull", ".3f")
    add("group kept", "group_kept", ".1%")
    add("P1", "p1", ".1%")
    add("distinct formulas of samples", "formulas", ",.0f")
    add("distinct crystals of samples", "keys", ",.0f")
    add("samples that had a label already", "repeated", ".1%")
    for name in CLASSES:
        add(f"{name} (prior)", name, ".1%", beside=f"{name}_prior")
    add("held-back error after (before) learning", "held_back_error_after", ".3f", beside="held_back_error_before")
    add("KL to the prior, nats", "kl_to_prior", ".2f")
    add("effective sample size of the sampler", "ess", ".1%")
    add("CPU seconds: training", "cpu_seconds_training", ",.0f")
    add("CPU seconds: relaxing", "cpu_seconds_relaxing", ",.0f")
    return table


def _cell(value: Any, style: str) -> str:
    return "-" if value is None or math.isnan(float(value)) else format(float(value), style)
