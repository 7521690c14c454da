"""S.U.N., the share of crystals that end stable, unique and novel, and what flatters it.

The number depends on what hull and reference lack: a known crystal that the reference lacks counts as novel, and a
phase that the hull lacks makes candidates look stable. Therefore the shares that are left when one of these is put
right stand beside each S.U.N. All denominators are the crystals that were handed in: what a correction takes away, and
every crystal without a structure or an energy, counts as a failure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import DataError
from crystalgfn.evaluation.candidates import Candidates
from crystalgfn.evaluation.hull_error import HullError
from crystalgfn.evaluation.measured import measured, measured_share
from crystalgfn.progress import track
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.candidates.duplicates import Formula, reduced_counts
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row
from crystalgfn.structures.candidates.stability import judged
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.candidates.tally import THRESHOLDS, succeeded
from crystalgfn.structures.sanity import FAR_BELOW_HULL

SAME_ENERGY = 0.04
"""Largest difference (eV/atom) of a candidate from a phase of its formula that is probably the same crystal."""

NEEDS_HULL = "not measured: give the hull's table (--hull)"
NEEDS_KNOWN = "not measured: give known structures (--reference)"
NEEDS_OTHERS = "not measured: the hull's phases are the package's own, not known crystals: give a table of known phases"
NEEDS_PHASES = "not measured: the hull holds no compound that could be left out"
NEEDS_ENERGY = "not measured: no energy above hull in the table"


def with_hull(candidates: Candidates, hull: Hull) -> Candidates:
    """Return the candidates with energies above this hull, from their formation energies, in place of any others.

    Args:
        candidates: candidates.
        hull: the hull; the energies of each potential are measured from the hull for that potential.

    Raises:
        DataError: no candidate has a formation energy, or the hull is one of another potential.
    """
    formation = candidates.table.formation
    if formation is None:
        raise DataError(f"{candidates.name}: no formation energies to compare with the hull {hull.name}")
    hulls = {
        c.potential: hull.for_potential(c.potential)
        for c in candidates.table.columns
        if c.quantity is Quantity.FORMATION
    }
    rows = []
    for row in candidates.rows:
        if not math.isfinite(row.energy(formation)):
            others = {c: energy for c, energy in row.energies.items() if c.quantity is not Quantity.ABOVE_HULL}
            rows.append(replace(row, energies=others))
            continue
        counts, energy = counts_of(row, candidates), row.energy(formation)
        by_hull = judged(row, counts, energy, potential=formation.potential, hull=hulls[formation.potential])
        others = {
            PotentialColumn(Quantity.ABOVE_HULL, c.potential, hull.name): hulls[c.potential]
            .energy_above_hull(counts, other)
            .value
            for c, other in row.energies.items()
            if c.quantity is Quantity.FORMATION and c.potential != formation.potential
        }
        rows.append(replace(by_hull, energies={**by_hull.energies, **others}))
    return replace(candidates, table=CandidateTable(tuple(rows)))


def counts_of(row: Row, candidates: Candidates) -> Mapping[str, float]:
    """Return the atoms of a candidate by element symbol: of its structure, else what was asked for; or nothing."""
    structure = candidates.structures.get(row.row)
    if structure is not None:
        return {str(symbol): float(n) for symbol, n in structure.composition.get_el_amt_dict().items()}
    return {symbol: float(n) for symbol, n in (row.counts or {}).items() if n}


@dataclass(frozen=True)
class Known:
    """What is known of crystals: the two sources that a claim of stability and novelty rests on.

    Attributes:
        hull: the hull with its phases; None if only distances from it are known. Phases of known crystals, which not
            every hull has, are a source of their own, ``"phases"``.
        formulas: reduced formulas of known crystals; None if no reference was given.
    """

    hull: Hull | None = None
    formulas: frozenset[Formula] | None = None

    @property
    def missing(self) -> dict[str, str]:
        """Why a source is missing, by its name."""
        phases = NEEDS_HULL if self.hull is None else "" if self.hull.phases_are_known else NEEDS_OTHERS
        sources = {
            "hull": NEEDS_HULL if self.hull is None else "",
            "phases": phases,
            "formulas": NEEDS_KNOWN if self.formulas is None else "",
        }
        return {name: why for name, why in sources.items() if why}


@dataclass(frozen=True)
class Evidence:
    """What is to be said of a candidate that is stable, unique and novel.

    Attributes:
        above: energy above hull, eV/atom.
        phase_alike: the hull has a phase of its formula within :data:`SAME_ENERGY` of its energy.
        known_formula: hull or reference holds its formula.
        drops: (K,) how far the true hull may lie below the known one, eV/atom; see :mod:`.hull_error`.
        group_kept: it has the space group that was asked for.
        flagged: sanity checks or second opinion cast doubt on it.
    """

    above: float
    phase_alike: bool
    known_formula: bool
    drops: NDArray[np.float64]
    group_kept: bool
    flagged: bool

    @property
    def hole(self) -> bool:
        """Whether it lies so far below the hull that this speaks against the hull or the potential."""
        return self.above < -FAR_BELOW_HULL

    def probability(self, threshold: float) -> float:
        """Return the share of drops with which it stays within a threshold, eV/atom; NaN where no drop is known."""
        return float((self.above + self.drops <= threshold).mean()) if len(self.drops) else math.nan


@dataclass(frozen=True)
class Correction:
    """A correction of S.U.N.

    Attributes:
        about: what is counted, in words, after "stable, unique and novel".
        weight: what a candidate counts for, 0..1, at a threshold in eV/atom.
        sources: sources of :class:`Known` without which it cannot be measured.
        holes: whether candidates far below the hull count, which are no successes otherwise.
    """

    about: str
    weight: Callable[[Evidence, float], float]
    sources: tuple[str, ...] = ()
    holes: bool = False


CORRECTIONS: dict[str, Correction] = {
    "known_formula_excluded": Correction(
        f"without candidates whose formula stands in the hull within {SAME_ENERGY:g} eV/atom of their energy (probably "
        "known crystals that the reference lacks)",
        lambda evidence, threshold: not evidence.phase_alike,
        ("phases",),
    ),
    "unknown_formula_only": Correction(
        "of formulas that neither hull nor reference holds",
        lambda evidence, threshold: not evidence.known_formula,
        ("phases", "formulas"),
    ),
    "hull_error_weighted": Correction(
        "each counted by the probability that it stays stable when the hull gets the phases that it lacks (see "
        "hull_error_mean)",
        lambda evidence, threshold: evidence.probability(threshold),
        ("hull",),
    ),
    "far_below_hull_excluded": Correction(
        f"without candidates more than {FAR_BELOW_HULL:g} eV/atom below the hull (holes of the hull, artefacts)",
        lambda evidence, threshold: not evidence.hole,
    ),
    "far_below_hull_counted": Correction(
        f"with candidates more than {FAR_BELOW_HULL:g} eV/atom below the hull, which S.U.N. elsewhere counts",
        lambda evidence, threshold: True,
        holes=True,
    ),
    "group_kept": Correction(
        "with the space group that was asked for", lambda evidence, threshold: evidence.group_kept
    ),
    "flagged_excluded": Correction(
        "without candidates that sanity checks or the second opinion flag",
        lambda evidence, threshold: not evidence.flagged,
    ),
}
"""The corrections by name, each by itself."""


def sun_numbers(candidates: Candidates, known: Known, *, against: str, matcher: str) -> dict[str, dict[str, Any]]:
    """Return stable and S.U.N. shares at each threshold, and beside each S.U.N. its corrections.

    Args:
        candidates: candidates with energies above hull, duplicates and novelty.
        known: the hull with its phases, and the known formulas.
        against: what the candidates were compared with for novelty, for the methods.
        matcher: name of the matcher, for the methods.

    Returns:
        ``stable_T``, ``sun_T`` and ``sun_CORRECTION_T`` for each threshold T (eV/atom), shares of all crystals handed
        in; and ``hull_error_mean`` and ``hull_error_median``, eV/atom.
    """
    table = candidates.table
    n, column = len(table), table.above_hull
    of = f"of {n} crystals handed in"
    above = f"{column.potential if column else ''} energy above the hull {table.hull or 'no hull'}"
    compared = any(row.novel is not None for row in table.rows)
    missing = NEEDS_ENERGY if column is None else "" if compared else NEEDS_KNOWN
    error = None if known.hull is None else HullError(known.hull)
    highest = max(THRESHOLDS)
    near_hull = [] if missing else [row for row in table.rows if succeeded(row, column, highest, lowest=-math.inf)]
    successes = [row for row in near_hull if row.novel]
    shown = track(successes, len(successes), "what is known of each success", "crystals")
    evidence = [_evidence(row, candidates, known, error) for row in shown]

    def share(weights: Iterable[float], method: str, why: str) -> dict[str, Any]:
        value = math.nan if why else sum(weights) / n
        return measured_share(value, method, n) if math.isfinite(value) else measured(None, why or NEEDS_PHASES, n)

    numbers: dict[str, dict[str, Any]] = {}
    for threshold in THRESHOLDS:
        near = f"{above} <= {threshold:g} eV/atom"
        stable = (row.energy(column) <= threshold for row in table.rows)  # False for NaN
        numbers[f"stable_{threshold:g}"] = share(stable, f"share: {near}, {of}", "" if column else NEEDS_ENERGY)
        chosen = [each for each in evidence if each.above <= threshold]
        near += f" and >= {-FAR_BELOW_HULL:g}"
        method = f"share stable, unique and novel: {near}, first of its group, no match {against}; {matcher}; {of}"
        numbers[f"sun_{threshold:g}"] = share((not each.hole for each in chosen), method, missing)
        for name, correction in CORRECTIONS.items():
            reasons = [missing, *(known.missing.get(source, "") for source in correction.sources)]
            numbers[f"sun_{name}_{threshold:g}"] = share(
                (correction.weight(each, threshold) for each in chosen if correction.holes or not each.hole),
                f"share stable (<= {threshold:g} eV/atom), unique and novel, {correction.about}; {of}",
                next(filter(None, reasons), ""),
            )
    return numbers | _error_numbers(error, known.hull)


def _evidence(row: Row, candidates: Candidates, known: Known, error: HullError | None) -> Evidence:
    table, counts = candidates.table, counts_of(row, candidates)
    phases = np.array(known.hull.energies_at(counts) if known.hull else ())
    formula = reduced_counts({SYMBOLS.index(symbol): int(n) for symbol, n in counts.items()})
    return Evidence(
        above=row.energy(table.above_hull),
        phase_alike=bool((np.abs(phases - row.energy(table.formation)) <= SAME_ENERGY).any()),
        known_formula=len(phases) > 0 or formula in (known.formulas or ()),
        drops=error.drops(counts) if error else np.zeros(0),
        group_kept=row.space_group == row.space_group_asked,
        flagged=bool(row.flags),
    )


def _error_numbers(error: HullError | None, hull: Hull | None) -> dict[str, dict[str, Any]]:
    """Return mean and median of the drops that the probabilities were taken from; nothing without a hull."""
    if error is None or hull is None:
        return {}
    drops = error.measured
    if not len(drops):
        none = measured(None, "not measured: no candidate is S.U.N. at a composition that the hull lacks", 0)
        return {"hull_error_mean": none, "hull_error_median": none}
    what = (
        f"(eV/atom) how far the hull {hull.name} rises at {len(drops)} of its compositions when their phases are left "
        "out, or all of their system for candidates whose system has none: what hull_error_weighted takes for its error"
    )
    return {
        "hull_error_mean": measured(float(np.mean(drops)), f"mean {what}", len(drops)),
        "hull_error_median": measured(float(np.median(drops)), f"median {what}", len(drops)),
    }
