"""Crystals to candidates, and a table of crystals to a folder of candidates: ``crystalgfn structures``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crystalgfn.errors import DataError
from crystalgfn.progress import progress_bar
from crystalgfn.structures.candidates.candidate import Bench, Candidate
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.requests import Request, SearchSettings, digest
from crystalgfn.structures.candidates.sources import read_requests
from crystalgfn.structures.candidates.workers import Task, Tools, work


def run(
    table: str | Path,
    output: str | Path,
    tools: Tools,
    settings: SearchSettings,
    *,
    n: int | None = None,
    workers: int = 2,
    compare: str | Path | None = None,
    resume: bool = False,
    seconds: float | None = None,
) -> RunFolder:
    """Work on the rows of a crystals table; see :mod:`crystalgfn.structures.candidates.folder` for what is written.

    Args:
        table: crystals, ``.parquet`` or ``.csv``.
        output: folder.
        tools: potential, hull, prototypes.
        settings: of the search for the structure of each crystal.
        n: rows to work on, from the first; None for all.
        workers: processes. Their number changes nothing but the time.
        compare: known structures (columns material_id, numbers, cell, fractional) for the column ``novel``, or None.
        resume: go on with a run that was stopped.
        seconds: no crystal is begun after so many; those not reached are not in the tables.

    Raises:
        CrystalGFNError: an input that cannot be read or loaded, or a folder that is in use. Never because of a row.
    """
    check_workers(workers)
    reference = Reference(compare) if compare is not None else None
    here = tools.load(settings)  # what is not there shows at once, and in this process
    rows = read_requests(table, n)
    folder = RunFolder(output, manifest(rows, len(rows), tools, settings), resume=resume)
    done = folder.done()
    tasks = _left(rows, done, seconds)
    for candidate in candidates(tasks, tools, settings, total=len(rows), done=len(done), workers=workers, here=here):
        folder.write(candidate)
    folder.finish(reference)
    return folder


def candidates(
    tasks: Iterable[Task],
    tools: Tools,
    settings: SearchSettings,
    *,
    total: int,
    here: Bench,
    done: int = 0,
    workers: int = 1,
) -> Iterator[Candidate]:
    """Yield the candidates of crystals, in the order in which they are done.

    Args:
        tasks: the crystals.
        tools: what each process loads.
        settings: of the search.
        total: crystals, for the progress bar.
        here: the loaded tools of this process.
        done: crystals of an earlier run.
        workers: processes.
    """
    with progress_bar(total, "placing and relaxing" if tools.potential else "placing", "crystals") as bar:
        bar.advance(done)
        for candidate in work(tasks, tools, settings, workers=workers, here=here):
            yield candidate
            bar.advance()


def manifest(asked: Iterable[Request], n: int, tools: Tools, settings: SearchSettings) -> dict[str, Any]:
    """Return what is asked for, as JSON values: a run goes on only with the same."""
    return {"table": digest(asked), "n": n, **asdict(tools), **asdict(settings)}


def check_workers(workers: int) -> None:
    """Refuse less than one process.

    Raises:
        DataError: ``workers`` is below 1.
    """
    if workers < 1:
        raise DataError(f"workers: found {workers}, allowed: 1 or more")


def _left(asked: Iterable[Request], done: set[int], seconds: float | None) -> Iterator[Request]:
    start = time.monotonic()
    for request in asked:
        if seconds is not None and time.monotonic() - start > seconds:
            return
        if request.row not in done:
            yield request
