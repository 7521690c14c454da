"""``crystalgfn demo``: from the shipped model to CIF files in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MAX_ATOMS = 14
"""Most atoms in the primitive cell of crystals to relax: a demo should take minutes."""

BEST = 10
"""Rows of each table that is printed."""

app = typer.Typer()


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")] = Path("demo"),
    model: Annotated[str, typer.Option("--model", help="A preset with shipped weights, or a run folder.")] = "default",
    n: Annotated[int, typer.Option("-n", min=1, help="Crystals to sample.")] = 1000,
    candidates: Annotated[int, typer.Option("--candidates", min=1, help="Of them, how many to relax.")] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a demo that was stopped.")] = False,
) -> None:
    """Sample, place, relax, rank: writes crystals.csv and .parquet, CIF files and the table of candidates."""
    from rich.console import Console

    from crystalgfn.cli.structures import report
    from crystalgfn.report.summary import best_table
    from crystalgfn.runs.model import load
    from crystalgfn.stability.load import load_hull
    from crystalgfn.structures.candidates.pipeline import run
    from crystalgfn.structures.candidates.requests import SearchSettings
    from crystalgfn.structures.candidates.selection import most_promising
    from crystalgfn.structures.candidates.workers import Tools

    output.mkdir(parents=True, exist_ok=True)
    loaded = load(model)
    crystals = loaded.sample(n, seed=seed)
    for suffix in ("csv", "parquet"):
        getattr(crystals, f"to_{suffix}")(output / f"crystals.{suffix}")
    energy = loaded.target.reward.column
    Console().print(best_table(crystals, BEST, energy=energy, total=n))
    chosen = most_promising(crystals, candidates, hull=load_hull("builtin"), energy=energy, max_atoms=MAX_ATOMS)
    table = output / "chosen.parquet"
    chosen.to_parquet(table)
    typer.echo(f"\n{n:,} crystals sampled; the {len(chosen)} of lowest predicted energy above hull go on\n")
    folder = run(
        table,
        output / "structures",
        Tools(),
        SearchSettings(placements=20, relaxed=1, seed=seed),
        n=None,
        workers=workers,
        resume=resume,
    )
    report(folder.path, BEST)
