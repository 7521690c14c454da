"""``crystalgfn design``: from a wish to ranked structures, in one line."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from crystalgfn.cli.limits import as_options, asked_limits, with_limits
from crystalgfn.cli.options import Trust, Want, wanted_ranges
from crystalgfn.cli.relaxing import References, Relax, relaxing_tools
from crystalgfn.stability.load import BUILTIN, hull_choices
from crystalgfn.terminal import console, echo

SHOWN = 10
"""Candidates in the table that is printed."""

FEW, FEW_OF = 8, 4
"""Where at least so many were asked for and fewer than one in so many is near the hull, the loop is named."""

app = typer.Typer()


@app.command()
@with_limits("What all crystals obey", before="workers")
def design(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder to write; by default named after the wish: Li-P-S-Cl.", show_default=False
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Crystals to choose and relax.")] = 20,
    formula: Annotated[
        str, typer.Option("--formula", metavar="Li6PS5Cl", help="Structures of this composition.", show_default=False)
    ] = "",
    like: Annotated[
        str,
        typer.Option(
            "--like", metavar="spinel.cif", help="Its structure type, other elements; also a label.", show_default=False
        ),
    ] = "",
    want: Want = None,
    with_known: Annotated[
        bool, typer.Option("--with-known", help="Also crystals whose formula is known; always with --formula.")
    ] = False,
    known: Annotated[
        list[str] | None, typer.Option("--known", metavar="TABLE", help="Further known crystals: column wyckoff.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="A preset with shipped weights, or a run folder.")] = "default",
    samples: Annotated[
        int | None, typer.Option("--samples", min=1, help="Samples to choose from; 20 n, at least 2,000.")
    ] = None,
    relax: Relax = "chgnet",
    references: References = None,
    hull: Annotated[str, typer.Option("--hull", help=f"Hull to judge by: {hull_choices()}.")] = BUILTIN,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that relax.")] = 2,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a design that was stopped.")] = False,
    trust: Trust = False,
    **limits: Any,
) -> None:
    """Sample under limits, choose, place, relax and rank: writes CIF files, tables and a page into a folder.

    Compounds of O, S, Se, Te or a halogen, where one of them is asked for, balance their usual charges (--charge
    common); --charge none lifts that.
    """
    from crystalgfn.report.candidates import candidates_table, near_hull
    from crystalgfn.report.demo import STABLE, verdict
    from crystalgfn.report.write import write_folder_page
    from crystalgfn.stability.load import load_hull
    from crystalgfn.wishes import STRUCTURES, Wish, wanted_columns
    from crystalgfn.wishes import design as run_design

    wish = Wish(
        model=model,
        n=n,
        limits=asked_limits(limits),
        formula=formula,
        like=like,
        want=wanted_ranges(want),
        with_known=with_known,
        known=tuple(known or ()),
        samples=samples,
        seed=seed,
    )
    folder = Path(wish.name) if output is None else output
    judge = load_hull(hull)
    tools = relaxing_tools(relax, references, hull)
    candidates = run_design(wish, folder, tools, workers=workers, resume=resume, trust=trust, say=echo)
    beside = wanted_columns(folder)
    page = write_folder_page(folder / STRUCTURES, folder / "report.html", name=folder.name, beside=beside)
    table = candidates_table(candidates, SHOWN)
    if table is not None:
        console().print(table)
    echo(verdict(candidates, judge.elements))
    echo(f"CIF files and tables: {folder / STRUCTURES}; {page}")
    echo(f"next, a second potential's verdict: crystalgfn judge {shlex.quote(str(folder / STRUCTURES))}")
    if candidates.above_hull is not None and n >= FEW and FEW_OF * near_hull(candidates, STABLE)[0] < len(candidates):
        implied = {name: value for name, value in wish.all_limits.items() if limits.get(name, ()) in (None, [])}
        words = ["crystalgfn", "loop", model, *as_options({**limits, **implied}), "-o", f"loops/{wish.name}"]
        echo(f"few came near the hull; a sampler that learns from what it proposed here: {shlex.join(words)}")
