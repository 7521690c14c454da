"""A stability screen for the best few candidates of a finished folder: the lowest phonon of each."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from crystalgfn.errors import PropertyError
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.folder import RunFolder, read_manifest
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.relaxing.phonons import WithForces, lowest_phonon
from crystalgfn.structures.relaxing.potentials.registry import load_potential

TOO_SOFT = {
    "chgnet": "its energy surface is systematically too soft (Deng et al., npj Comput. Mater. 11, 9 (2025), "
    "doi:10.1038/s41524-024-01500-6)"
}
"""Potentials that are refused, and why."""

TOLERANCE = 0.1
"""Frequencies (THz) down to minus this count as real, as in PhononBench (Han et al., arXiv:2512.21227)."""

FLAG = "imaginary phonons"
"""How the flag of a candidate with a lower frequency begins."""


def load_for_phonons(name: str) -> WithForces:
    """Return the potential of a name, with which phonons can be computed.

    Raises:
        PropertyError: the potential is too soft, unknown or without an ASE calculator, or a package is missing.
    """
    if name in TOO_SOFT:
        raise PropertyError(f"phonons: found {name!r}, allowed: another potential such as 7net-l3i5; {TOO_SOFT[name]}")
    if find_spec("phonopy") is None:
        raise PropertyError("phonopy is not installed: pip install 'crystalgfn[phonons]'")
    potential = load_potential(name)
    if not isinstance(potential, WithForces):
        raise PropertyError(f"phonons: {name!r} has no ASE calculator, allowed: one that has, such as 7net-l3i5")
    return potential


def screen_phonons(
    path: str | Path, n: int, potential: WithForces, *, time_limit_s: float = 600.0, trust: bool = False
) -> list[Row]:
    """Compute the lowest phonon of the best candidates of a folder that carry no flag of another kind.

    Each result is on disk as soon as it is there, in the part of its candidate; tables are written again at the end.
    The next call goes on with candidates that have no frequency yet, such as those that ran out of time.

    Args:
        path: a finished folder of ``crystalgfn structures``.
        n: number of candidates, best first, one of each group of duplicates.
        potential: from :func:`load_for_phonons`.
        time_limit_s: wall seconds for each candidate.
        trust: whether files in the folder may be links that lead out of it.

    Returns:
        the rows of these candidates, best first.

    Raises:
        DataError: no finished folder, or one in which another process works.
    """
    with RunFolder.in_use(path, lambda: (read_manifest(path, trust=trust), ()), resume=True, trust=trust) as folder:
        rows = []
        for number in best(folder.table(), n):
            candidate = folder.read(number)
            row = candidate.row
            if not math.isfinite(row.energy(_column(potential))):
                row = with_phonons(candidate, potential, time_limit_s)
                folder.update(row)
            rows.append(row)
        folder.rewrite()
    return rows


def best(table: CandidateTable, n: int) -> list[int]:
    """Return the numbers of the ``n`` best rows without flags, where those of earlier phonons do not count."""
    rows = (replace(row, flags=_other_flags(row)) for row in table.rows)
    return [row.row for row in CandidateTable(tuple(rows)).ranked() if not row.flags][:n]


def with_phonons(candidate: Candidate, potential: WithForces, time_limit_s: float) -> Row:
    """Return the row of a candidate that has a structure, with its lowest phonon, or with the reason why there is none.

    Added are the frequency (THz), the cell ``phonons``, and a flag where the frequency is imaginary.
    """
    assert candidate.structure is not None
    wall, cpu = time.monotonic(), time.process_time()
    found = lowest_phonon(candidate.structure, potential, symprec=candidate.symprec, time_limit_s=time_limit_s)
    row = candidate.row
    energies = dict(row.energies)
    if math.isfinite(found.lowest):
        energies[_column(potential)] = found.lowest
    return replace(
        row,
        energies=energies,
        phonons=f"{potential.name}: {found.about}",
        flags="; ".join(filter(None, (row.flags, flag_of(found.lowest, potential.name)))),
        seconds=(row.seconds or 0.0) + time.monotonic() - wall,
        seconds_cpu=(row.seconds_cpu or 0.0) + time.process_time() - cpu,
    )


def flag_of(lowest: float, potential: str) -> str:
    """Return the flag of a crystal whose lowest phonon (THz) a potential gave; empty where all are real."""
    if not lowest < -TOLERANCE:
        return ""
    return f"{FLAG}: {lowest:.2f} THz by {potential}, allowed: {-TOLERANCE:g} or more"


def summary(rows: list[Row], potential: str) -> str:
    """Return what phonons say of candidates, in a line."""
    column = PotentialColumn(Quantity.LOWEST_PHONON, potential)
    found = [row.energy(column) for row in rows if math.isfinite(row.energy(column))]
    imaginary = sum(lowest < -TOLERANCE for lowest in found)
    return (
        f"phonons by {potential} of the best {len(rows)}: {len(found) - imaginary} without imaginary modes, "
        f"{imaginary} flagged, {len(rows) - len(found)} not finished"
    )


def _column(potential: WithForces) -> PotentialColumn:
    return PotentialColumn(Quantity.LOWEST_PHONON, potential.name)


def _other_flags(row: Row) -> str:
    """The flags of a row that phonons did not give."""
    return "; ".join(flag for flag in (row.flags or "").split("; ") if not flag.startswith(FLAG))
