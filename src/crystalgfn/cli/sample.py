"""``crystalgfn sample``: draw crystals into a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.errors import ConfigError

app = typer.Typer()


@app.command()
def sample(
    model: Annotated[str, typer.Argument(help="A run folder, or a preset with shipped weights.", show_default=False)],
    output: Annotated[
        list[Path],
        typer.Option(
            "-o", "--output", help="Table to write, .parquet or .csv; may be given twice.", show_default=False
        ),
    ],
    n: Annotated[int, typer.Option("-n", min=1, help="How many crystals.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same crystals.")] = 0,
    best: Annotated[int, typer.Option("--best", min=0, help="Print a table of the best so many.")] = 0,
    restart: Annotated[bool, typer.Option("--restart", help="Forget an interrupted run instead of going on.")] = False,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
) -> None:
    """Sample crystals from a trained model into a table; a killed run goes on where it was."""
    from contextlib import ExitStack

    from crystalgfn.crystal import Crystals
    from crystalgfn.model import CHUNK, load
    from crystalgfn.progress import progress_bar
    from crystalgfn.tables import TableWriter

    if len({p.resolve() for p in output}) != len(output):
        raise ConfigError("--output: the same file is given twice, allowed: each once")
    loaded = load(model, device=device)
    manifest = {"n": n, "seed": seed, "model": loaded.fingerprint, "chunk": CHUNK}
    energy = loaded.target.reward.column
    top: Crystals | None = None
    with ExitStack() as stack:
        writers = [stack.enter_context(TableWriter(path, manifest=manifest, restart=restart)) for path in output]
        bar = stack.enter_context(progress_bar(n, "sampling", "crystals"))
        first = 0 if best else min(w.parts for w in writers)
        for chunk, crystals in enumerate(loaded.chunks(n, seed=seed, first=first), start=first):
            for writer in writers:
                if writer.parts <= chunk:
                    writer.write_crystals(crystals)
            if best:
                pool = crystals if top is None else Crystals.concatenate([top, crystals])
                top = pool[pool.columns["log_reward"].argsort()[::-1][: 50 * best].copy()]
            bar.advance(len(crystals))
    if top is not None:
        from rich.console import Console

        from crystalgfn.report.summary import best_table

        Console().print(best_table(top, best, energy=energy, total=n))
    typer.echo(f"{n:,} crystals written to {', '.join(str(p) for p in output)}")
