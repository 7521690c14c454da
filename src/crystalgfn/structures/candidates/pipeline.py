"""Crystals to candidates, and a table of crystals to a folder of candidates: ``crystalgfn structures``."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from crystalgfn.errors import ConfigError, PropertyError
from crystalgfn.files.shards import Shard
from crystalgfn.progress import progress_bar
from crystalgfn.structures.candidates.candidate import Bench, Candidate
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.engines.engine import Engine
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.manifest import manifest, may_change, of_shard, read_earlier
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.candidates.sources import Choice, read_requests
from crystalgfn.structures.candidates.workers import Task, Tools, work

POOL = LocalEngine()
"""Two processes on this machine."""

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
    shard: Shard | None = None,
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
        choice: rows to work on, in this order; by default all. A run that goes on may have a greater number of them.
        shard: the shard of these rows to work on, see :func:`~.merging.merge`; None for all rows.
        engine: where the work is done; it changes nothing but the time, and last digits where it computes in batches.
        compare: known structures (columns material_id, numbers, cell, fractional) for the column ``novel``, or None.
        resume: go on with a run that was stopped.
        seconds: time after which no further crystal is begun; crystals not reached are not in the tables.
        trust: whether files in the folder of a run to go on with may be links that lead out of it.

    Raises:
        CrystalGFNError: an input cannot be read or loaded, sites contradict their row, the folder is in use, or the
            memory of the device of a batched engine is full. Any other bad row never raises.
    """
    if shard is not None and compare is not None:
        raise ConfigError("--compare: not for a shard, allowed: when its shards are joined")
    reference = Reference(compare) if compare is not None else None
    bench = tools.load(settings, engine.batcher)  # so that what is missing shows at once, and in this process
    whole = read_requests(table, choice)
    rows = whole if shard is None else whole.take(shard.positions(len(whole)))

    def opening() -> tuple[dict[str, Any], set[str]]:
        before = read_earlier(output, trust=trust) if resume else {}
        # reads every row, so that wrong sites show before the first
        about = manifest(whole, len(whole), tools, settings, choice=choice, compare=compare, before=before)
        if shard is not None:
            about = of_shard(about, shard, rows.rows)
        return about, may_change(before, about)

    with RunFolder.in_use(output, opening, resume=resume, trust=trust) as folder:
        done = folder.done()
        tasks = _remaining(rows, done, seconds)
        found = candidates(tasks, tools, settings, total=len(rows), done=len(done), engine=engine, bench=bench)
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
    engine: Engine,
    bench: Bench,
    done: int = 0,
) -> Generator[Candidate, None, None]:
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
    what = "placing and relaxing" if tools.potential else "placing"
    found = work(tasks, tools, settings, engine=engine, bench=bench)
    with progress_bar(total, what, "crystals", done=done) as bar, closing(found):
        for candidate in found:
            yield candidate
            bar.advance()


def _remaining(tasks: Iterable[Request], done: set[int], seconds: float | None) -> Iterator[Request]:
    start = time.monotonic()
    for request in tasks:
        if seconds is not None and time.monotonic() - start > seconds:
            return
        if request.row not in done:
            yield request
