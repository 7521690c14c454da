"""Folders of inputs: one for each structure, with an index and a README beside them.

DIR/00000012_MgO_225/...     the files of row 12
DIR/index.csv                what is known of each structure, best first, with its folder or why there is none
DIR/README.txt               what to do with them
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_text
from crystalgfn.files.folders import new_folder
from crystalgfn.structures.export.formats import Exported, Written

INDEX, README = "index.csv", "README.txt"


def write_folders(
    path: Path,
    items: Iterable[Exported],
    *,
    files: Callable[..., dict[str, str]],
    readme: Callable[..., str],
    **options: Any,
) -> Written:
    """Write a folder for each structure, all or none.

    Args:
        path: a new or empty folder.
        items: structures, best first.
        files: returns the text of each file of a structure by its path; a DataError leaves the structure out.
        readme: returns the text for a person.
        options: arguments of both.

    Raises:
        DataError: the folder holds files, cannot be written, or not one structure has inputs.
    """
    rows: list[dict[str, Any]] = []
    with new_folder(path) as folder:
        write_text(folder / README, readme(**options))
        for rank, item in enumerate(items, 1):
            name = f"{item.info['row']:08d}_{item.structure.composition.reduced_formula}_{item.info['space_group']}"
            row = {"rank": rank, **item.info, "folder": name, "reason": ""}
            try:
                texts = files(item.structure, **options)
            except DataError as error:
                row |= {"folder": "", "reason": str(error)}
            else:
                for file, text in texts.items():
                    (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
                    write_text(folder / name / file, text)
            rows.append(row)
        written = sum(bool(row["folder"]) for row in rows)
        if not written:
            first = f"; the first: {rows[0]['reason']}" if rows else ""
            raise DataError(f"no inputs for any of {len(rows)} structures{first}")
        write_text(folder / INDEX, _table(rows))
    return Written(written, len(rows) - written)


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    names.sort(key=("folder", "reason").__contains__)  # the last columns, wherever the first row has them
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
