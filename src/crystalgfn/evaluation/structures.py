"""Metrics of structures, each with its method: validity, uniqueness, novelty, stability and S.U.N."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.candidates import Candidates, cif_files, read_cif
from crystalgfn.evaluation.chemistry import smact_validity
from crystalgfn.evaluation.crystals import Numbers
from crystalgfn.evaluation.distributions import against
from crystalgfn.evaluation.measured import measured
from crystalgfn.progress import track
from crystalgfn.structures.candidates.duplicates import Reference, duplicate_groups
from crystalgfn.structures.candidates.schema import Row, Status
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import THRESHOLDS, tally

if TYPE_CHECKING:
    from pymatgen.core import Structure

MATCHER = "pymatgen StructureMatcher, default tolerances"


class KnownStructures:
    """Known structures that candidates may match.

    Args:
        path: a table with material_id, numbers, cell and fractional, or a folder of CIF files.

    Raises:
        DataError: the table is unreadable, or the folder holds no readable CIF file.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.name, self.broken = path.name, dict[str, str]()
        self._table = None if path.is_dir() else Reference(path)
        self._structures: list[tuple[str, Structure]] = []
        if self._table is None:
            self._structures = list(self._read(path))
            if not self._structures:
                raise DataError(f"{path}: no readable .cif file, allowed: a folder of CIF files, or a table")
        self._size = len(self._structures) if self._table is None else len(self._table)

    def __len__(self) -> int:
        return self._size

    def _read(self, folder: Path) -> list[tuple[str, Structure]]:
        structures = []
        for file in cif_files(folder):
            try:
                structures.append((file.name, read_cif(file)[0]))
            except DataError as error:
                self.broken[file.name] = str(error)
        return structures

    def match(self, structure: Structure) -> str | None:
        """Return the name of the first known structure that matches, or None."""
        if self._table is not None:
            return self._table.match(structure)
        formula = structure.composition.reduced_formula
        same_formula = [
            (name, known) for name, known in self._structures if known.composition.reduced_formula == formula
        ]
        for name, known in same_formula:
            if duplicate_groups([known, structure])[1] == 0:
                return name
        return None


def compared(candidates: Candidates, known: KnownStructures) -> Candidates:
    """Return the candidates with columns ``matches`` and ``novel`` from a comparison with known structures."""
    rows = []
    for row in track(candidates.rows, len(candidates), "comparing", "structures"):
        structure = candidates.structures.get(row.row)
        match = None if structure is None else known.match(structure)
        novel = None if structure is None else match is None
        rows.append(replace(row, matches=match or "", novel=novel))
    return replace(candidates, table=CandidateTable(tuple(rows)))


def evaluate_structures(
    candidates: Candidates,
    reference: Crystals | None = None,
    *,
    reference_name: str = "reference",
    known_name: str | None = None,
    smact: bool = True,
) -> dict[str, Numbers]:
    """Measure structures; shares refer to all crystals that were handed in, failed ones included.

    Args:
        candidates: structures, with the column ``novel`` if they were compared with known structures.
        reference: known crystals for distances of distributions.
        reference_name: name of the reference in the methods.
        known_name: name of the known structures that ``novel`` refers to.
        smact: test charges with SMACT.

    Returns:
        groups of numbers with their methods: ``outcome``, ``validity``, ``uniqueness``, ``stability``, ``symmetry``
        and ``reference``.

    Raises:
        DataError: there are no candidates.
    """
    if not len(candidates):
        raise DataError(f"{candidates.name}: no structures to evaluate: found 0, allowed: 1 or more")
    table = CandidateTable(tuple(_as_structure(row, candidates) for row in candidates.rows))
    summary, n, column = tally(table), len(table), table.above_hull
    above = f"{column.potential if column else ''} energy above the hull {table.hull or 'no hull'}"
    of = f"of {n} crystals handed in"
    n_structures = len(candidates.structures)
    relaxed = sum(row.status is Status.RELAXED for row in candidates.rows) if candidates.manifest else 0
    crystals, _ = candidates.crystals()
    formulas = [row.formula for row in table.rows if row.status is Status.RELAXED]
    against_what = f" among {known_name}" if known_name else " among the known structures of the run (--compare)"
    with_novelty = known_name is not None or not math.isnan(summary["novel"])
    no_energy = "not measured: no energy above hull in the table"
    not_compared = "not measured: give known structures (--reference)"
    validity = {
        "cdvae": (summary["cdvae_valid"], "all distances 0.5 A and more, volume 0.1 A^3 and more (CDVAE)"),
        "lemat": (summary["lemat_valid"], "LeMat-GenBench: distances, density, lengths, volume, CIF round trip"),
    }
    out: dict[str, Numbers] = {
        "outcome": {
            "submitted": measured(n, "crystals handed in: the denominator of every share here", n),
            "structures": measured(n_structures / n, f"share with a structure that could be read, {of}", n),
            "relaxed": measured(relaxed / n, f"share relaxed by a potential, {of}", n),
            "converged": measured(summary["converged"], f"share whose relaxation converged, {of}", n),
            "broken": measured(len(candidates.broken), "files that could not be read, named in 'broken'", n),
        },
        "validity": {k: measured(value, f"share {of}: {method}", n) for k, (value, method) in validity.items()},
        "uniqueness": {
            "unique": measured(summary["unique"], f"share that is the first of its group by {MATCHER}, {of}", n),
            "novel": measured(
                summary["novel"],
                f"share without a match{against_what}, {MATCHER}, {of}" if with_novelty else not_compared,
                n,
            ),
        },
        "stability": {"e_above_hull": measured(summary["e_above_hull"], f"median {above}, eV/atom", n_structures)},
        "symmetry": {
            "not_p1": measured(summary["symmetric"], f"share with a space group other than P1, {of}", n),
            "group_kept": measured(summary["group_kept"], f"share with the space group that was asked for, {of}", n),
        },
    }
    out["validity"]["smact"] = smact_validity(formulas) if smact else measured(None, "not measured: not asked for", 0)
    for threshold in THRESHOLDS:
        near = f"{above} <= {threshold:g} eV/atom"
        stable, sun = summary[f"stable_{threshold:g}"], summary[f"sun_{threshold:g}"]
        out["stability"][f"stable_{threshold:g}"] = measured(stable, f"share: {near}, {of}" if column else no_energy, n)
        method = f"stable, unique and novel: {near}, first of its group, no match{against_what}; {MATCHER}; {of}"
        out["stability"][f"sun_{threshold:g}"] = measured(
            sun, (method if with_novelty else not_compared) if column else no_energy, n
        )
    if reference is not None and len(crystals):
        out["reference"] = against(crystals, reference, name=reference_name)
    return out


def _as_structure(row: Row, candidates: Candidates) -> Row:
    """Return a row for the tally: readable structures count as relaxed, even if only placed; all others have failed."""
    return replace(row, status=Status.RELAXED if row.row in candidates.structures else Status.FAILED)
