"""The folder that ``crystalgfn structures`` writes: what is done is on disk, and a killed run goes on.

DIR/manifest.json          what was asked for; going on with anything else is refused
DIR/parts/00000012.json    the candidate of row 12, written whole or not at all
DIR/cif/00000012_MgO_225.cif
DIR/structures.parquet, structures.csv, all.extxyz     one row, and one frame, a candidate; made when all are done
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_atomically, write_json
from crystalgfn.files.folders import open_folder
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.export.cif import to_extxyz, write_cif
from crystalgfn.structures.quiet import quiet

PARTS, CIF, MANIFEST, FRAMES = "parts", "cif", "manifest.json", "all.extxyz"


class RunFolder:
    """Candidates on disk.

    Args:
        path: the folder; made if it is not there.
        manifest: what was asked for.
        resume: go on with what is there.

    Raises:
        DataError: the folder holds a run already (without ``resume``), or one of something else (with it).
    """

    def __init__(self, path: str | Path, manifest: Mapping[str, Any], *, resume: bool) -> None:
        self.path = Path(path)
        open_folder(self.path, MANIFEST, manifest, resume=resume)
        for name in (PARTS, CIF):
            (self.path / name).mkdir(exist_ok=True)

    def done(self) -> set[int]:
        """Rows that need no more work."""
        return {int(path.stem) for path in (self.path / PARTS).glob("*.json")}

    def write(self, candidate: Candidate) -> None:
        """Write the CIF of a candidate, then its part: a part on disk means that both are."""
        row = dict(candidate.row)
        if candidate.structure is not None:
            name = f"{row['row']:08d}_{row['formula']}_{row.get('space_group') or 0}.cif"
            row["cif"] = f"{CIF}/{name}"
            with quiet():
                write_cif(self.path / CIF / name, candidate.structure, symprec=candidate.symprec)
        part = {"row": row, "symprec": candidate.symprec}
        if candidate.structure is not None:
            part["structure"] = candidate.structure.as_dict()
            part["stages"] = {name: structure.as_dict() for name, structure in candidate.stages.items()}
        write_json(self.path / PARTS / f"{row['row']:08d}.json", part, indent=None)

    def read(self, row: int) -> Candidate:
        """Read the candidate of a row.

        Raises:
            DataError: there is none, or the file is not what was written.
        """
        from pymatgen.core import Structure

        part = self._part(row)
        try:
            structure = Structure.from_dict(part["structure"]) if "structure" in part else None
            stages = {name: Structure.from_dict(held) for name, held in part.get("stages", {}).items()}
            return Candidate(part["row"], structure, float(part["symprec"]), stages)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path}: row {row} cannot be read ({type(error).__name__}: {error})") from None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of all candidates in order; structures are not built."""
        for row in sorted(self.done()):
            yield self._part(row)["row"]

    def _part(self, row: int) -> dict[str, Any]:
        path = self.path / PARTS / f"{row:08d}.json"
        try:
            part: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read ({type(error).__name__}: {error})") from None
        return part

    def candidates(self) -> Iterator[Candidate]:
        """Yield all candidates in the order of their rows, one in memory at a time."""
        for row in sorted(self.done()):
            yield self.read(row)

    def write_frames(self) -> None:
        """Write all structures into one extXYZ file, atomically."""
        with write_atomically(self.path / FRAMES) as stream:
            for candidate in self.candidates():
                if candidate.structure is None:
                    continue
                keep = ("row", "formula", "space_group", "status", "flags")
                info = {key: value for key, value in candidate.row.items() if key in keep or "[eV/atom]" in key}
                info = {_key(key): value for key, value in info.items() if value not in ("", None) and not _nan(value)}
                stream.write(to_extxyz([candidate.structure], [info]).encode())


def _key(name: str) -> str:
    """A key of an extXYZ comment line: no blanks and no brackets."""
    return name.replace(" [eV/atom]", "_per_atom").replace(" ", "_")


def _nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
