"""Crystals to candidates, and a table of crystals to a folder of candidates: ``crystalgfn structures``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crystalgfn.progress import progress_bar
from crystalgfn.structures.candidates.candidate import Bench, Candidate
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.engines.engine import Engine
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.requests import Request, SearchSettings, digest
from crystalgfn.structures.candidates.sources import read_requests
from crystalgfn.structures.candidates.workers import Task, Tools, work

POOL = LocalEngine()
"""Two processes on this machine."""


def run(
    table: str | Path,
    output: str | Path,
    tools: Tools,
    settings: SearchSettings,
    *,
    n: int | None = None,
    engine: Engine = POOL,
    compare: str | Path | None = None,
    resume: bool = False,
    seconds: float | None = None,
    trust: bool = False,
) -> RunFolder:
    """Find the structures of a crystals table; :mod:`crystalgfn.structures.candidates.folder` says what is written.

    Args:
        table: crystals, ``.parquet`` or ``.csv``.
        output: folder to write.
        tools: potential, hull and prototypes.
        settings: settings of the search for the structure of each crystal.
        n: number of rows to work on, from the first; None for all.
        engine: where the work is done; it changes nothing but the time.
        compare: known structures (columns material_id, numbers, cell, fractional) for the column ``novel``, or None.
        resume: go on with a run that was stopped.
        seconds: time after which no further crystal is begun; crystals not reached are not in the tables.
        trust: whether files in the folder of a run to go on with may be links that lead out of it.

    Raises:
        CrystalGFNError: an input cannot be read or loaded, sites contradict their row, or the folder is in use. Any
            other bad row never raises.
    """
    reference = Reference(compare) if compare is not None else None
    bench = tools.load(settings)  # so that what is missing shows at once, and in this process
    rows = read_requests(table, n)
    about = manifest(rows, len(rows), tools, settings)  # reads every row, so that wrong sites show before the first
    folder = RunFolder(output, about, resume=resume, trust=trust)
    done = folder.done()
    tasks = _remaining(rows, done, seconds)
    for candidate in candidates(tasks, tools, settings, total=len(rows), done=len(done), engine=engine, bench=bench):
        folder.write(candidate)
    folder.finish(reference)
    return folder


def candidates(
    tasks: Iterable[Task],
    tools: Tools,
    settings: SearchSettings,
    *,
    total: int,
    engine: Engine,
    bench: Bench,
    done: int = 0,
) -> Iterator[Candidate]:
    """Yield the candidates of crystals, in the order in which they are finished.

    Args:
        tasks: the crystals.
        tools: tools that each process loads.
        settings: settings of the search.
        total: number of crystals, for the progress bar.
        engine: where the work is done.
        bench: the loaded tools of this process.
        done: number of crystals that an earlier run finished.
    """
    with progress_bar(total, "placing and relaxing" if tools.potential else "placing", "crystals") as bar:
        bar.advance(done)
        for candidate in work(tasks, tools, settings, engine=engine, bench=bench):
            yield candidate
            bar.advance()


def manifest(tasks: Iterable[Request], n: int, tools: Tools, settings: SearchSettings) -> dict[str, Any]:
    """Return crystals, tools and settings of a run as JSON values; a run goes on only if none of them has changed."""
    return {"table": digest(tasks), "n": n, **asdict(tools), **asdict(settings)}


def _remaining(tasks: Iterable[Request], done: set[int], seconds: float | None) -> Iterator[Request]:
    start = time.monotonic()
    for request in tasks:
        if seconds is not None and time.monotonic() - start > seconds:
            return
        if request.row not in done:
            yield request
