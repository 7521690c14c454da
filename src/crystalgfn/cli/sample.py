"""``crystalgfn sample``: draw crystals into a table."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from crystalgfn.cli.limits import asked_limits, weights, with_limits
from crystalgfn.cli.models import consent
from crystalgfn.cli.options import Force, Tables, Trust, Want, check_outputs, wanted_ranges
from crystalgfn.errors import ConfigError
from crystalgfn.terminal import console, echo

if TYPE_CHECKING:
    from crystalgfn.crystals.crystal import Crystals
    from crystalgfn.files.shards import Shard
    from crystalgfn.runs.model import Model

app = typer.Typer()
_TARGET = "Nearer to the target"


@app.command()
@with_limits("Narrower constraints (hold for every sample)", before="weight")
def sample(
    model: Annotated[str, typer.Argument(help="A run folder, or a preset with shipped weights.", show_default=False)],
    output: Tables,
    n: Annotated[int, typer.Option("-n", min=1, help="How many crystals.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same crystals.")] = 0,
    best: Annotated[int, typer.Option("--best", min=0, help="Print a table of the best so many.")] = 0,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Print the samples that none beats in every term of the objective.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            help="Draw only the K-th of N parts; join the tables with crystalgfn sample merge.",
            show_default=False,
        ),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget an interrupted run instead of going on.")] = False,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", metavar="NAME=X", help="Of a term, for conditional models.", rich_help_panel=_TARGET),
    ] = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="Draw from the target by importance weights.", rich_help_panel=_TARGET)
    ] = False,
    pool: Annotated[
        int | None,
        typer.Option("--pool", min=1, help="Samples that --resample chooses from; 10 n.", rich_help_panel=_TARGET),
    ] = None,
    stable: Annotated[
        float | None,
        typer.Option(
            "--stable", metavar="EV", help="Only predicted within so many eV/atom of the hull.", rich_help_panel=_TARGET
        ),
    ] = None,
    want: Want = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known", metavar="TABLE", help="Further known crystals, with a column wyckoff.", rich_help_panel=_TARGET
        ),
    ] = None,
    finetune: Annotated[
        int | None,
        typer.Option(
            "--finetune",
            metavar="UPDATES",
            min=1,
            help="Learn on first, in this space; the same seed gives the same weights.",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FOLDER",
            help="Run folder for the weights of --finetune; the same command takes them from there.",
            show_default=False,
            rich_help_panel=_TARGET,
        ),
    ] = None,
    force: Force = False,
    trust: Trust = False,
    **limits: Any,
) -> None:
    """Sample crystals from a trained model into a table; a killed run goes on where it was."""
    from crystalgfn.cli.device import check_device
    from crystalgfn.files.reading import sha256
    from crystalgfn.files.shards import Shard
    from crystalgfn.runs.model import load
    from crystalgfn.runs.wanted import as_json, fingerprints

    part = None if shard is None else Shard.parse(shard)
    if part is not None:
        whole = {"--resample": resample, "--best": best, "--pareto": pareto, "--finetune": finetune}
        _check_shard(output, [option for option, value in whole.items() if value])
    check_outputs(*output, force=force)
    check_device(device)
    if keep is not None and finetune is None:
        raise ConfigError("--keep: keeps the weights of --finetune, which is not given")
    if pool is not None and not resample:
        raise ConfigError("--pool: chooses samples for --resample, which is not given")
    loaded = load(model, device=device, trust=trust)
    narrower = asked_limits(limits)
    if narrower:
        loaded = loaded.restricted(**narrower)
    term_weights = weights(weight or [])
    if term_weights:
        loaded = loaded.weighted(**term_weights)
    if known:
        loaded = loaded.knowing(*known)
    ranges = wanted_ranges(want, stable)
    if ranges:
        loaded = loaded.within(**ranges)
    if finetune is not None:
        loaded = _finetuned(loaded, finetune, seed, keep)
    manifest = {"n": n, "seed": seed, "model": loaded.fingerprint, "limits": narrower, "weights": term_weights}
    manifest |= {"known": [sha256(path) for path in known]} if known else {}
    manifest |= {"wanted": as_json(loaded.wanted)} if ranges else {}
    own = fingerprints(ranges)
    manifest |= {"wanted_models": own} if own else {}
    if resample:
        _resample(loaded, output, n, pool or 10 * n, seed, Shown(best, pareto), {**manifest, "pool": pool})
    else:
        n = _stream(loaded, output, n, seed, Shown(best, pareto), manifest, shard=part, restart=restart)
    echo(f"{n:,} crystals written to {', '.join(str(p) for p in output)}")


class Shown(NamedTuple):
    """Tables to print at the end: how many of the best samples, and whether the Pareto front."""

    best: int
    pareto: bool


def _check_shard(output: Sequence[Path], whole: Sequence[str]) -> None:
    """Refuse what a shard cannot do: options that need all samples, and files that cannot say what they are part of."""
    if whole:
        raise ConfigError(f"--shard: {whole[0]} is given, which needs all samples at once, allowed: one of the two")
    if others := [path for path in output if path.suffix.lower() != ".parquet"]:
        raise ConfigError(f"--shard: found {others[0].name}, allowed: a .parquet file, which says of what it is a part")


def _stream(
    model: Model,
    output: Sequence[Path],
    n: int,
    seed: int,
    shown: Shown,
    manifest: dict[str, Any],
    *,
    shard: Shard | None,
    restart: bool,
) -> int:
    """Write samples part by part, report how evenly they are weighted, and return how many they are."""
    from contextlib import ExitStack

    import numpy as np

    from crystalgfn.crystals.crystal import Crystals
    from crystalgfn.crystals.tables import TableWriter
    from crystalgfn.crystals.tables.shards import metadata_of, of_shard, rows_of
    from crystalgfn.progress import progress_bar
    from crystalgfn.report.pareto import pareto_front
    from crystalgfn.runs.model import CHUNK

    top: Crystals | None = None
    edge: Crystals | None = None
    log_weights = []
    manifest = {**manifest, "chunk": CHUNK}
    if shard is not None:
        manifest = of_shard(manifest, shard)
    metadata = None if shard is None else metadata_of(manifest)
    rows = range(n) if shard is None else rows_of(shard, n, CHUNK)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(TableWriter(path, manifest=manifest, restart=restart, metadata=metadata))
            for path in output
        ]
        bar = stack.enter_context(progress_bar(len(rows), "sampling", "crystals"))
        first = 0 if any(shown) else min(w.parts for w in writers)
        drawn = model.chunks(rows.stop, seed=seed, first=rows.start // CHUNK + first)
        for chunk, crystals in enumerate(drawn, start=first):
            for writer in writers:
                if writer.parts <= chunk:
                    writer.write_crystals(crystals)
            if shown.best:
                pool = crystals if top is None else Crystals.concatenate([top, crystals])
                top = pool[pool.columns["log_reward"].argsort()[::-1][: 50 * shown.best].copy()]
            if shown.pareto:
                pool = crystals if edge is None else Crystals.concatenate([edge, crystals])
                edge = pareto_front(pool, model.target.reward.terms)
            log_weights.append(np.asarray(crystals.columns["log_weight"], dtype=float))
            bar.advance(len(crystals))
    _show(top, edge, shown, n, model)
    if log_weights and first == 0:
        _report_weights(np.concatenate(log_weights), "samples")
    return len(rows)


def _resample(
    model: Model,
    output: Sequence[Path],
    n: int,
    pool: int,
    seed: int,
    shown: Shown,
    manifest: dict[str, Any],
) -> None:
    """Draw a pool, write samples chosen from it by weight, and report whether the pool was large enough."""
    import numpy as np

    from crystalgfn.crystals.crystal import Crystals
    from crystalgfn.crystals.tables import TableWriter
    from crystalgfn.gflownet.weights import resampled
    from crystalgfn.progress import track
    from crystalgfn.report.pareto import pareto_front

    drawn = Crystals.concatenate(list(track(model.chunks(pool, seed=seed), pool, "sampling", "crystals", size=len)))
    log_weights = np.asarray(drawn.columns["log_weight"], dtype=float)
    chosen = drawn[resampled(log_weights, n, np.random.default_rng(seed))].with_columns(log_weight=np.zeros(n))
    for path in output:
        with TableWriter(path, manifest=manifest, restart=True) as writer:
            writer.write_crystals(chosen)
    _show(chosen, pareto_front(chosen, model.target.reward.terms) if shown.pareto else None, shown, n, model)
    _report_weights(log_weights, "pool", len(drawn.space_group.unique()))


def _finetuned(model: Model, iterations: int, seed: int, keep: Path | None) -> Model:
    """Fine-tune a model, into a folder if one is given, and report the effective sample size before and after."""
    from functools import partial

    import numpy as np

    from crystalgfn.gflownet.weights import effective_share
    from crystalgfn.progress import progress_bar
    from crystalgfn.runs.finetuning import finetune_into

    def relative_size(sampler: Model) -> float:
        log_weights = np.asarray(sampler.sample(2000, seed=seed + 1).columns["log_weight"], dtype=float)
        return effective_share(log_weights)

    before = relative_size(model)
    with progress_bar(100, "fine-tuning", "%") as bar:
        tune = model.finetuned if keep is None else partial(finetune_into, keep, model)
        better = tune(
            iterations=iterations, seed=seed, report=lambda _, done: bar.advance(int(100 * done) - bar.completed)
        )
    sizes = f"effective sample size {before:.1%} before, {relative_size(better):.1%} after"
    echo(f"fine-tuned by {iterations:,} updates: {sizes}")
    if keep is not None:
        wanted = "".join(f" --want {shlex.quote(each.option)}" for each in model.wanted)
        echo(f"the weights are kept: crystalgfn sample {keep}{wanted} -o more.parquet{consent(keep)}")
    return better


def _show(top: Crystals | None, edge: Crystals | None, shown: Shown, n: int, model: Model) -> None:

    from crystalgfn.report.summary import REWARD, best_table

    energy, also = model.target.reward.ranking
    wanted = [each.column for each in model.wanted if each.column != energy]
    also = [*wanted, *(column for column in also if column not in wanted)]  # of a narrow table, the last are left out
    if top is not None:
        console().print(best_table(top, shown.best, energy=energy, total=n, also=also))
    if edge is not None:
        columns = [term.criterion.column for term in model.target.reward.terms]
        echo(f"Pareto front: {len(edge)} of {n:,} samples are beaten by none in every term")
        console().print(best_table(edge, FRONT_SHOWN, energy=REWARD, total=len(edge), also=columns))


def _report_weights(log_weights: Any, what: str, groups: int | None = None) -> None:
    from crystalgfn.gflownet.weights import effective_sample_size, share_error, truncated

    size, uncut = effective_sample_size(truncated(log_weights)), effective_sample_size(log_weights)
    few = f"; a few of them carry most of the weight, without a limit on weights {uncut:,.0f}" * (uncut < 0.5 * size)
    echo(
        f"effective sample size of the {what}: {size:,.0f} of {len(log_weights):,} ({size / len(log_weights):.1%}): "
        f"averages weighted by log_weight are as precise as those of {size:,.0f} crystals drawn from the target itself"
        f"{few}"
    )
    if groups is None and size < UNEVEN * len(log_weights):
        echo("the policy is far from its target here: --resample chooses from ten times as many by weight")
    if groups is not None:
        error = share_error(groups, size)
        enough = "enough for shares" if error <= ENOUGH else "not enough for shares: a larger --pool, or --finetune"
        echo(f"shares of the {groups} space groups are off by about {error:.2f} (total variation) by chance; {enough}")


FRONT_SHOWN = 20
"""Most samples of a Pareto front that are printed."""

UNEVEN = 0.15
"""Effective sample size, as a share, below which samples are better chosen by their weights."""

ENOUGH = 0.05
"""Total variation by chance up to which a sample is called large enough for shares of space groups."""
