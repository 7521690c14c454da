"""Metrics of structures, each with its method: outcome, validity, novelty, stability, symmetry, variety and cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from crystalgfn.crystallography.chemical_classes import Elements
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets.standardise import conventional_cell
from crystalgfn.errors import DataError
from crystalgfn.evaluation.candidates import Candidates
from crystalgfn.evaluation.chemical_classes import class_numbers
from crystalgfn.evaluation.chemistry import smact_validity
from crystalgfn.evaluation.crystals import Numbers
from crystalgfn.evaluation.distributions import against
from crystalgfn.evaluation.known import KnownStructures, formulas_of
from crystalgfn.evaluation.measured import measured, measured_share
from crystalgfn.evaluation.second_opinion import opinion_numbers
from crystalgfn.evaluation.site_diversity import site_numbers
from crystalgfn.evaluation.sun import NEEDS_KNOWN, Known, counts_of, sun_numbers
from crystalgfn.progress import track
from crystalgfn.stability.answer import HullKind
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.candidates.duplicates import Formula
from crystalgfn.structures.candidates.schema import Row, Status
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import THRESHOLDS, near_hull, tally
from crystalgfn.structures.quiet import quiet

MATCHER = "pymatgen StructureMatcher, default tolerances"


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
    known: KnownStructures | None = None,
    hull: Hull | None = None,
    smact: bool = True,
) -> dict[str, Numbers]:
    """Measure structures; shares refer to all crystals that were handed in, failed ones included.

    Args:
        candidates: structures, with the column ``novel`` if they were compared with known structures.
        reference: known crystals for distances of distributions, formulas and chemical classes.
        reference_name: name of the reference in the methods.
        known: known structures that ``novel`` refers to.
        hull: hull that the energies above hull refer to; without it, corrections that need its phases are missing.
        smact: test charges with SMACT.

    Returns:
        groups of numbers with their methods: ``outcome``, ``validity``, ``uniqueness``, ``stability``,
        ``second_opinion``, ``symmetry``, ``diversity``, ``chemistry``, ``cost`` and ``reference``; empty ones where
        there is nothing to measure.

    Raises:
        DataError: there are no candidates.
    """
    if not len(candidates):
        raise DataError(f"{candidates.name}: no structures to evaluate: found 0, allowed: 1 or more")
    judged = replace(candidates, table=CandidateTable(tuple(_as_structure(row, candidates) for row in candidates.rows)))
    summary, crystals = tally(judged.table), candidates.crystals()[0]
    among = f"among {known.title}" if known else "among the known structures of the run (--compare)"
    formulas = None
    if known is not None or reference is not None:
        formulas = {**(known.formulas if known else {}), **(formulas_of(reference) if reference is not None else {})}
    stability = sun_numbers(
        judged,
        Known(hull, None if formulas is None else frozenset(formulas)),
        against=among,
        matcher=MATCHER,
    )
    out: dict[str, Numbers] = {
        "outcome": _outcome(candidates, summary),
        "validity": _validity(judged, summary, smact=smact),
        "uniqueness": _uniqueness(judged, summary, among),
        "stability": {**_energies(judged, summary), **stability},
        "second_opinion": opinion_numbers(judged),
        "symmetry": _symmetry(judged, summary),
        "diversity": _diversity(candidates, crystals),
        "chemistry": class_numbers(
            Counter(_elements(row, candidates) for row in candidates.rows),
            None if formulas is None else _classes_of(formulas),
            name=reference_name,
        ),
        "cost": _cost(judged, stability),
    }
    if reference is not None and len(crystals):
        out["reference"] = against(crystals, reference, name=reference_name)
    return out


def _of(candidates: Candidates) -> str:
    return f"of {len(candidates)} crystals handed in"


def _outcome(candidates: Candidates, summary: Mapping[str, float]) -> Numbers:
    n, of = len(candidates), _of(candidates)
    relaxed = sum(row.status is Status.RELAXED for row in candidates.rows) if candidates.manifest else 0
    flagged = sum(bool(row.flags) for row in candidates.rows)
    structures = len(candidates.structures)
    return {
        "submitted": measured(n, "crystals handed in: the denominator of every share here", n),
        "structures": measured_share(structures / n, f"share with a structure that could be read, {of}", n),
        "relaxed": measured_share(relaxed / n, f"share relaxed by a potential, {of}", n),
        "converged": measured_share(summary["converged"], f"share whose relaxation converged, {of}", n),
        "flagged": measured_share(flagged / n, f"share flagged by sanity checks or second opinion, {of}", n),
        "broken": measured(len(candidates.broken), "files that could not be read, named in 'broken'", n),
    }


def _validity(candidates: Candidates, summary: Mapping[str, float], *, smact: bool) -> Numbers:
    n, of = len(candidates), _of(candidates)
    methods = {
        "cdvae": "all distances 0.5 A and more, volume 0.1 A^3 and more (CDVAE)",
        "lemat": "LeMat-GenBench: distances, density, lengths, volume, CIF round trip",
    }
    out = {key: measured_share(summary[f"{key}_valid"], f"share {of}: {method}", n) for key, method in methods.items()}
    formulas = [row.formula for row in candidates.rows if row.status is Status.RELAXED]
    out["smact"] = smact_validity(formulas) if smact else measured(None, "not measured: not asked for", 0)
    return out


def _uniqueness(candidates: Candidates, summary: Mapping[str, float], among: str) -> Numbers:
    n, of = len(candidates), _of(candidates)
    compared_with_any = not math.isnan(summary["novel"])
    novel = f"share without a match {among}, {MATCHER}, {of}" if compared_with_any else NEEDS_KNOWN
    return {
        "unique": measured_share(summary["unique"], f"share that is the first of its group by {MATCHER}, {of}", n),
        "novel": measured_share(summary["novel"], novel, n),
    }


def _energies(candidates: Candidates, summary: Mapping[str, float]) -> Numbers:
    table = candidates.table
    n, column = len(table), table.above_hull
    above = f"{column.potential if column else ''} energy above the hull {table.hull or 'no hull'}"
    without = [row for row in table.rows if not math.isfinite(row.energy(column))]
    reasons = Counter(row.hull_reason or row.reason or "no structure" for row in without).most_common(1)
    why = f"; most often: {reasons[0][0]}" if column and reasons else ""
    on_phases = table.resting_on().get(HullKind.PHASES, 0)
    others = n - len(without) - on_phases
    near = {threshold: near_hull(table, threshold)[0] for threshold in THRESHOLDS}
    sure = f"crystals without flags, with {above} of at most"
    rests = f"candidates whose hull energy rests on phases; that of the other {others} is an estimate"
    return {
        "e_above_hull": measured(summary["e_above_hull"], f"median {above}, eV/atom", n - len(without)),
        "resting_on_phases": measured(on_phases, rests, n - len(without)),
        **{f"n_unflagged_{t:g}": measured(k if column else None, f"{sure} {t:g} eV/atom", n) for t, k in near.items()},
        "without_energy": measured(len(without), f"crystals without an energy above hull, counted as failures{why}", n),
    }


def _symmetry(candidates: Candidates, summary: Mapping[str, float]) -> Numbers:
    n, of = len(candidates), _of(candidates)
    p1 = sum(row.status is Status.RELAXED and row.space_group == 1 for row in candidates.rows)
    kept = f"share with the space group that was asked for, {of}"
    return {
        "not_p1": measured_share(summary["symmetric"], f"share with a space group other than P1, {of}", n),
        "p1": measured_share(p1 / n, f"share that ended in P1, {of}", n),
        "group_kept": measured_share(summary["group_kept"], kept, n),
    }


def _diversity(candidates: Candidates, crystals: Crystals) -> Numbers:
    n, groups = len(candidates), len(np.unique(crystals.space_group.cpu().numpy()))
    elements = frozenset[int]().union(*(_elements(row, candidates) for row in candidates.rows))
    sites = [_sites(row, candidates) for row in candidates.rows]
    return {
        "n_space_groups": measured(groups, "space groups among the structures, of 230", n),
        "n_elements": measured(len(elements), "elements among the crystals handed in", n),
        **site_numbers(sites, source="of structures, by moyopy"),
    }


def _cost(candidates: Candidates, stability: Numbers) -> Numbers:
    """Seconds of the search for structures; what sampling took is not among them."""
    wall = np.array([row.seconds for row in candidates.rows if row.seconds is not None], dtype=float)
    cpu = np.array([row.seconds_cpu for row in candidates.rows if row.seconds_cpu is not None], dtype=float)
    if not len(wall):
        return {}
    n, untimed = len(candidates), len(candidates) - len(cpu)
    of_clock = "column 'seconds', placing and relaxing one crystal by the clock; sampling is left out"
    out = {
        "seconds_mean": measured(float(wall.mean()), f"mean: {of_clock}", len(wall)),
        "seconds_median": measured(float(np.median(wall)), f"median: {of_clock}", len(wall)),
    }
    if not len(cpu):
        return out | {"cpu_seconds_mean": measured(None, "not measured: the table has no column 'seconds_cpu'", 0)}
    of_cpu = (
        "column 'seconds_cpu', CPU time of the worker for placing and relaxing one crystal; sampling is left out"
        f"{f', and {untimed} crystals without a time' if untimed else ''}"
    )
    out["cpu_seconds_mean"] = measured(float(cpu.mean()), f"mean: {of_cpu}", len(cpu))
    out["cpu_seconds_median"] = measured(float(np.median(cpu)), f"median: {of_cpu}", len(cpu))
    for threshold in THRESHOLDS:
        share = stability[f"sun_{threshold:g}"]["value"]
        method = f"seconds of all crystals, failed ones too, over those S.U.N. at {threshold:g} eV/atom: {of_cpu}"
        value = float(cpu.sum()) / (share * n) if share else None
        method = method if share else "not measured: no crystal is known to be S.U.N."
        out[f"cpu_seconds_per_sun_{threshold:g}"] = measured(value, method, len(cpu))
    return out


def _elements(row: Row, candidates: Candidates) -> Elements:
    return frozenset(SYMBOLS.index(symbol) for symbol in counts_of(row, candidates))


def _classes_of(formulas: Mapping[Formula, int]) -> Counter[Elements]:
    """Return the number of known crystals of each set of elements."""
    numbers: Counter[Elements] = Counter()
    for formula, n in formulas.items():
        numbers[frozenset(z for z, _ in formula)] += n
    return numbers


def _sites(row: Row, candidates: Candidates) -> Assignment | None:
    """Return the occupied sites of a structure; None where there is no structure, or none with a space group."""
    structure = candidates.structures.get(row.row)
    if structure is None:
        return None
    try:
        with quiet():
            cell = conventional_cell(structure)
        sites = tuple((SYMBOLS.index(symbol), letter) for symbol, letter, _ in cell.wyckoff)
        return Assignment(cell.space_group, sites)
    except DataError:
        return None


def _as_structure(row: Row, candidates: Candidates) -> Row:
    """Return a row for the tally: readable structures count as relaxed, even if only placed; all others have failed."""
    return replace(row, status=Status.RELAXED if row.row in candidates.structures else Status.FAILED)
