"""``crystalgfn loop``: propose, relax, learn, and repeat."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from crystalgfn.stability.load import BUILTIN, hull_choices

app = typer.Typer()

SHOWN_COLUMNS = {
    "round": "round",
    "crystals": "crystals",
    "relaxed": "relaxed",
    "e_above_hull": "median above",
    "stable_0.1": "<= 0.1",
    "sun_0": "S.U.N. 0",
    "sun_0.08": "S.U.N. 0.08",
    "sun_0.1": "S.U.N. 0.1",
    "error of outcomes [eV/atom]": "model off",
    "error of outcomes, first model [eV/atom]": "first off",
}


@app.command()
def loop(
    start: Annotated[str, typer.Argument(help="A preset with shipped weights, or a run folder.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)],
    rounds: Annotated[int, typer.Option("--rounds", min=0, help="Rounds of learning after the first.")] = 2,
    budget: Annotated[
        float | None, typer.Option("--budget", min=1, help="Seconds of relaxing, a round.", show_default=False)
    ] = None,
    candidates: Annotated[int, typer.Option("--candidates", min=1, help="Samples of a round to relax.")] = 100,
    hull: Annotated[str, typer.Option("--hull", help=f"{hull_choices()}.")] = BUILTIN,
    compare: Annotated[
        Path | None, typer.Option("--compare", help="Known structures (parquet), for novelty.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Real crystals to rehearse while the model learns.", show_default=False),
    ] = None,
    power: Annotated[float, typer.Option("--power", min=0, help="Of the success probability in the reward.")] = 2.0,
    iterations: Annotated[int, typer.Option("--iterations", min=1, help="Of training the sampler, a round.")] = 2000,
    placements: Annotated[
        int, typer.Option("--placements", "--starts", min=1, help="Initial placements of the atoms of each.")
    ] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that relax.")] = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a loop that was stopped.")] = False,
) -> None:
    """Sample, relax, refine the property model, train the sampler on; after each round a row in rounds.csv."""
    from rich.console import Console

    from crystalgfn.runs.loop.rounds import Plan
    from crystalgfn.runs.loop.rounds import loop as run_loop

    plan = Plan(
        start=start,
        rounds=rounds,
        candidates=candidates,
        seconds=budget,
        hull=hull,
        compare=str(compare or ""),
        data=str(data or ""),
        power=power,
        iterations=iterations,
        placements=placements,
        seed=seed,
    )
    log = run_loop(plan, output, workers=workers, resume=resume, say=typer.echo)
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(_table(log))
    typer.echo(f"written to {output}")


def _table(log: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(title="Shares of the samples taken; energies in eV/atom, by CHGNet", title_justify="left")
    for title in SHOWN_COLUMNS.values():
        table.add_column(title, justify="right")
    for row in log:
        table.add_row(*(_cell(name, row.get(name)) for name in SHOWN_COLUMNS))
    return table


def _cell(name: str, value: Any) -> str:
    if value is None or math.isnan(float(value)):
        return "-"
    if name in ("round", "crystals"):
        return str(int(value))
    return f"{value:.3f}" if "eV/atom" in name or name == "e_above_hull" else f"{value:.1%}"
