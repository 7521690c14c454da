"""A table of crystals to a folder of candidates: what ``crystalgfn structures`` does."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from crystalgfn.errors import DataError
from crystalgfn.progress import progress_bar
from crystalgfn.structures.candidates.duplicates import Reference
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.requests import Recipe, Request
from crystalgfn.structures.candidates.sources import read_requests
from crystalgfn.structures.candidates.table import write_tables
from crystalgfn.structures.candidates.workers import Tools, work


def run(
    table: str | Path,
    output: str | Path,
    tools: Tools,
    recipe: Recipe,
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
        recipe: how to work on each crystal.
        n: rows to work on, from the first; None for all.
        workers: processes. Their number changes nothing but the time.
        compare: known structures (columns material_id, numbers, cell, frac) for the column ``novel``, or None.
        resume: go on with a run that was stopped.
        seconds: no crystal is begun after so many; those not reached are not in the tables.

    Raises:
        CrystalGFNError: an input that cannot be read or loaded, or a folder that is in use. Never because of a row.
    """
    if workers < 1:
        raise DataError(f"workers: found {workers}, allowed: 1 or more")
    reference = Reference(compare) if compare is not None else None
    here = tools.load(recipe)  # what is not there shows at once, and in this process
    total, requests = read_requests(table, n)
    manifest = {
        "table": hashlib.sha256(Path(table).read_bytes()).hexdigest(),
        "n": total,
        **asdict(tools),
        **asdict(recipe),
    }
    folder = RunFolder(output, manifest, resume=resume)
    done = folder.done()
    with progress_bar(total, "placing and relaxing" if tools.potential else "placing", "crystals") as bar:
        bar.advance(len(done))
        for candidate in work(_left(requests, done, seconds), tools, recipe, workers=workers, here=here):
            folder.write(candidate)
            bar.advance()
    folder.write_frames()
    write_tables(folder, reference)
    return folder


def _left(requests: Iterator[Request], done: set[int], seconds: float | None) -> Iterator[Request]:
    start = time.monotonic()
    for request in requests:
        if seconds is not None and time.monotonic() - start > seconds:
            return
        if request.row not in done:
            yield request
