"""A second opinion on candidates that are finished: asked for later, without relaxing again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from crystalgfn.errors import DataError
from crystalgfn.progress import progress_bar
from crystalgfn.stability.answer import BUILTIN
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.folder import RunFolder, read_manifest
from crystalgfn.structures.candidates.opinions import has_opinion, unasked
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.schema import Status
from crystalgfn.structures.candidates.workers import Tools, check_second, work


def judge(
    path: str | Path,
    second: str = "7net-l3i5",
    *,
    references: str | Path | None = None,
    below: float | None = None,
    workers: int = 1,
    trust: bool = False,
) -> RunFolder:
    """Ask a second potential about the candidates of a folder, as a run with this second opinion would have done.

    Each opinion is on disk as soon as it is given, in the part of its candidate; tables are written again at the end.
    After a kill, the next call asks about the rest. So does a call with a higher ``below``.

    Args:
        path: a finished folder of ``crystalgfn structures``.
        second: name of the potential.
        references: file of its elemental references, or None for those that ship.
        below: highest energy above hull (eV/atom) of candidates that it is asked about; None for all.
        workers: processes.
        trust: whether files in the folder may be links that lead out of it.

    Returns:
        the folder.

    Raises:
        DataError: no finished folder, one with another second opinion, or one in which another process works.
        PropertyError: the potential cannot be loaded, or relaxed the candidates itself.
    """
    engine = LocalEngine(workers)
    before = read_manifest(path, trust=trust)
    check_second(str(before.get("potential")), second)
    tools = Tools(
        potential="",
        hull=BUILTIN if before.get("hull") == BUILTIN else "",  # other hulls are the same for every potential
        library="",
        second=second,
        second_references=None if references is None else str(references),
        second_below=below,
    )
    _check_same(path, before, tools)
    settings = SearchSettings()
    bench = tools.load(settings)  # so that a missing package shows before anything is written
    asked = {key: getattr(tools, key) for key in ("second", "second_references", "second_below")}

    def opening() -> tuple[dict[str, Any], dict[str, Any]]:
        now = read_manifest(path, trust=trust)
        _check_same(path, now, tools)
        return now | asked, asked

    with RunFolder.in_use(path, opening, resume=True, trust=trust) as folder:
        rows = []
        for row in folder.rows():
            if row.status is not Status.RELAXED or has_opinion(row, second):
                continue
            if reason := unasked(row, second, below=below):
                folder.update(replace(row, second_opinion=reason))
            else:
                rows.append(row.row)
        with progress_bar(len(rows), f"asking {second}", "structures") as bar:
            for candidate in work(map(folder.read, rows), tools, settings, engine=engine, bench=bench):
                folder.update(candidate.row)
                bar.advance()
        folder.rewrite()
    return folder


def _check_same(path: str | Path, before: Mapping[str, Any], tools: Tools) -> None:
    """Refuse a folder that has another second opinion."""
    for key in ("second", "second_references"):
        if before.get("second") and before.get(key) != getattr(tools, key):
            raise DataError(
                f"{path}: has a second opinion with {key} {before.get(key)!r}, found {getattr(tools, key)!r}; allowed: "
                "the same, or another folder"
            )
