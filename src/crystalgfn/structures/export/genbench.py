"""The table of structures that LeMat-GenBench reads (arXiv:2512.04562, github.com/LeMaterial/lemat-genbench).

Its ``run_benchmarks.py --csv`` takes a CSV file whose column ``structure`` holds pymatgen structures as JSON, and
leaves other columns aside. Structures are primitive cells as relaxed; the benchmark relaxes them again with its own
potentials.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure

COLUMNS = ("material_id", "structure", "formula", "space_group")


def _line(cells: tuple[Any, ...]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()


HEAD = _line(COLUMNS)
"""First line of the table."""


def to_line(structure: Structure, info: Mapping[str, Any]) -> str:
    """Return a line of the table.

    Args:
        structure: pymatgen structure.
        info: its ``row`` becomes the identifier, which the folder of candidates knows; ``formula`` and
            ``space_group`` are copied.
    """
    text = json.dumps(structure.as_dict())
    return _line((info.get("row", ""), text, info.get("formula", ""), info.get("space_group", "")))
