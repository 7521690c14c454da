"""An ASE database (SQLite): ``ase.db.connect("candidates.db").select("space_group=225")``.

Each row has the structure with energy (eV), forces (eV/A) and stress (eV/A^3) by the potential that relaxed it, and
what is known about it (energies in eV/atom) as key-value pairs. All of it stands in ``data`` too, under its own names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crystalgfn.files.atomic import write_atomically
from crystalgfn.structures.export.extxyz import to_atoms
from crystalgfn.structures.export.formats import Exported, Written


def write_database(path: Path, items: Iterable[Exported]) -> Written:
    """Write a database, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    from ase.db import connect

    with write_atomically(path) as stream, TemporaryDirectory() as folder:  # SQLite writes into a file of its own
        made, rows = Path(folder) / "candidates.db", 0
        with connect(made, type="db", append=False) as database:
            for rows, item in enumerate(items, 1):  # noqa: B007
                atoms = to_atoms(item.structure, point=item.point)
                database.write(atoms, key_value_pairs=_pairs(item), data=dict(item.info))
        stream.write(made.read_bytes())
    return Written(rows)


def _pairs(item: Exported) -> dict[str, Any]:
    """Key-value pairs, without those that ASE refuses: it has a ``formula`` of its own, and takes NaN for a number."""
    from ase.db.core import check

    pairs = {}
    for name, value in item.info.items():
        pair = {re.sub(r"\W", "_", name): value}
        try:
            check(pair)
        except ValueError:
            continue
        pairs.update(pair)
    return pairs
