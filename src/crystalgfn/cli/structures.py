"""``crystalgfn structures``: place atoms, relax, rank by stability, write CIF files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crystalgfn.cli.options import Trust
from crystalgfn.cli.phonons import (
    PHONON_POTENTIAL,
    PHONON_TIME_LIMIT_S,
    PhononPotential,
    Phonons,
    PhononTimeLimit,
    phonon_screen,
)
from crystalgfn.cli.relaxing import References, Relax, relaxing_tools
from crystalgfn.stability.answer import BUILTIN
from crystalgfn.stability.load import hull_choices
from crystalgfn.structures.candidates.engines.registry import ENGINES, load_engine
from crystalgfn.structures.relaxing.potentials.batcher import SIZE
from crystalgfn.terminal import console, echo

app = typer.Typer()
_CLUSTER = "Clusters"


@app.command()
def structures(
    crystals: Annotated[Path, typer.Argument(help="A crystals table, .parquet or .csv.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)],
    n: Annotated[
        int, typer.Option("-n", min=1, help="Rows to work on, from the first; with --order-by the best so many.")
    ] = 100,
    order_by: Annotated[
        str | None,
        typer.Option(
            "--order-by",
            metavar="COLUMN[:desc]",
            help="Rank the rows by a column of numbers before -n of them are taken: lowest first, with :desc highest "
            "first, as reward:desc or e_above_hull.",
            show_default=False,
        ),
    ] = None,
    one_per_formula: Annotated[
        bool, typer.Option("--one-per-formula", help="Take only the first row of each reduced formula, in this order.")
    ] = False,
    placements: Annotated[
        int,
        typer.Option(
            "--placements",
            "--starts",
            min=1,
            help="Initial placements of each crystal; fewer where sites are known.",
        ),
    ] = 30,
    tried: Annotated[
        int, typer.Option("--tried", min=1, help="Most placements that are relaxed for some steps; at known sites 3.")
    ] = 8,
    relaxed: Annotated[
        int, typer.Option("--relaxed", min=1, help="Most placements that are relaxed to the end; at known sites 1.")
    ] = 2,
    relax: Relax = "chgnet",
    references: References = None,
    hull: Annotated[str, typer.Option("--hull", help=f"{hull_choices('none')}.")] = BUILTIN,
    library: Annotated[
        str, typer.Option("--library", help="Prototypes: builtin, none, or a file of your own.")
    ] = "builtin",
    second: Annotated[
        str, typer.Option("--second", help="Second opinion: any other potential, such as 7net-l3i5, or none.")
    ] = "none",
    second_references: Annotated[
        Path | None,
        typer.Option("--second-references", help="Elemental energies of the second (JSON).", show_default=False),
    ] = None,
    second_below: Annotated[
        float | None,
        typer.Option(
            "--second-below",
            help="Ask for it only up to this energy above hull, eV/atom.",
            show_default=False,
        ),
    ] = None,
    phonons: Phonons = 0,
    phonon_potential: PhononPotential = PHONON_POTENTIAL,
    phonon_time_limit: PhononTimeLimit = PHONON_TIME_LIMIT_S,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", help="Known structures, for the column 'novel' (parquet).", show_default=False),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=0,
            help="Most steps of each phase of relaxation, with the symmetry kept and without; by default 100 and 500.",
            show_default=False,
        ),
    ] = None,
    free_steps: Annotated[
        int | None,
        typer.Option(
            "--free-steps",
            min=0,
            help="For experts: most steps without symmetry, where --steps is not to say it; 0 for none.",
            show_default=False,
        ),
    ] = None,
    time_limit: Annotated[float, typer.Option("--time-limit", min=1, help="Seconds for each relaxation.")] = 300.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same structures.")] = 0,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; 2, with ray as many as fit.", show_default=False),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            help="Work on every N-th row from the K-th on; join the folders with crystalgfn structures merge.",
            show_default=False,
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="cpu, or cuda: the steps of many crystals in one call on a GPU.")
    ] = "cpu",
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help=f"Crystals in work at once on a GPU; {SIZE}.", show_default=False),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help=f"Where they run: {', '.join(ENGINES)}; batched with --device cuda, else local.",
            show_default=False,
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            help="Of the Ray cluster: auto, HOST:PORT, or local for one that starts and ends with the command.",
            show_default=False,
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            "--gpus-per-worker",
            min=0.0,
            help="GPUs, or a fraction of one, for each process on Ray.",
            show_default=False,
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run, also to a greater -n.")] = False,
    trust: Trust = False,
    best: Annotated[int, typer.Option("--best", min=0, help="Print a table of the best so many.")] = 10,
) -> None:
    """Turn crystals into structures with atoms: placed, relaxed, ranked by energy above hull.

    Rows with a text in the column wyckoff have their atoms placed on these sites, and on no others.
    """
    from crystalgfn.cli.device import check_device
    from crystalgfn.cli.models import is_model
    from crystalgfn.errors import DataError
    from crystalgfn.files.shards import Shard
    from crystalgfn.structures.candidates.pipeline import run
    from crystalgfn.structures.candidates.requests import SearchSettings, phase_steps
    from crystalgfn.structures.candidates.sources import Choice

    if is_model(crystals):
        raise DataError(
            f"{crystals}: a model, allowed: a table of crystals; sample it first: crystalgfn sample {crystals} -n {n} "
            "-o crystals.parquet"
        )
    if phonons and relax == "none":
        raise DataError("--phonons: found --relax none, allowed: a potential that relaxes")
    check_device(device)
    screen = phonon_screen(phonons, phonon_potential, phonon_time_limit)
    tools = relaxing_tools(
        relax,
        references,
        hull,
        library="" if library == "none" else library,
        second="" if second == "none" or relax == "none" else second,
        second_references=None if second_references is None else str(second_references),
        second_below=second_below,
    )
    settings = SearchSettings(
        placements=placements,
        tried=tried,
        relaxed=relaxed,
        time_limit_s=time_limit,
        seed=seed,
        **phase_steps(steps, free_steps),
    )
    where = load_engine(
        engine or ("local" if device == "cpu" else "batched"),
        workers=workers,
        address=address,
        gpus_per_worker=gpus_per_worker,
        device=None if device == "cpu" else device,
        batch=batch,
    )
    choice = Choice(n, order_by, one_per_formula)
    folder = run(
        crystals,
        output,
        tools,
        settings,
        choice=choice,
        shard=None if shard is None else Shard.parse(shard),
        engine=where,
        compare=compare,
        resume=resume,
        trust=trust,
    )
    screen(folder.path, trust)
    report(folder.path, best)


def report(folder: Path, best: int) -> None:
    """Print the best candidates of a folder, and the number of candidates by status."""
    from collections import Counter

    from crystalgfn.report.candidates import candidates_table, headline, resting_on
    from crystalgfn.structures.candidates.table import TABLE, CandidateTable

    candidates = CandidateTable.read(folder / TABLE)
    table = candidates_table(candidates, best) if best else None
    if table is not None:
        console().print(table)
    for line in filter(None, (headline(candidates), resting_on(candidates))):
        echo(line)
    counts = Counter(row.status for row in candidates.rows)
    echo(f"{', '.join(f'{n} {status}' for status, n in sorted(counts.items()))}; written to {folder}")
