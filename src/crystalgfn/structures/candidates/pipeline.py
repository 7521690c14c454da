"""Crystals to candidates, and a table of crystals to a folder of candidates: ``crystalgfn structures``."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from crystalgfn.errors import DataError, PropertyError
from crystalgfn.files.atomic import sweep
from crystalgfn.files.locks import in_use
from crystalgfn.progress import progress_bar
from crystalgfn.structures.candidates.candidate import Bench, Candidate
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.manifest import manifest, may_change, read_earlier
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.candidates.sources import Choice, read_requests
from crystalgfn.structures.candidates.workers import Task, Tools, work
from crystalgfn.structures.relaxing.potentials.batcher import Batcher

TABLES_S = 60.0
"""Seconds between two writings of the tables during a run."""

TABLES_SHARE = 0.05
"""Largest share of a run's time that these writings take."""


def run(
    table: str | Path,
    output: str | Path,
    tools: Tools,
    settings: SearchSettings,
    *,
    choice: Choice | None = None,
    workers: int = 2,
    compare: str | Path | None = None,
    resume: bool = False,
    seconds: float | None = None,
    trust: bool = False,
    batcher: Batcher | None = None,
) -> RunFolder:
    """Find the structures of a crystals table; :mod:`crystalgfn.structures.candidates.folder` says what is written.

    Args:
        table: crystals, ``.parquet`` or ``.csv``.
        output: folder to write.
        tools: potential, hull and prototypes.
        settings: settings of the search for the structure of each crystal.
        choice: rows to work on, in this order; by default all. A run that goes on may have a greater number of them.
        workers: processes. Their number changes nothing but the time.
        compare: known structures (columns material_id, numbers, cell, fractional) for the column ``novel``, or None.
        resume: go on with a run that was stopped.
        seconds: time after which no further crystal is begun; crystals not reached are not in the tables.
        trust: whether files in the folder of a run to go on with may be links that lead out of it.
        batcher: computes many crystals at once, on its device, in this process; ``workers`` then means nothing.

    Raises:
        CrystalGFNError: an input cannot be read or loaded, sites contradict their row, the folder is in use, or the
            memory of the device of the batcher is full. Any other bad row never raises.
    """
    check_workers(workers)
    reference = Reference(compare) if compare is not None else None
    bench = tools.load(settings, batcher)  # so that what is missing shows at once, and in this process
    rows = read_requests(table, choice)
    with in_use(Path(output)):
        before = read_earlier(output, trust=trust) if resume else {}
        # reads every row, so that wrong sites show before the first
        about = manifest(rows, len(rows), tools, settings, choice=choice, compare=compare, before=before)
        folder = RunFolder(output, about, resume=resume, may_change=may_change(before, about), trust=trust)
        sweep(folder.path)
        done = folder.done()
        tasks = _remaining(rows, done, seconds)
        found = candidates(tasks, tools, settings, total=len(rows), done=len(done), workers=workers, bench=bench)
        try:
            with closing(found):  # its processes end before the tables are written
                _keep(found, folder)
            folder.finish(reference)
        except (KeyboardInterrupt, PropertyError):
            folder.write_meanwhile()
            raise
    return folder


def _keep(found: Iterable[Candidate], folder: RunFolder) -> None:
    """Write each candidate, and the tables so far every minute, or more seldom where that takes long."""
    due = time.monotonic() + TABLES_S
    for candidate in found:
        folder.write(candidate)
        start = time.monotonic()
        if start >= due:
            folder.write_meanwhile()
            end = time.monotonic()
            due = end + max(TABLES_S, (end - start) / TABLES_SHARE)


def candidates(
    tasks: Iterable[Task],
    tools: Tools,
    settings: SearchSettings,
    *,
    total: int,
    bench: Bench,
    done: int = 0,
    workers: int = 1,
) -> Generator[Candidate, None, None]:
    """Yield the candidates of crystals, in the order in which they are finished.

    Args:
        tasks: the crystals.
        tools: tools that each process loads.
        settings: settings of the search.
        total: number of crystals, for the progress bar.
        bench: the loaded tools of this process.
        done: number of crystals that an earlier run finished.
        workers: number of processes.
    """
    what = "placing and relaxing" if tools.potential else "placing"
    found = work(tasks, tools, settings, workers=workers, bench=bench)
    with progress_bar(total, what, "crystals", done=done) as bar, closing(found):
        for candidate in found:
            yield candidate
            bar.advance()


def check_workers(workers: int) -> None:
    """Refuse fewer than one process.

    Raises:
        DataError: ``workers`` is below 1.
    """
    if workers < 1:
        raise DataError(f"workers: found {workers}, allowed: 1 or more")


def _remaining(tasks: Iterable[Request], done: set[int], seconds: float | None) -> Iterator[Request]:
    start = time.monotonic()
    for request in tasks:
        if seconds is not None and time.monotonic() - start > seconds:
            return
        if request.row not in done:
            yield request
