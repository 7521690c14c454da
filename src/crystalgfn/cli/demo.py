"""``crystalgfn demo``: from the shipped model to CIF files in one go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crystalgfn.cli.options import Trust
from crystalgfn.stability.answer import BUILTIN
from crystalgfn.stability.load import hull_choices
from crystalgfn.terminal import console, echo

if TYPE_CHECKING:
    from crystalgfn.crystals.crystal import Crystals
    from crystalgfn.runs.model import Model
    from crystalgfn.stability.hull import Hull

MAX_ATOMS = 14
"""Most atoms in the primitive cell of crystals to relax: a demo should take minutes."""

MAX_FREE = 4
"""Most coordinates that symmetry leaves free in them, for the same reason; half of real crystals have at most 2."""

JUDGED = 0.6
"""Share of the candidates with elements that the hull knows, where it lacks some of the model's."""

app = typer.Typer()


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")] = Path("demo"),
    model: Annotated[str, typer.Option("--model", help="A preset with shipped weights, or a run folder.")] = "default",
    n: Annotated[int, typer.Option("-n", min=1, help="Crystals to sample.")] = 1000,
    candidates: Annotated[int, typer.Option("--candidates", min=1, help="Crystals to relax.")] = 20,
    hull: Annotated[str, typer.Option("--hull", help=f"Hull to judge by: {hull_choices()}.")] = BUILTIN,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = 2,
    trust: Trust = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a demo that was stopped.")] = False,
) -> None:
    """Sample, place, relax, judge: writes crystals.csv and .parquet, CIF files, the table of candidates, a page."""
    from crystalgfn.files.folders import work_folder
    from crystalgfn.files.locks import in_use
    from crystalgfn.report.demo import classes_table, judged_table, verdict
    from crystalgfn.report.write import write_folder_page
    from crystalgfn.runs.model import load
    from crystalgfn.stability.load import load_hull
    from crystalgfn.structures.candidates.engines.local import LocalEngine
    from crystalgfn.structures.candidates.pipeline import run
    from crystalgfn.structures.candidates.requests import SearchSettings
    from crystalgfn.structures.candidates.table import TABLE, CandidateTable
    from crystalgfn.structures.candidates.workers import Tools

    judge = load_hull(hull)
    loaded = load(model, trust=trust)
    with in_use(output):
        crystals = loaded.sample(n, seed=seed)
        for suffix in ("csv", "parquet"):
            getattr(crystals, f"to_{suffix}")(output / f"crystals.{suffix}")
        console().print(classes_table(crystals))
        chosen = choose(loaded, crystals, candidates, hull=judge, seed=seed)
        table = output / "chosen.parquet"
        chosen.to_parquet(table)
        echo(
            f"\n{len(chosen)} go on: new, with up to {MAX_ATOMS} atoms and {MAX_FREE} free coordinates, of five "
            "classes in turn, the most probable first\n"
        )
        settings = SearchSettings(placements=20, relaxed=1, seed=seed)
        where, tools = output / "structures", Tools(hull=hull)
        if where.is_symlink():
            work_folder(where)
        folder = run(table, where, tools, settings, engine=LocalEngine(workers), resume=resume, trust=trust)
        results = CandidateTable.read(folder.path / TABLE)
        console().print(judged_table(results))
        echo(f"\n{verdict(results, judge.elements)}")
        page = write_folder_page(folder.path, output / "report.html", name=output.name)
        echo(f"tables and CIF files: {folder.path}; {page}")


def choose(model: Model, crystals: Crystals, n: int, *, hull: Hull, seed: int) -> Crystals:
    """Choose crystals to relax, 60 % of them with elements that the hull knows where it lacks some of the model's.

    This part is drawn from the same model under two more constraints: these elements, and balanced charges.
    """
    from crystalgfn.crystallography.elements import SYMBOLS
    from crystalgfn.crystals.crystal import Crystals
    from crystalgfn.evaluation.assortment import assorted

    symbols = [SYMBOLS[z] for z in model.space.elements]
    covered = [symbol for symbol in symbols if symbol in hull.elements]
    if not covered or len(covered) == len(symbols):
        return assorted(crystals, n, max_atoms=MAX_ATOMS, max_free=MAX_FREE)
    drawn = model.restricted(allowed=covered, charge="per_element").sample(50 * n, seed=seed)
    judged = assorted(drawn, round(JUDGED * n), max_atoms=MAX_ATOMS, max_free=MAX_FREE)
    others = assorted(crystals, n - len(judged), max_atoms=MAX_ATOMS, max_free=MAX_FREE)
    return Crystals.concatenate([others, judged])
