"""The page about crystals or structures that Python holds, or about a folder of structures, as a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.inputs import Data, energy_methods, read_data, read_references
from crystalgfn.files.atomic import write_text
from crystalgfn.report.page.build import report
from crystalgfn.report.page.document import render
from crystalgfn.structures.candidates.collection import Structures


def write_report(
    source: Crystals | Structures,
    path: str | Path = "report.html",
    *,
    name: str = "",
    reference: Sequence[str | Path] = (),
    smact: bool = True,
) -> Path:
    """Write the page of ``crystalgfn report`` about crystals or structures.

    Args:
        source: crystals, or structures that were placed or relaxed.
        path: the file; a file of this name is replaced.
        name: heading of the page; the kind of the source by default.
        reference: files or folders of known crystals or structures.
        smact: whether to test charges with SMACT.

    Returns:
        the path.

    Raises:
        DataError: there is nothing to report on, a library of the page is not installed, or the file cannot be written.
    """
    if isinstance(source, Crystals):
        data = Data(name or "crystals", source, provenance={"rows": len(source)}, methods=energy_methods(source))
    else:
        with TemporaryDirectory() as folder:  # the page is made from the files that others get
            data = read_data(source.write(Path(folder) / "structures"), name=name or "structures")
    path = Path(path)
    write_text(path, render(report(data, read_references([Path(one) for one in reference]), smact=smact)))
    return path


def write_folder_page(
    folder: Path, path: Path, *, name: str, beside: Mapping[str, Mapping[int, float]] = MappingProxyType({})
) -> str:
    """Write the page about a folder of structures, where the libraries of pages are installed.

    Args:
        folder: as ``crystalgfn structures`` writes it.
        path: the file.
        name: heading of the page.
        beside: further columns of numbers, each by the rows of the structures.

    Returns:
        what to say of the page: where it is, or what it needs.
    """
    if not all(map(find_spec, ("plotly", "matplotlib", "smact"))):
        return 'with pip install ".[report]" there would be a page to look at as well'
    data = read_data(folder, name=name)
    columns = {
        column: np.array([by_row.get(row, math.nan) for row in data.rows], dtype=float)
        for column, by_row in beside.items()
    }
    data = replace(data, crystals=data.crystals.with_columns(**columns))
    write_text(path, render(report(data, smact=False)))
    return f"a page to look at: {path}"
